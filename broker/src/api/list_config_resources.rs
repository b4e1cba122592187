//! ListConfigResources (KIP-1142): what has configs of its own; version 0 lists client metrics, of which there are none.

use std::sync::Arc;

use protocol::Str;
use protocol::messages::list_config_resources_response::ConfigResource as Listed;
use protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use quorum::record::ConfigResource;

use super::resource::{BROKER, GROUP, TOPIC};
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: ListConfigResourcesRequest,
    version: i16,
) -> ListConfigResourcesResponse {
    if version == 0 {
        return ListConfigResourcesResponse::default();
    }
    let wanted =
        |kind: i8| request.resource_types.is_empty() || request.resource_types.contains(&kind);
    let image = broker.image();
    let mut config_resources = Vec::new();
    let mut add = |resource_type: i8, resource_name: Str| {
        if wanted(resource_type) {
            config_resources.push(Listed { resource_name, resource_type });
        }
    };
    for topic in image.topics().iter() {
        add(TOPIC, topic.name.clone());
    }
    for registered in image.brokers() {
        add(BROKER, Str::from(registered.id.to_string()));
    }
    for configured in image.configured_resources() {
        if let ConfigResource::Group(name) = configured {
            add(GROUP, Str::from(name.clone()));
        }
    }
    ListConfigResourcesResponse { config_resources, ..Default::default() }
}
