//! DescribeCluster (KIP-700, KIP-919).

use std::sync::Arc;

use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};

/// `endpoint_type` of brokers, and of controllers.
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeClusterRequest,
    version: i16,
) -> DescribeClusterResponse {
    if !broker.roles.broker {
        return controllers(broker, &request, version).await;
    }
    if version >= 1 && request.endpoint_type != BROKERS {
        let message = "only brokers can be described here, ask with endpoint type 1";
        return DescribeClusterResponse {
            error_code: ErrorCode::UNSUPPORTED_ENDPOINT_TYPE.into(),
            error_message: Some(Str::from(message)),
            ..Default::default()
        };
    }
    let image = broker.image();
    let brokers = image
        .brokers()
        .filter(|registered| !registered.fenced || request.include_fenced_brokers)
        .map(|registered| DescribeClusterBroker {
            broker_id: registered.id,
            host: registered.host.clone(),
            port: i32::from(registered.port),
            rack: registered.rack.clone(),
            is_fenced: registered.fenced,
        })
        .collect();
    DescribeClusterResponse {
        endpoint_type: BROKERS,
        cluster_id: broker.cluster_id.clone(),
        controller_id: broker.controller_for_clients(),
        brokers,
        ..Default::default()
    }
}

/// The answer of a node that is a controller alone: where the voters are.
async fn controllers(
    broker: &Broker,
    request: &DescribeClusterRequest,
    version: i16,
) -> DescribeClusterResponse {
    if version < 1 || request.endpoint_type != CONTROLLERS {
        let message = "this is a controller: ask with endpoint type 2, or ask a broker";
        return DescribeClusterResponse {
            error_code: ErrorCode::MISMATCHED_ENDPOINT_TYPE.into(),
            error_message: Some(Str::from(message)),
            ..Default::default()
        };
    }
    let status = broker.quorum.status().await;
    let voters = status.iter().flat_map(|status| &status.voters);
    let located = voters.filter_map(|voter| {
        let (host, port) = address(broker, voter.id)?;
        Some(DescribeClusterBroker {
            broker_id: voter.id,
            host,
            port: i32::from(port),
            ..Default::default()
        })
    });
    DescribeClusterResponse {
        endpoint_type: CONTROLLERS,
        cluster_id: broker.cluster_id.clone(),
        controller_id: broker.quorum.leader().node_id.unwrap_or(-1),
        brokers: located.collect(),
        ..Default::default()
    }
}

/// Where a node is, this one among them.
pub(super) fn address(broker: &Broker, node: i32) -> Option<(Str, u16)> {
    if node == broker.config.node_id {
        return Some(broker.lifecycle.advertised().clone());
    }
    broker.peers.address(node).map(|(host, port)| (Str::from(host), port))
}
