use quorum::controller::{ConfigError, ConfigSchema};
use quorum::image::ConfigMap;
use quorum::record::ConfigResource;

use super::def::{ConfigDef, Kind, Update, list_items};
use super::nearest::nearest;
use super::table::{broker_config, broker_configs, topic_config, topic_configs};

/// The tables as the controller asks them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TableSchema;

impl ConfigSchema for TableSchema {
    fn check(&self, resource: &ConfigResource, key: &str, value: &str) -> Result<(), ConfigError> {
        let def = changeable(resource, key)?;
        def.check(value).and_then(|()| check_served(def, value)).map_err(|reason| {
            let shown = if def.is_sensitive() { "[hidden]" } else { value };
            ConfigError::Invalid { key: key.to_owned(), value: shown.to_owned(), reason }
        })
    }

    fn check_key(&self, resource: &ConfigResource, key: &str) -> Result<(), ConfigError> {
        changeable(resource, key).map(|_| ())
    }

    fn check_all(&self, resource: &ConfigResource, configs: &ConfigMap) -> Result<(), ConfigError> {
        let ConfigResource::Topic(_) = resource else { return Ok(()) };
        let long = |key: &str| configs.get(key).and_then(|value| value.trim().parse::<i64>().ok());
        match (long("min.compaction.lag.ms"), long("max.compaction.lag.ms")) {
            (Some(min), Some(max)) if min > max => Err(ConfigError::Invalid {
                key: "min.compaction.lag.ms".to_owned(),
                value: min.to_string(),
                reason: format!("it is above max.compaction.lag.ms ({max})"),
            }),
            _ => Ok(()),
        }
    }

    fn list_default(&self, resource: &ConfigResource, key: &str) -> Option<String> {
        let def = find(resource, key)?;
        (def.kind == Kind::List).then(|| def.default.unwrap_or_default().to_owned())
    }
}

fn find(resource: &ConfigResource, key: &str) -> Option<&'static ConfigDef> {
    match resource {
        ConfigResource::Topic(_) => topic_config(key),
        ConfigResource::Broker(_) => broker_config(key),
        ConfigResource::Group(_) => None,
    }
}

fn changeable(resource: &ConfigResource, key: &str) -> Result<&'static ConfigDef, ConfigError> {
    let Some(def) = find(resource, key) else {
        let (kind, near) = match resource {
            ConfigResource::Topic(_) => ("topic", nearest(key, topic_configs().map(|d| d.name))),
            ConfigResource::Broker(_) => ("broker", nearest(key, broker_configs().map(|d| d.name))),
            ConfigResource::Group(_) => ("group", None),
        };
        return Err(ConfigError::Unknown { kind, key: key.to_owned(), nearest: near });
    };
    let for_all = *resource == ConfigResource::Broker(None);
    match def.update {
        Update::ClusterWide => Ok(def),
        Update::PerBroker if !for_all => Ok(def),
        Update::PerBroker | Update::ReadOnly => Err(ConfigError::ReadOnly(def.name.to_owned())),
    }
}

/// What Kafka allows but nobody here would act on, with harm if it were silently accepted.
fn check_served(def: &ConfigDef, value: &str) -> Result<(), String> {
    match def.name {
        "remote.storage.enable" if value.trim().eq_ignore_ascii_case("true") => {
            Err("Tiered Storage functionality is disabled in the broker".to_owned())
        }
        "cleanup.policy" | "log.cleanup.policy" => {
            let items: Vec<_> = list_items(value).collect();
            let twice = items.iter().any(|a| items.iter().filter(|b| a == *b).count() > 1);
            if twice { Err("an item is named twice".to_owned()) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}
