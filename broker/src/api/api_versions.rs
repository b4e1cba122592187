//! ApiVersions, versions 0 to 4: what is served (KIP-35), and the fallback for clients newer than we are (KIP-511).

use std::sync::Arc;

use protocol::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, ErrorCode, Str};

use crate::context::{Broker, RequestContext};
use crate::dispatch::{SERVED, SERVED_BY_CONTROLLERS};

/// First version in which clients give their software's name and version.
const SOFTWARE_VERSION: i16 = 3;

/// `request` is `None` when its version is unknown. Returns the version to answer in.
pub(crate) fn handle(
    broker: &Arc<Broker>,
    ctx: &RequestContext,
    request: Option<ApiVersionsRequest>,
) -> (i16, ApiVersionsResponse) {
    let Some(request) = request else {
        let api_keys = vec![range(ApiKey::ApiVersions)];
        let error_code = ErrorCode::UNSUPPORTED_VERSION.0;
        return (0, ApiVersionsResponse { error_code, api_keys, ..Default::default() });
    };
    let version = ctx.api_version;
    let named = is_software_name(&request.client_software_name)
        && is_software_name(&request.client_software_version);
    if version >= SOFTWARE_VERSION && !named {
        let error_code = ErrorCode::INVALID_REQUEST.0;
        return (version, ApiVersionsResponse { error_code, ..Default::default() });
    }
    tracing::debug!(
        peer = %ctx.peer, client_id = ctx.client_id.as_deref().unwrap_or_default(),
        software = %request.client_software_name, version = %request.client_software_version,
        "a client asks for the versions"
    );
    let image = broker.image();
    let features = image.features().iter().map(|(name, level)| FinalizedFeatureKey {
        name: Str::copy(name),
        max_version_level: *level,
        min_version_level: *level,
    });
    let supported = quorum::features::SUPPORTED.iter().map(|feature| SupportedFeatureKey {
        name: Str::from(feature.name),
        min_version: feature.min,
        max_version: feature.max,
    });
    let served = if broker.roles.broker { SERVED } else { SERVED_BY_CONTROLLERS };
    let response = ApiVersionsResponse {
        supported_features: supported.collect(),
        api_keys: served.iter().map(|key| range(*key)).collect(),
        finalized_features: features.collect(),
        finalized_features_epoch: i64::try_from(image.offset()).unwrap_or(i64::MAX),
        ..Default::default()
    };
    (version, response)
}

fn range(key: ApiKey) -> ApiVersion {
    let versions = key.versions();
    let max_version = *versions.end() - i16::from(key.latest_unstable());
    // librdkafka before 2.6 compresses only if Produce version 0 is listed (KAFKA-18659); it is refused
    // all the same, as in Kafka.
    let min_version = if key == ApiKey::Produce { 0 } else { *versions.start() };
    ApiVersion { api_key: key.into(), min_version, max_version }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`, Kafka's rule.
fn is_software_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_follow_kafkas_rule() {
        for good in ["a", "apache-kafka-java", "4.3.1", "librdkafka"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "ž", "."] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }

    #[test]
    fn produce_is_advertised_from_version_0() {
        let produce = range(ApiKey::Produce);
        assert_eq!((produce.min_version, produce.max_version), (0, 13));
        assert_eq!(range(ApiKey::Fetch).min_version, 4);
    }
}
