//! DescribeConfigs: every config with its value, where it comes from, and what would hold without it.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use protocol::{ErrorCode, Str};
use quorum::MetadataImage;
use quorum::record::ConfigResource;

use super::resource;
use crate::config::{
    ConfigDef, Configs, Entry, Kind, Source, Update, broker_configs, topic_configs,
};
use crate::context::{Broker, RequestContext};

pub(crate) async fn handle(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: DescribeConfigsRequest,
    _version: i16,
) -> DescribeConfigsResponse {
    let image = broker.image();
    let (synonyms, docs) = (request.include_synonyms, request.include_documentation);
    let results = request
        .resources
        .iter()
        .map(|asked| {
            let (error, configs) = match describe(broker, &image, asked) {
                Ok(found) => (None, found),
                Err(error) => (Some(error), Vec::new()),
            };
            let (code, message) = error.unwrap_or((ErrorCode::NONE, String::new()));
            DescribeConfigsResult {
                error_code: code.into(),
                error_message: Some(Str::from(message)).filter(|text| !text.is_empty()),
                resource_type: asked.resource_type,
                resource_name: asked.resource_name.clone(),
                configs: configs.into_iter().map(|one| one.into_result(synonyms, docs)).collect(),
            }
        })
        .collect();
    DescribeConfigsResponse { results, ..Default::default() }
}

/// One config of a resource.
struct Described {
    def: &'static ConfigDef,
    value: Option<String>,
    /// First the layer that holds.
    entries: Vec<Entry>,
}

fn describe(
    broker: &Broker,
    image: &MetadataImage,
    asked: &DescribeConfigsResource,
) -> Result<Vec<Described>, (ErrorCode, String)> {
    let keys: Option<HashSet<&str>> =
        asked.configuration_keys.as_ref().map(|keys| keys.iter().map(|key| &**key).collect());
    let wanted =
        |def: &&'static ConfigDef| keys.as_ref().is_none_or(|keys| keys.contains(def.name));
    let resource = resource::parse(asked.resource_type, &asked.resource_name)
        .map_err(|error| (ErrorCode::INVALID_REQUEST, error.to_string()))?;
    match resource {
        ConfigResource::Topic(name) => {
            let topic = image.topic(&name).ok_or_else(|| {
                let message = format!("The topic '{name}' does not exist.");
                (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
            })?;
            Ok(topic_configs()
                .filter(wanted)
                .map(|def| {
                    let (value, entries) = broker.configs.explain_topic(image, topic, def);
                    Described { def, value, entries }
                })
                .collect())
        }
        ConfigResource::Broker(Some(id)) if id == broker.config.node_id => Ok(broker_configs()
            .filter(wanted)
            .map(|def| {
                let (value, entries) = broker.configs.explain_broker(image, def);
                Described { def, value, entries }
            })
            .collect()),
        ConfigResource::Broker(Some(id)) => {
            let message =
                format!("ask broker {id} itself: this is broker {}", broker.config.node_id);
            Err((ErrorCode::INVALID_REQUEST, message))
        }
        ConfigResource::Broker(None) => Ok(broker_configs()
            .filter(wanted)
            .filter_map(|def| {
                let entry = Configs::explain_all_brokers(image, def)?;
                Some(Described { def, value: entry.value.clone(), entries: vec![entry] })
            })
            .collect()),
        ConfigResource::Group(_) => Ok(Vec::new()),
    }
}

impl Described {
    fn into_result(self, synonyms: bool, docs: bool) -> DescribeConfigsResourceResult {
        let hidden = self.def.is_sensitive();
        let shown = |value: Option<String>| value.filter(|_| !hidden).map(Str::from);
        let source = self.entries.first().map_or(Source::Default, |entry| entry.source);
        let synonyms = if synonyms { self.entries } else { Vec::new() };
        DescribeConfigsResourceResult {
            name: Str::from(self.def.name),
            value: shown(self.value),
            read_only: self.def.update == Update::ReadOnly,
            config_source: source as i8,
            is_sensitive: hidden,
            synonyms: synonyms
                .into_iter()
                .map(|entry| DescribeConfigsSynonym {
                    name: Str::from(entry.name),
                    value: shown(entry.value),
                    source: entry.source as i8,
                })
                .collect(),
            config_type: type_number(self.def.kind),
            documentation: docs.then(|| Str::from(self.def.doc)),
        }
    }
}

/// `DescribeConfigsResponse.ConfigType` of Kafka's clients.
fn type_number(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::Text => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}
