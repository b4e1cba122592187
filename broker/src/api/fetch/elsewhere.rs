//! Where a client should rather read: at the leader (KIP-951), at a replica in its rack (KIP-392).

use protocol::ErrorCode;
use protocol::messages::FetchResponse;
use protocol::messages::fetch_request::FetchPartition;
use protocol::messages::fetch_response::{LeaderIdAndEpoch, NodeEndpoint, PartitionData};
use quorum::image::BrokerImage;

use super::super::leader_hint::{self, Hints};
use super::Fetch;
use crate::partition::{Partition, Reader};
use crate::replication::preferred_replica;

impl Fetch {
    /// Tells a client that asked the wrong broker whom to ask (KIP-951).
    pub(super) fn name_leaders(&self, response: &mut FetchResponse) {
        if self.ctx.api_version < leader_hint::FETCH_VERSION {
            return;
        }
        let mut hints = Hints::default();
        let mut image = None;
        for topic in &mut response.responses {
            let wrong = |p: &&mut PartitionData| leader_hint::helps(ErrorCode(p.error_code));
            for data in topic.partitions.iter_mut().filter(wrong) {
                let image = image.get_or_insert_with(|| self.broker.image());
                let found = image.topic_by_id(&topic.topic_id);
                let found = found.and_then(|topic| topic.partition(data.partition_index));
                if let Some((leader_id, leader_epoch)) = hints.leader(image, found) {
                    data.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
                }
            }
        }
        let endpoint = |broker: &BrokerImage| NodeEndpoint {
            node_id: broker.id,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: broker.rack.clone(),
        };
        response.node_endpoints = hints.nodes().map(endpoint).collect();
    }

    /// A replica nearer to the client that it should read from (KIP-392).
    pub(super) fn elsewhere(&self, partition: &Partition, wanted: &FetchPartition) -> Option<i32> {
        let near = !self.request.rack_id.is_empty()
            && self.reader == Reader::Consumer { from_follower: true }
            && self.broker.reads_near;
        if !near {
            return None;
        }
        let rack = &self.request.rack_id;
        let image = self.broker.image();
        preferred_replica(&image, self.broker.config.node_id, rack, || {
            partition.read_replicas(wanted.fetch_offset)
        })
    }
}
