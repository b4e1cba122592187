//! Step four: the order reaches Kafka.

use super::plan::Change;
use crate::context::Context;
use crate::kafka::KafkaFailure;

pub(crate) async fn apply(
    ctx: &Context,
    address: &str,
    name: &str,
    change: Change,
) -> Result<(), KafkaFailure> {
    match change {
        Change::Create { partitions, replicas, configs } => {
            ctx.kafka.create_topic(address, name, partitions, replicas, configs).await
        }
        Change::Grow { to, .. } => ctx.kafka.grow_topic(address, name, to).await,
        Change::Configure(changes) => ctx.kafka.alter_topic(address, name, changes).await,
    }
}
