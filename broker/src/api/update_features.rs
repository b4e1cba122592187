//! UpdateFeatures (KIP-584).

use std::sync::Arc;

use protocol::Str;
use protocol::messages::update_features_response::UpdatableFeatureResult;
use protocol::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use quorum::controller::{FeatureUpdate, UpdateFeatures};

use super::refusal;
use crate::context::{Broker, RequestContext};

/// First version with a kind of upgrade; before, there is a flag.
const WITH_UPGRADE_TYPE: i16 = 1;
/// First version that is answered as a whole.
const WITHOUT_RESULTS: i16 = 2;
const UPGRADE: i8 = 1;

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: UpdateFeaturesRequest,
    version: i16,
) -> UpdateFeaturesResponse {
    let updates = request.feature_updates.iter().map(|update| FeatureUpdate {
        name: update.feature.to_string(),
        level: update.max_version_level,
        allow_downgrade: if version >= WITH_UPGRADE_TYPE {
            update.upgrade_type != UPGRADE
        } else {
            update.allow_downgrade
        },
    });
    let validate_only = version >= WITH_UPGRADE_TYPE && request.validate_only;
    let command = UpdateFeatures { updates: updates.collect(), validate_only };
    let (error_code, error_message) = match broker.controller.submit(command).await {
        Ok(Ok(())) => (0, None),
        Ok(Err(error)) => (error.code().0, Some(Str::from(error.to_string()))),
        Err(error) => refusal(&error),
    };
    if version >= WITHOUT_RESULTS {
        return UpdateFeaturesResponse { error_code, error_message, ..Default::default() };
    }
    let results = request.feature_updates.into_iter().map(|update| UpdatableFeatureResult {
        feature: update.feature,
        error_code,
        error_message: error_message.clone(),
    });
    UpdateFeaturesResponse {
        error_code,
        error_message: error_message.clone(),
        results: results.collect(),
        ..Default::default()
    }
}
