//! IncrementalAlterConfigs (KIP-339), and what it shares with the older AlterConfigs.

use std::sync::Arc;

use protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};
use protocol::{ErrorCode, Str};
use quorum::controller::{AlterConfigs, ConfigOp, ResourceChange};

use super::{refusal, resource};
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: IncrementalAlterConfigsRequest,
    _version: i16,
) -> IncrementalAlterConfigsResponse {
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
    IncrementalAlterConfigsResponse { responses, ..Default::default() }
}

/// A change, or why the request for it makes no sense.
pub(super) type Asked = Result<ResourceChange, (ErrorCode, String)>;

/// Submits the changes that make sense in one command; one code and message for each, in their order.
pub(super) async fn alter(
    broker: &Arc<Broker>,
    asked: Vec<Asked>,
    validate_only: bool,
) -> Vec<(i16, Option<Str>)> {
    let resources = asked.iter().filter_map(|one| one.as_ref().ok().cloned()).collect();
    let answers = broker.controller.submit(AlterConfigs { resources, validate_only }).await;
    let mut answers = match answers {
        Ok(answers) => answers.into_iter(),
        Err(error) => {
            let failed = refusal(&error);
            return asked.iter().map(|_| failed.clone()).collect();
        }
    };
    let mut result = |one: Asked| match one {
        Err((code, message)) => (code.into(), Some(Str::from(message))),
        Ok(_) => match answers.next() {
            Some(Err(error)) => (error.code().into(), Some(Str::from(error.to_string()))),
            _ => (ErrorCode::NONE.into(), None),
        },
    };
    asked.into_iter().map(&mut result).collect()
}

fn change(asked: &AlterConfigsResource) -> Asked {
    let resource = resource::parse(asked.resource_type, &asked.resource_name)
        .map_err(|error| (ErrorCode::INVALID_REQUEST, error.to_string()))?;
    let changes = asked
        .configs
        .iter()
        .map(|config| {
            let value = || match &config.value {
                Some(value) => Ok(value.to_string()),
                None => {
                    let message = format!("the value of {} must not be null", config.name);
                    Err((ErrorCode::INVALID_REQUEST, message))
                }
            };
            let op = match config.config_operation {
                0 => ConfigOp::Set(value()?),
                1 => ConfigOp::Delete,
                2 => ConfigOp::Append(value()?),
                3 => ConfigOp::Subtract(value()?),
                other => {
                    let message = format!("config operation {other} is none of 0 to 3");
                    return Err((ErrorCode::INVALID_REQUEST, message));
                }
            };
            Ok((config.name.to_string(), op))
        })
        .collect::<Result<_, _>>()?;
    Ok(ResourceChange { resource, changes, replace_all: false })
}
