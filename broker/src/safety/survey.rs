//! What brokers hold, what room they have and what traffic: each knows its own (DescribeLogDirs, and PartitionTraffic, one of
//! our own), the active controller asks all of them.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::messages::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, PartitionTrafficRequest,
    PartitionTrafficResponse,
};
use quorum::MetadataImage;
use quorum::balance::{Rate, Report, Survey};

use crate::api::{describe_log_dirs, partition_traffic};
use crate::context::Broker;
use crate::peers::Channel;

const LOG_DIRS_VERSION: i16 = 4;
const TRAFFIC_VERSION: i16 = 0;
/// A broker that does not answer in time counts as one with empty partitions and without room; without its traffic nothing is
/// planned by traffic.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What all brokers say.
pub(super) async fn gather(broker: &Broker) -> Survey {
    let image = broker.image();
    let ids: HashSet<i32> = image
        .brokers()
        .map(|b| b.id)
        .chain(broker.roles.broker.then_some(broker.config.node_id))
        .collect();
    let reports = join_all(ids.into_iter().map(|id| ask(broker, &image, id))).await;
    Survey::of(&image, &reports)
}

async fn ask(broker: &Broker, image: &MetadataImage, id: i32) -> Report {
    let dirs = DescribeLogDirsRequest { topics: None };
    let traffic = PartitionTrafficRequest { cluster_id: broker.cluster_id.clone() };
    if id == broker.config.node_id {
        let (dirs, traffic) =
            (describe_log_dirs::describe(broker, &dirs), partition_traffic::measured(broker));
        return report(image, id, Some(dirs), Some(traffic));
    }
    let peers = &broker.peers;
    let (dirs, traffic) = tokio::join!(
        peers.call(id, Channel::Control, LOG_DIRS_VERSION, &dirs, TIMEOUT),
        peers.call(id, Channel::Traffic, TRAFFIC_VERSION, &traffic, TIMEOUT),
    );
    report(image, id, dirs.ok(), traffic.ok())
}

fn report(
    image: &MetadataImage,
    broker: i32,
    dirs: Option<DescribeLogDirsResponse>,
    traffic: Option<PartitionTrafficResponse>,
) -> Report {
    let dirs = dirs.map(|answer| answer.results).unwrap_or_default();
    let disk = dirs.iter().find_map(|dir| {
        let total = u64::try_from(dir.total_bytes).ok()?;
        Some((total, u64::try_from(dir.usable_bytes).ok()?))
    });
    let mut sizes = Vec::new();
    for topic in dirs.into_iter().flat_map(|dir| dir.topics) {
        let Some(known) = image.topic(&topic.name) else { continue };
        sizes.extend(topic.partitions.into_iter().map(|partition| {
            let bytes = u64::try_from(partition.partition_size).unwrap_or(0);
            ((known.id, partition.partition_index), bytes)
        }));
    }
    let traffic = traffic.filter(|answer| answer.error_code == 0).map(rates);
    Report { broker, sizes, disk, traffic }
}

fn rates(answer: PartitionTrafficResponse) -> Vec<((protocol::Uuid, i32), Rate)> {
    let each = answer.topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |partition| {
            let rate = Rate {
                bytes_in: u64::try_from(partition.bytes_in_per_second).unwrap_or(0),
                bytes_out: u64::try_from(partition.bytes_out_per_second).unwrap_or(0),
            };
            ((topic.topic_id, partition.partition_index), rate)
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
    use protocol::messages::partition_traffic_response::{
        PartitionTrafficPartition, PartitionTrafficTopic,
    };

    use super::*;

    fn dirs(total_bytes: i64, usable_bytes: i64) -> DescribeLogDirsResponse {
        let dir = DescribeLogDirsResult { total_bytes, usable_bytes, ..Default::default() };
        DescribeLogDirsResponse { results: vec![dir], ..Default::default() }
    }

    #[test]
    fn what_a_broker_does_not_say_is_not_taken_for_zero() {
        let image = MetadataImage::default();
        let of = |dirs, traffic| {
            let report = report(&image, 1, dirs, traffic);
            (report.disk, report.traffic)
        };
        assert_eq!(of(None, None), (None, None));
        let refused = PartitionTrafficResponse { error_code: 104, ..Default::default() };
        assert_eq!(of(Some(dirs(-1, -1)), Some(refused)), (None, None));
        let answer = of(Some(dirs(100, 40)), Some(PartitionTrafficResponse::default()));
        assert_eq!(answer, (Some((100, 40)), Some(vec![])));
    }

    #[test]
    fn traffic_reads() {
        let partitions = vec![PartitionTrafficPartition {
            partition_index: 3,
            bytes_in_per_second: 7,
            bytes_out_per_second: -1,
        }];
        let topic_id = protocol::Uuid([1; 16]);
        let topics = vec![PartitionTrafficTopic { topic_id, partitions }];
        let read = rates(PartitionTrafficResponse { topics, ..Default::default() });
        assert_eq!(read, [((topic_id, 3), Rate { bytes_in: 7, bytes_out: 0 })]);
    }
}
