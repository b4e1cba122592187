//! ElectLeaders (KIP-183, KIP-460).

use std::sync::Arc;

use protocol::Str;
use protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};
use quorum::controller::{ElectLeaders, Elections};

use super::refusal;
use crate::context::{Broker, RequestContext};

/// First version that says which kind of election; before, the preferred replica is elected.
const WITH_TYPE: i16 = 1;
const UNCLEAN: i8 = 1;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: ElectLeadersRequest,
    version: i16,
) -> ElectLeadersResponse {
    let partitions = request.topic_partitions.map(|topics| {
        let each = topics.into_iter().flat_map(|topic| {
            let name = topic.topic.to_string();
            topic.partitions.into_iter().map(move |partition| (name.clone(), partition))
        });
        each.collect()
    });
    let unclean = version >= WITH_TYPE && request.election_type == UNCLEAN;
    match broker.controller.submit(ElectLeaders { unclean, partitions }).await {
        Ok(elections) => ElectLeadersResponse {
            replica_election_results: results(elections),
            ..Default::default()
        },
        Err(error) => ElectLeadersResponse { error_code: refusal(&error).0, ..Default::default() },
    }
}

fn results(elections: Elections) -> Vec<ReplicaElectionResult> {
    let mut results: Vec<ReplicaElectionResult> = Vec::new();
    for (topic, partition_id, outcome) in elections {
        if results.last().is_none_or(|last| last.topic != topic) {
            let topic = Str::from(topic);
            results.push(ReplicaElectionResult { topic, partition_result: Vec::new() });
        }
        let Some(of) = results.last_mut() else { continue };
        of.partition_result.push(match outcome {
            Ok(()) => PartitionResult { partition_id, ..Default::default() },
            Err(error) => PartitionResult {
                partition_id,
                error_code: error.code().0,
                error_message: Some(Str::from(error.to_string())),
            },
        });
    }
    results
}
