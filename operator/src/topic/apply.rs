//! Step four: the order reaches Kafka.

use crds::{Cluster, Topic};
use kube::ResourceExt as _;

use super::plan::Change;
use crate::api;
use crate::cluster;
use crate::context::Context;
use crate::kafka::KafkaFailure;
use crate::safety::{Done, MovesAnswer, Order, SafetyFailure, begin_limited};

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

/// Has the next moves towards so many replicas begun, and tells how far that is. It goes on where it was after any
/// interruption: what is under way is in the cluster's metadata.
pub(crate) async fn resize(
    object: &Topic,
    ctx: &Context,
    replicas: i32,
) -> Result<MovesAnswer, SafetyFailure> {
    let namespace = object.namespace().unwrap_or_default();
    let cluster = &object.spec.cluster_ref.name;
    let (sets, pods) = cluster::look(&ctx.client, &namespace, cluster)
        .await
        .map_err(|failure| SafetyFailure::Unknown(failure.describe()))?;
    let door = cluster::door((&ctx.http, &ctx.kafka), (cluster, &namespace), (&sets, &pods));
    let order = Order::Resize { topic: object.kafka_name().to_owned(), replicas };
    // A Cluster whose limit does not read says so itself; until then nothing moves.
    let limit = api::get::<Cluster>(&ctx.client, &namespace, cluster)
        .await
        .map_err(|failure| SafetyFailure::Unknown(failure.describe()))?
        .map_or(Ok(None), |cluster| cluster::bandwidth(&cluster))
        .map_err(|problem| SafetyFailure::Unknown(format!("the Cluster's bandwidth {problem}")))?;
    match begin_limited(&door, limit, &order).await? {
        Done::Moves(moves) => Ok(moves),
        Done::Done => Err(SafetyFailure::mismatched()),
    }
}
