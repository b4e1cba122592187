//! Bytes of partitions: each broker knows its own (DescribeLogDirs), the active controller asks all of them.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use quorum::balance::Sizes;

use crate::api::describe_log_dirs;
use crate::context::Broker;
use crate::peers::Channel;

const VERSION: i16 = 4;
/// A broker that does not answer in time counts as one with empty partitions: sizes only rank moves.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The largest size that any replica of each partition has.
pub(super) async fn gather(broker: &Broker) -> Sizes {
    let image = broker.image();
    let own = broker.config.node_id;
    let request = DescribeLogDirsRequest { topics: None };
    let others = image.brokers().map(|b| b.id).filter(|id| *id != own);
    let asked = others.map(|id| {
        let request = &request;
        async move { broker.peers.call(id, Channel::Control, VERSION, request, TIMEOUT).await.ok() }
    });
    let answers = join_all(asked).await.into_iter().flatten();
    let mut sizes = Sizes::new();
    for answer in answers.chain([describe_log_dirs::describe(broker, &request)]) {
        take(&image, &mut sizes, answer);
    }
    sizes
}

fn take(image: &quorum::MetadataImage, sizes: &mut Sizes, answer: DescribeLogDirsResponse) {
    for topic in answer.results.into_iter().flat_map(|dir| dir.topics) {
        let Some(known) = image.topic(&topic.name) else { continue };
        for partition in topic.partitions {
            let bytes = u64::try_from(partition.partition_size).unwrap_or(0);
            let size = sizes.entry((known.id, partition.partition_index)).or_default();
            *size = bytes.max(*size);
        }
    }
}
