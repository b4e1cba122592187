//! AlterConfigs: replaces all configs of a resource. Old clients still send it.

use std::sync::Arc;

use protocol::ErrorCode;
use protocol::messages::alter_configs_request::AlterConfigsResource;
use protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};
use quorum::controller::{ConfigOp, ResourceChange};

use super::incremental_alter_configs::{Asked, alter};
use super::resource;
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: AlterConfigsRequest,
    _version: i16,
) -> AlterConfigsResponse {
    let changes = request.resources.iter().map(change).collect();
    let results = alter(broker, changes, request.validate_only).await;
    let responses = request
        .resources
        .into_iter()
        .zip(results)
        .map(|(asked, (error_code, error_message))| AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: asked.resource_type,
            resource_name: asked.resource_name,
        })
        .collect();
    AlterConfigsResponse { responses, ..Default::default() }
}

fn change(asked: &AlterConfigsResource) -> Asked {
    let resource = resource::parse(asked.resource_type, &asked.resource_name)
        .map_err(|error| (ErrorCode::INVALID_REQUEST, error.to_string()))?;
    let op = |value: &Option<protocol::Str>| match value {
        Some(value) => ConfigOp::Set(value.to_string()),
        None => ConfigOp::Delete,
    };
    let changes =
        asked.configs.iter().map(|config| (config.name.to_string(), op(&config.value))).collect();
    Ok(ResourceChange { resource, changes, replace_all: true })
}
