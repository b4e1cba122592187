//! What moves of partitions may take of each broker: the cluster-wide default of `reassignment.replication.throttled.rate`, set as
//! IncrementalAlterConfigs sets it. It is in the metadata log, so it holds for moves that were begun before, too.

use quorum::MetadataImage;
use quorum::controller::{AlterConfigs, ConfigOp, ResourceChange};
use quorum::record::ConfigResource;

use super::actions::ActionError;
use super::answers::BandwidthAnswer;
use super::questions::{NotActive, confirm};
use crate::context::Broker;

const RATE: &str = "reassignment.replication.throttled.rate";
const ALL_BROKERS: ConfigResource = ConfigResource::Broker(None);

/// The limit that is set for all brokers.
pub(super) async fn ask(broker: &Broker) -> Result<BandwidthAnswer, NotActive> {
    confirm(broker).await?;
    let bytes_per_second = set(&broker.image()).and_then(|rate| rate.parse().ok());
    Ok(BandwidthAnswer { bytes_per_second })
}

/// Sets it, or takes it away.
pub(super) async fn limit(broker: &Broker, rate: Option<i64>) -> Result<(), ActionError> {
    confirm(broker).await?;
    let wanted = rate.map(|rate| rate.to_string());
    if set(&broker.image()) == wanted {
        return Ok(());
    }
    let op = wanted.map_or(ConfigOp::Delete, ConfigOp::Set);
    let change = ResourceChange {
        resource: ALL_BROKERS,
        changes: vec![(RATE.to_owned(), op)],
        replace_all: false,
    };
    let command = AlterConfigs { resources: vec![change], validate_only: false };
    let answers = broker.controller.submit(command).await?;
    match answers.into_iter().next() {
        Some(Err(error)) => Err(ActionError::Refused(error.to_string())),
        _ => Ok(()),
    }
}

fn set(image: &MetadataImage) -> Option<String> {
    image.configs(&ALL_BROKERS)?.get(RATE).cloned()
}
