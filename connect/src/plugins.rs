//! The plugins that a worker knows, by Kafka's class names and by their short names.
//!
//! A plugin answers to its full class name (`org.apache.kafka.connect.file.FileStreamSourceConnector`), to the last part
//! of it (`FileStreamSourceConnector`) and to that without its kind (`FileStreamSource`), as in Kafka.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::{
    Connector, Converter, ConverterPlugin, DataError, HeaderConverter, Role, SinkConnector,
    SourceConnector,
};
use crate::config::{Config, ConfigDef};
use crate::connectors::file::{FileStreamSinkConnector, FileStreamSourceConnector};
use crate::converters::bytes::ByteArrayConverter;
use crate::converters::string::StringConverter;
use crate::converters::{
    ByteArrayPlugin, FixedPlugin, JsonPlugin, SimpleHeaderConverter, StringPlugin,
};

/// What REST lists as the version of every plugin that comes with the worker.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PluginKind {
    Source,
    Sink,
    Converter,
    HeaderConverter,
}

impl PluginKind {
    /// The name in `/connector-plugins`.
    pub fn name(self) -> &'static str {
        match self {
            PluginKind::Source => "source",
            PluginKind::Sink => "sink",
            PluginKind::Converter => "converter",
            PluginKind::HeaderConverter => "header_converter",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            PluginKind::Source | PluginKind::Sink => "Connector",
            PluginKind::Converter => "Converter",
            PluginKind::HeaderConverter => "HeaderConverter",
        }
    }
}

/// One plugin in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginInfo {
    pub class: &'static str,
    pub kind: PluginKind,
}

/// A connector that was just made.
pub enum AnyConnector {
    Source(Box<dyn SourceConnector>),
    Sink(Box<dyn SinkConnector>),
}

impl std::fmt::Debug for AnyConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind().name())
    }
}

impl AnyConnector {
    pub fn kind(&self) -> PluginKind {
        match self {
            AnyConnector::Source(_) => PluginKind::Source,
            AnyConnector::Sink(_) => PluginKind::Sink,
        }
    }

    pub fn connector(&self) -> &dyn Connector {
        match self {
            AnyConnector::Source(source) => source.as_ref(),
            AnyConnector::Sink(sink) => sink.as_ref(),
        }
    }

    pub fn connector_mut(&mut self) -> &mut dyn Connector {
        match self {
            AnyConnector::Source(source) => source.as_mut(),
            AnyConnector::Sink(sink) => sink.as_mut(),
        }
    }
}

type Make = fn() -> AnyConnector;

/// The plugins of a worker. Further connectors are added where a worker is assembled.
#[derive(Clone)]
pub struct Plugins {
    connectors: BTreeMap<&'static str, Make>,
    converters: BTreeMap<&'static str, Arc<dyn ConverterPlugin>>,
}

impl std::fmt::Debug for Plugins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.connectors.keys().chain(self.converters.keys())).finish()
    }
}

/// The only header converter that is no converter as well.
const SIMPLE_HEADER_CONVERTER: &str = "org.apache.kafka.connect.storage.SimpleHeaderConverter";
const STRING_CONVERTER: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON_CONVERTER: &str = "org.apache.kafka.connect.json.JsonConverter";
const BYTE_ARRAY_CONVERTER: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";
const HEADER_CONVERTERS: [&str; 4] =
    [SIMPLE_HEADER_CONVERTER, STRING_CONVERTER, JSON_CONVERTER, BYTE_ARRAY_CONVERTER];

impl Plugins {
    /// Everything that comes with the worker.
    pub fn builtin() -> Plugins {
        let mut plugins = Plugins { connectors: BTreeMap::new(), converters: BTreeMap::new() };
        plugins.add_connector("org.apache.kafka.connect.file.FileStreamSourceConnector", || {
            AnyConnector::Source(Box::new(FileStreamSourceConnector))
        });
        plugins.add_connector("org.apache.kafka.connect.file.FileStreamSinkConnector", || {
            AnyConnector::Sink(Box::new(FileStreamSinkConnector))
        });
        plugins.add_converter(STRING_CONVERTER, Arc::new(StringPlugin));
        plugins.add_converter(JSON_CONVERTER, Arc::new(JsonPlugin));
        plugins.add_converter(BYTE_ARRAY_CONVERTER, Arc::new(ByteArrayPlugin));
        let fixed = |name, plugin| (name, Arc::new(plugin) as Arc<dyn ConverterPlugin>);
        for (class, plugin) in [
            fixed("org.apache.kafka.connect.converters.BooleanConverter", FixedPlugin::BOOLEAN),
            fixed("org.apache.kafka.connect.converters.DoubleConverter", FixedPlugin::DOUBLE),
            fixed("org.apache.kafka.connect.converters.FloatConverter", FixedPlugin::FLOAT),
            fixed("org.apache.kafka.connect.converters.IntegerConverter", FixedPlugin::INTEGER),
            fixed("org.apache.kafka.connect.converters.LongConverter", FixedPlugin::LONG),
            fixed("org.apache.kafka.connect.converters.ShortConverter", FixedPlugin::SHORT),
        ] {
            plugins.add_converter(class, plugin);
        }
        plugins
    }

    pub fn add_connector(&mut self, class: &'static str, make: Make) {
        self.connectors.insert(class, make);
    }

    pub fn add_converter(&mut self, class: &'static str, plugin: Arc<dyn ConverterPlugin>) {
        self.converters.insert(class, plugin);
    }

    /// All plugins, connectors first, in the order of their class names.
    pub fn list(&self) -> Vec<PluginInfo> {
        let connectors =
            self.connectors.iter().map(|(class, make)| PluginInfo { class, kind: make().kind() });
        let converters =
            self.converters.keys().map(|class| PluginInfo { class, kind: PluginKind::Converter });
        let headers = HEADER_CONVERTERS
            .iter()
            .map(|class| PluginInfo { class, kind: PluginKind::HeaderConverter });
        connectors.chain(converters).chain(headers).collect()
    }

    /// A new connector and its full class name.
    pub fn connector(&self, name: &str) -> Option<(&'static str, AnyConnector)> {
        self.connectors.iter().find_map(|(class, make)| {
            let connector = make();
            answers_to(class, connector.kind(), name).then_some((*class, connector))
        })
    }

    fn converter_plugin(&self, name: &str) -> Option<&Arc<dyn ConverterPlugin>> {
        self.converters
            .iter()
            .find(|(class, _)| answers_to(class, PluginKind::Converter, name))
            .map(|(_, plugin)| plugin)
    }

    /// A converter for keys or values; `config` has the prefix taken off.
    ///
    /// # Errors
    /// When there is none of that name, or its configuration does not work.
    pub fn converter(
        &self,
        name: &str,
        role: Role,
        config: &Config,
    ) -> Result<Arc<dyn Converter>, DataError> {
        let plugin = self.converter_plugin(name).ok_or_else(|| not_found(name))?;
        let (_, problems) = plugin.config_def().parse(config);
        if let Some(problem) = problems.into_iter().next() {
            return Err(DataError::new(problem.message));
        }
        Ok(Arc::from(plugin.make(role, config)?))
    }

    /// A header converter.
    ///
    /// # Errors
    /// When there is none of that name, or its configuration does not work.
    pub fn header_converter(
        &self,
        name: &str,
        config: &Config,
    ) -> Result<Arc<dyn HeaderConverter>, DataError> {
        let class = HEADER_CONVERTERS.into_iter().find(|class| {
            answers_to(class, PluginKind::Converter, name)
                || answers_to(class, PluginKind::HeaderConverter, name)
        });
        Ok(match class {
            Some(SIMPLE_HEADER_CONVERTER) => Arc::new(SimpleHeaderConverter),
            Some(STRING_CONVERTER) => Arc::new(StringConverter),
            Some(JSON_CONVERTER) => Arc::new(JsonPlugin::converter(config)?),
            Some(BYTE_ARRAY_CONVERTER) => Arc::new(ByteArrayConverter),
            _ => return Err(not_found(name)),
        })
    }

    /// The configuration keys of any plugin, without those that every connector has.
    pub fn config_def(&self, name: &str) -> Option<ConfigDef> {
        if let Some((_, connector)) = self.connector(name) {
            return Some(connector.connector().config_def());
        }
        if let Some(plugin) = self.converter_plugin(name) {
            return Some(plugin.config_def());
        }
        answers_to(SIMPLE_HEADER_CONVERTER, PluginKind::HeaderConverter, name).then(ConfigDef::new)
    }
}

fn not_found(name: &str) -> DataError {
    DataError::new(format!("Class {name} could not be found."))
}

fn answers_to(class: &str, kind: PluginKind, name: &str) -> bool {
    let simple = class.rsplit('.').next().unwrap_or(class);
    name == class || name == simple || simple.strip_suffix(kind.suffix()) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_answer_to_three_names() {
        let plugins = Plugins::builtin();
        let class = "org.apache.kafka.connect.file.FileStreamSourceConnector";
        for name in [class, "FileStreamSourceConnector", "FileStreamSource"] {
            let (found, connector) = plugins.connector(name).unwrap();
            assert_eq!((found, connector.kind()), (class, PluginKind::Source));
        }
        for name in ["FileStream", "", "org.apache.kafka.connect.file.FileStreamSource"] {
            assert!(plugins.connector(name).is_none(), "{name}");
        }
    }

    #[test]
    fn every_listed_plugin_can_be_made_and_described() {
        let plugins = Plugins::builtin();
        let none = Config::new();
        for info in plugins.list() {
            match info.kind {
                PluginKind::Source | PluginKind::Sink => {
                    assert!(plugins.connector(info.class).is_some());
                }
                PluginKind::Converter => {
                    assert!(plugins.converter(info.class, Role::Key, &none).is_ok());
                }
                PluginKind::HeaderConverter => {
                    assert!(plugins.header_converter(info.class, &none).is_ok());
                }
            }
            assert!(plugins.config_def(info.class).is_some(), "{}", info.class);
        }
    }

    #[test]
    fn a_converter_with_a_wrong_configuration_is_refused() {
        let config = Config::from([("schemas.enable".to_owned(), "maybe".to_owned())]);
        let error = Plugins::builtin().converter("Json", Role::Value, &config).unwrap_err();
        assert!(error.to_string().contains("schemas.enable"), "{error}");
        let error = Plugins::builtin().converter("Avro", Role::Value, &config).unwrap_err();
        assert_eq!(error.to_string(), "Class Avro could not be found.");
    }
}
