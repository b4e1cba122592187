//! Which converters a task uses: the connector's own, or the worker's.

use std::sync::Arc;

use crate::api::{Converter, DataError, HeaderConverter, Role};
use crate::config::connector::{HEADER_CONVERTER, KEY_CONVERTER, VALUE_CONVERTER};
use crate::config::{Config, ConfigProblem, WorkerSettings, with_prefix};
use crate::plugins::Plugins;

/// The converters of one task.
#[derive(Clone, Debug)]
pub struct Converters {
    pub key: Arc<dyn Converter>,
    pub value: Arc<dyn Converter>,
    pub header: Arc<dyn HeaderConverter>,
}

/// The class and the configuration behind a key such as `value.converter`.
fn named(settings: &WorkerSettings, connector: &Config, key: &str) -> (String, Config) {
    let prefix = format!("{key}.");
    match connector.get(key) {
        Some(class) => (class.trim().to_owned(), with_prefix(connector, &prefix)),
        None => {
            let class = settings.converter_class(key).to_owned();
            (class, with_prefix(&settings.properties, &prefix))
        }
    }
}

impl Converters {
    /// # Errors
    /// Every key whose converter does not exist or does not take its configuration.
    pub fn make(
        plugins: &Plugins,
        settings: &WorkerSettings,
        connector: &Config,
    ) -> Result<Converters, Vec<ConfigProblem>> {
        let mut problems = Vec::new();
        let mut note = |key: &str, error: DataError| {
            problems.push(ConfigProblem { key: key.to_owned(), message: error.to_string() });
        };
        let mut converter = |key: &str, role| {
            let (class, config) = named(settings, connector, key);
            plugins.converter(&class, role, &config).map_err(|e| note(key, e)).ok()
        };
        let key = converter(KEY_CONVERTER, Role::Key);
        let value = converter(VALUE_CONVERTER, Role::Value);
        let (class, config) = named(settings, connector, HEADER_CONVERTER);
        let header =
            plugins.header_converter(&class, &config).map_err(|e| note(HEADER_CONVERTER, e)).ok();
        match (key, value, header) {
            (Some(key), Some(value), Some(header)) => Ok(Converters { key, value, header }),
            _ => Err(problems),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Schema, SchemaAndValue, Value};

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_connector_overrides_the_worker_with_class_and_configuration() {
        let plugins = Plugins::builtin();
        let worker = config(&[
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter.schemas.enable", "false"),
        ]);
        let settings = WorkerSettings::new(worker).unwrap();
        let text = SchemaAndValue::new(Schema::string(), Value::string("a"));
        let write = |connector: &Config| {
            let converters = Converters::make(&plugins, &settings, connector).unwrap();
            converters.value.from_connect("t", &text).unwrap().unwrap()
        };
        assert_eq!(write(&Config::new()), "\"a\"");
        assert_eq!(write(&config(&[("value.converter", "String")])), "a");
        // The worker's configuration belongs to the worker's converter alone.
        let own = write(&config(&[("value.converter", "JsonConverter")]));
        assert!(own.starts_with(b"{\"schema\""));
    }

    #[test]
    fn every_wrong_converter_is_named() {
        let settings = WorkerSettings::new(Config::new()).unwrap();
        let connector = config(&[
            ("key.converter", "Avro"),
            ("value.converter", "Json"),
            ("value.converter.decimal.format", "ROMAN"),
        ]);
        let problems = Converters::make(&Plugins::builtin(), &settings, &connector).unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["key.converter", "value.converter"]);
    }
}
