use std::collections::BTreeMap;

use quorum::MetadataImage;
use quorum::image::TopicImage;
use quorum::record::ConfigResource;

use super::def::ConfigDef;
use super::properties::{self, PropertiesError};
use super::synonyms;
use super::table::{broker_config, topic_config};

/// What holds for this broker and its topics.
#[derive(Debug, Clone)]
pub(crate) struct Configs {
    node_id: i32,
    /// The broker's properties, and what it was told by other means (folder, listeners).
    statics: BTreeMap<String, String>,
}

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum Source {
    /// Set on the topic.
    Topic = 1,
    /// Set on this broker while running.
    DynamicBroker = 2,
    /// Set for all brokers while running.
    DynamicDefaultBroker = 3,
    /// In the broker's properties.
    StaticBroker = 4,
    /// Nothing is set.
    Default = 5,
}

/// One layer's word about a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The key under which it is set (a topic config may come from a broker config).
    pub(crate) name: &'static str,
    /// The value, in that key's unit.
    pub(crate) value: Option<String>,
    /// The layer.
    pub(crate) source: Source,
}

impl Configs {
    /// The configs of a broker with these properties.
    ///
    /// # Errors
    /// Unknown keys and values that are not allowed.
    pub(crate) fn new(
        node_id: i32,
        properties: &BTreeMap<String, String>,
    ) -> Result<Self, PropertiesError> {
        properties::check(properties)?;
        properties::warn_without_effect(properties);
        Ok(Self { node_id, statics: properties.clone() })
    }

    /// Notes what the broker was told by other means than its properties, for DescribeConfigs.
    pub(crate) fn told(&mut self, key: &str, value: String) {
        debug_assert!(broker_config(key).is_some(), "{key}");
        self.statics.insert(key.to_owned(), value);
    }

    /// Whether the broker's properties (or the command line) say anything about a key.
    pub(crate) fn is_static(&self, key: &str) -> bool {
        self.statics.contains_key(key)
    }

    /// A topic config's value, in the topic config's unit.
    pub(crate) fn topic(&self, image: &MetadataImage, topic: &TopicImage, key: &str) -> String {
        if let Some(value) = topic.configs.get(key) {
            return value.clone();
        }
        self.topic_default(image, key)
    }

    /// What holds for topics that do not set a config.
    pub(crate) fn topic_default(&self, image: &MetadataImage, key: &str) -> String {
        let behind = synonyms::of_topic(key);
        for layer in Layer::ALL {
            for (name, unit) in behind {
                if let Some(value) = self.layer(image, layer, name) {
                    return unit.convert(value);
                }
            }
        }
        topic_config(key).and_then(|def| def.default).unwrap_or_default().to_owned()
    }

    /// A topic config of an integer type.
    pub(crate) fn topic_long(&self, image: &MetadataImage, topic: &TopicImage, key: &str) -> i64 {
        integer(key, &self.topic(image, topic, key))
    }

    /// A broker config's value; `None` when nothing is set and there is no default.
    pub(crate) fn broker(&self, image: &MetadataImage, key: &str) -> Option<String> {
        let set = Layer::ALL.into_iter().find_map(|layer| self.layer(image, layer, key));
        set.or_else(|| broker_config(key).and_then(|def| def.default)).map(str::to_owned)
    }

    /// A broker config of type BOOLEAN.
    pub(crate) fn broker_bool(&self, image: &MetadataImage, key: &str) -> bool {
        self.broker(image, key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// A broker config of an integer type that cannot change while running.
    pub(crate) fn static_long(&self, key: &str) -> i64 {
        let default = broker_config(key).and_then(|def| def.default);
        integer(key, self.statics.get(key).map(String::as_str).or(default).unwrap_or("0"))
    }

    /// A broker config of type STRING or LIST that cannot change while running; empty when nothing is set.
    pub(crate) fn static_text(&self, key: &str) -> String {
        let default = broker_config(key).and_then(|def| def.default);
        self.statics.get(key).map(String::as_str).or(default).unwrap_or_default().to_owned()
    }

    /// A broker config of type BOOLEAN that cannot change while running.
    pub(crate) fn static_bool(&self, key: &str) -> bool {
        let default = broker_config(key).and_then(|def| def.default);
        let value = self.statics.get(key).map(String::as_str).or(default);
        value.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// What each layer says about a topic config, the one that holds first; never empty.
    pub(crate) fn explain_topic(
        &self,
        image: &MetadataImage,
        topic: &TopicImage,
        def: &'static ConfigDef,
    ) -> (Option<String>, Vec<Entry>) {
        let mut entries = Vec::new();
        if let Some(value) = topic.configs.get(def.name) {
            let value = Some(value.clone());
            entries.push(Entry { name: def.name, value, source: Source::Topic });
        }
        let behind = synonyms::of_topic(def.name);
        self.explain(image, behind.iter().map(|(name, _)| *name), &mut entries);
        if entries.is_empty() {
            let value = def.default.map(str::to_owned);
            entries.push(Entry { name: def.name, value, source: Source::Default });
        }
        (Some(self.topic(image, topic, def.name)).filter(|_| def.default.is_some()), entries)
    }

    /// What each layer says about a broker config, the one that holds first; never empty.
    pub(crate) fn explain_broker(
        &self,
        image: &MetadataImage,
        def: &'static ConfigDef,
    ) -> (Option<String>, Vec<Entry>) {
        let mut entries = Vec::new();
        let names = std::iter::once(def.name).chain(synonyms::of_broker(def.name).iter().copied());
        self.explain(image, names, &mut entries);
        if entries.is_empty() {
            entries.push(Entry { name: def.name, value: None, source: Source::Default });
        }
        (self.broker(image, def.name), entries)
    }

    /// What is set for all brokers while running about a config.
    pub(crate) fn explain_all_brokers(
        image: &MetadataImage,
        def: &'static ConfigDef,
    ) -> Option<Entry> {
        let value = image.configs(&ConfigResource::Broker(None))?.get(def.name)?.clone();
        let source = Source::DynamicDefaultBroker;
        Some(Entry { name: def.name, value: Some(value), source })
    }

    fn explain(
        &self,
        image: &MetadataImage,
        names: impl Iterator<Item = &'static str> + Clone,
        entries: &mut Vec<Entry>,
    ) {
        for layer in Layer::ALL {
            for name in names.clone() {
                if let Some(value) = self.layer(image, layer, name) {
                    let value = Some(value.to_owned());
                    entries.push(Entry { name, value, source: layer.source() });
                }
            }
        }
        for def in names.filter_map(broker_config) {
            if let Some(default) = def.default {
                let value = Some(default.to_owned());
                entries.push(Entry { name: def.name, value, source: Source::Default });
            }
        }
    }

    fn layer<'a>(&'a self, image: &'a MetadataImage, layer: Layer, key: &str) -> Option<&'a str> {
        let map = match layer {
            Layer::Broker => image.configs(&ConfigResource::Broker(Some(self.node_id)))?,
            Layer::AllBrokers => image.configs(&ConfigResource::Broker(None))?,
            Layer::Statics => &self.statics,
        };
        map.get(key).map(String::as_str)
    }
}

/// Where broker configs are set.
#[derive(Debug, Clone, Copy)]
enum Layer {
    Broker,
    AllBrokers,
    Statics,
}

impl Layer {
    const ALL: [Layer; 3] = [Layer::Broker, Layer::AllBrokers, Layer::Statics];

    fn source(self) -> Source {
        match self {
            Layer::Broker => Source::DynamicBroker,
            Layer::AllBrokers => Source::DynamicDefaultBroker,
            Layer::Statics => Source::StaticBroker,
        }
    }
}

/// Values were checked when they were set, so this does not fail but for a key of another type.
fn integer(key: &str, value: &str) -> i64 {
    value.trim().parse().unwrap_or_else(|_| {
        debug_assert!(false, "{key}={value} is no integer");
        0
    })
}
