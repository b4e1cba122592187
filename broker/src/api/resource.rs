//! Config resources as the config APIs number them.

use protocol::Str;
use quorum::record::ConfigResource;

/// `ConfigResource.Type.TOPIC`.
pub(super) const TOPIC: i8 = 2;
/// `ConfigResource.Type.BROKER`.
pub(super) const BROKER: i8 = 4;
/// `ConfigResource.Type.GROUP`.
pub(super) const GROUP: i8 = 32;

/// A resource that has no configs here, or that is named wrongly.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ResourceError {
    /// Loggers, client metrics and what is yet to be invented.
    #[error("config resources of type {0} are not served")]
    Type(i8),
    /// A broker is named by its id, all brokers by an empty name.
    #[error("a broker is named by its node id, not by '{0}'")]
    BrokerName(String),
}

/// The resource that type and name of a request mean.
pub(super) fn parse(resource_type: i8, name: &Str) -> Result<ConfigResource, ResourceError> {
    match resource_type {
        TOPIC => Ok(ConfigResource::Topic(name.to_string())),
        GROUP => Ok(ConfigResource::Group(name.to_string())),
        BROKER if name.is_empty() => Ok(ConfigResource::Broker(None)),
        BROKER => match name.parse() {
            Ok(id) => Ok(ConfigResource::Broker(Some(id))),
            Err(_) => Err(ResourceError::BrokerName(name.to_string())),
        },
        other => Err(ResourceError::Type(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_told_apart_by_type_and_name() {
        let parse = |kind, name: &'static str| parse(kind, &Str::from(name));
        assert_eq!(parse(TOPIC, "t"), Ok(ConfigResource::Topic("t".into())));
        assert_eq!(parse(BROKER, ""), Ok(ConfigResource::Broker(None)));
        assert_eq!(parse(BROKER, "3"), Ok(ConfigResource::Broker(Some(3))));
        assert_eq!(parse(BROKER, "x"), Err(ResourceError::BrokerName("x".into())));
        assert_eq!(parse(8, "kafka.server"), Err(ResourceError::Type(8)));
    }
}
