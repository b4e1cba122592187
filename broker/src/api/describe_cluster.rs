//! DescribeCluster (KIP-700).

use std::sync::Arc;

use protocol::messages::describe_cluster_response::DescribeClusterBroker;
use protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use protocol::{ErrorCode, Str};

use crate::context::{Broker, RequestContext};

/// `endpoint_type` of brokers; 2 are controllers, whose listener is not served yet.
const BROKERS: i8 = 1;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeClusterRequest,
    version: i16,
) -> DescribeClusterResponse {
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
        controller_id: broker.quorum.leader().node_id.unwrap_or(-1),
        brokers,
        ..Default::default()
    }
}
