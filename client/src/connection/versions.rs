//! Which versions a broker speaks (ApiVersions, KIP-35 and KIP-511).

use std::collections::HashMap;

use protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use protocol::{ApiKey, Decoder, ErrorCode, Message, Str, frame};

use super::{CallError, Connection};

/// Versions of the broker, by API key.
#[derive(Debug)]
pub(crate) struct Versions(HashMap<i16, (i16, i16)>);

impl Versions {
    /// Before anything is known: only ApiVersions may be asked.
    pub(super) fn first_contact() -> Self {
        Self(HashMap::new())
    }

    /// The highest common version, at most `max`. Versions that may still change are not used.
    pub(crate) fn highest(&self, api: ApiKey, max: i16) -> Option<i16> {
        let (first, last) = *self.0.get(&i16::from(api))?;
        let ours = api.versions();
        let stable = ours.end() - i16::from(api.latest_unstable());
        let highest = last.min(stable).min(max);
        (highest >= first && highest >= *ours.start()).then_some(highest)
    }
}

impl From<&ApiVersionsResponse> for Versions {
    fn from(response: &ApiVersionsResponse) -> Self {
        let apis = response.api_keys.iter();
        Self(apis.map(|a| (a.api_key, (a.min_version, a.max_version))).collect())
    }
}

/// Asks the broker for its versions, first in our newest version. A broker that does not know it answers in
/// version 0, with its own range (KIP-511).
pub(super) async fn agree(connection: &Connection) -> Result<Versions, CallError> {
    let newest = *ApiVersionsRequest::VERSIONS.end();
    let request = ApiVersionsRequest {
        client_software_name: Str::from_static("vltava"),
        client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
    };
    let timeout = connection.shared.config.request_timeout;
    let malformed = |error| CallError::Decode {
        address: connection.shared.address.clone(),
        api: ApiKey::ApiVersions,
        error,
    };
    let frame = connection.exchange(&request, newest, timeout).await?;
    let mut peek = Decoder::new(frame.clone());
    let code = peek.i32().and_then(|_| peek.i16()).map_err(malformed)?;
    let unsupported = ErrorCode(code) == ErrorCode::UNSUPPORTED_VERSION;
    let version = if unsupported { 0 } else { newest };
    let (_, mut response) =
        frame::decode_response::<ApiVersionsRequest>(frame, version).map_err(malformed)?;
    if unsupported {
        let range = response.api_keys.iter().find(|a| a.api_key == i16::from(ApiKey::ApiVersions));
        let theirs = range.map_or(0, |a| a.max_version).clamp(0, newest);
        response = connection.call_version(&request, theirs, timeout).await?;
    }
    if response.error_code != 0 {
        return Err(CallError::Connect {
            address: connection.shared.address.clone(),
            reason: ErrorCode(response.error_code).to_string(),
        });
    }
    Ok(Versions::from(&response))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(first: i16, last: i16) -> Versions {
        Versions(HashMap::from([(i16::from(ApiKey::Fetch), (first, last))]))
    }

    #[test]
    fn the_highest_common_version_is_used() {
        assert_eq!(broker(0, 11).highest(ApiKey::Fetch, i16::MAX), Some(11));
        assert_eq!(broker(0, 99).highest(ApiKey::Fetch, i16::MAX), Some(18));
        assert_eq!(broker(0, 99).highest(ApiKey::Fetch, 12), Some(12));
        assert_eq!(broker(0, 3).highest(ApiKey::Fetch, i16::MAX), None);
        assert_eq!(broker(19, 20).highest(ApiKey::Fetch, i16::MAX), None);
        assert_eq!(broker(0, 3).highest(ApiKey::Produce, i16::MAX), None);
    }
}
