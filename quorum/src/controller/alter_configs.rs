use std::collections::{HashMap, HashSet};

use super::create_topics::check_length;
use super::{Command, ConfigError, Controller, Decision, Draft, Entropy};
use crate::image::{ConfigMap, MetadataImage};
use crate::record::{ConfigResource, MetadataRecord};

/// Changes dynamic configs of topics, brokers, groups (IncrementalAlterConfigs, AlterConfigs).
#[derive(Debug, Clone, PartialEq)]
pub struct AlterConfigs {
    /// Each is answered by itself: all of its changes are made, or none.
    pub resources: Vec<ResourceChange>,
    /// Only check.
    pub validate_only: bool,
}

/// The changes of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceChange {
    /// Whose configs.
    pub resource: ConfigResource,
    /// Key → what to do.
    pub changes: Vec<(String, ConfigOp)>,
    /// Remove every config that is not named (the old AlterConfigs).
    pub replace_all: bool,
}

/// What to do with one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigOp {
    /// Sets it.
    Set(String),
    /// Back to the default.
    Delete,
    /// Adds items to a list.
    Append(String),
    /// Takes items from a list.
    Subtract(String),
}

/// One result for each resource, in the order of the request.
pub type ConfigsAnswer = Vec<Result<(), ConfigError>>;

impl Command for AlterConfigs {
    type Answer = ConfigsAnswer;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let mut times: HashMap<&ConfigResource, usize> = HashMap::new();
        for change in &self.resources {
            *times.entry(&change.resource).or_default() += 1;
        }
        let mut draft = Draft::of(controller);
        let answer = self.resources.iter().map(|change| {
            if times.get(&change.resource).is_some_and(|&n| n > 1) {
                return Err(ConfigError::Request(
                    "Each resource must appear at most once.".to_owned(),
                ));
            }
            let records = alter(controller, &draft.image, change)?;
            draft.add(records);
            Ok(())
        });
        let answer = answer.collect();
        draft.decision(self.validate_only, answer)
    }
}

fn alter(
    controller: &Controller,
    image: &MetadataImage,
    change: &ResourceChange,
) -> Result<Vec<MetadataRecord>, ConfigError> {
    let resource = &change.resource;
    check_resource(image, resource)?;
    let old = image.configs(resource).cloned().unwrap_or_default();
    let mut new = if change.replace_all { ConfigMap::new() } else { old.clone() };
    let mut seen = HashSet::new();
    for (key, op) in &change.changes {
        if !seen.insert(key) {
            return Err(ConfigError::Request("Error due to duplicate config keys".to_owned()));
        }
        match new_value(controller, resource, key, op, old.get(key))? {
            Some(value) => {
                check_length(key, &value)?;
                controller.schema.check(resource, key, &value)?;
                new.insert(key.clone(), value);
            }
            None => {
                // A key that is set may always be removed, even one that this version no longer knows.
                if !old.contains_key(key) {
                    controller.schema.check_key(resource, key)?;
                }
                new.remove(key);
            }
        }
    }
    controller.schema.check_all(resource, &new)?;
    Ok(difference(resource, &old, &new))
}

fn check_resource(image: &MetadataImage, resource: &ConfigResource) -> Result<(), ConfigError> {
    match resource {
        ConfigResource::Topic(name) if image.topic(name).is_none() => {
            Err(ConfigError::UnknownTopic(name.clone()))
        }
        ConfigResource::Broker(Some(id)) if image.broker(*id).is_none() => {
            Err(ConfigError::UnknownBroker(*id))
        }
        ConfigResource::Group(id) if id.is_empty() => {
            Err(ConfigError::Request("Default group resources are not allowed.".to_owned()))
        }
        _ => Ok(()),
    }
}

fn new_value(
    controller: &Controller,
    resource: &ConfigResource,
    key: &str,
    op: &ConfigOp,
    old: Option<&String>,
) -> Result<Option<String>, ConfigError> {
    let list = |verb: &str| {
        let default =
            controller.schema.list_default(resource, key).ok_or_else(|| ConfigError::Invalid {
                key: key.to_owned(),
                value: verb.to_owned(),
                reason: format!("can't {verb} to a key whose type is not LIST"),
            })?;
        Ok(items(old.map_or(&*default, String::as_str)))
    };
    match op {
        ConfigOp::Set(value) => Ok(Some(value.clone())),
        ConfigOp::Delete => Ok(None),
        ConfigOp::Append(more) => {
            controller.schema.check_key(resource, key)?;
            let mut have = list("APPEND")?;
            for item in items(more) {
                if !have.contains(&item) {
                    have.push(item);
                }
            }
            Ok(Some(have.join(",")))
        }
        ConfigOp::Subtract(less) => {
            controller.schema.check_key(resource, key)?;
            let mut have = list("SUBTRACT")?;
            let less = items(less);
            have.retain(|item| !less.contains(item));
            Ok(Some(have.join(",")))
        }
    }
}

fn items(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

fn difference(resource: &ConfigResource, old: &ConfigMap, new: &ConfigMap) -> Vec<MetadataRecord> {
    let record = |key: &String, value: Option<&String>| MetadataRecord::Config {
        resource: resource.clone(),
        key: key.clone(),
        value: value.cloned(),
    };
    let removed = old.keys().filter(|&key| !new.contains_key(key)).map(|key| record(key, None));
    let set = new
        .iter()
        .filter(|&(key, value)| old.get(key) != Some(value))
        .map(|(key, value)| record(key, Some(value)));
    removed.chain(set).collect()
}
