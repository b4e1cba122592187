//! Checks a connector's configuration: the keys that every connector has, the connector's own, and its converters.

use crate::api::Connector;
use crate::config::connector::{CONNECTOR_CLASS, DLQ_TOPIC, TOPICS, sink_def, source_def};
use crate::config::{Config, ConfigDef, ConfigInfos, ConfigProblem, Parsed, WorkerSettings};
use crate::plugins::{PluginKind, Plugins};
use crate::runtime::converters::Converters;
use crate::runtime::overrides;

/// All keys of a connector: those that every connector of its kind has, and its own.
pub fn full_def(kind: PluginKind, connector: &dyn Connector) -> ConfigDef {
    let base = if kind == PluginKind::Sink { sink_def() } else { source_def() };
    base.extend(connector.config_def())
}

/// The definition that belongs to a configuration, when its class is known.
pub fn def_of(plugins: &Plugins, config: &Config) -> Option<ConfigDef> {
    let (_, connector) = plugins.connector(config.get(CONNECTOR_CLASS)?)?;
    Some(full_def(connector.kind(), connector.connector()))
}

/// Checks a configuration. One without a known class has that as its only error.
pub fn validate(plugins: &Plugins, settings: &WorkerSettings, config: &Config) -> ConfigInfos {
    let class = config.get(CONNECTOR_CLASS).map(|class| class.trim()).unwrap_or_default();
    let Some((class, connector)) = plugins.connector(class) else {
        return ConfigInfos::check(class, &source_def(), config, |_| {
            vec![unknown_class(plugins, config)].into_iter().flatten().collect()
        });
    };
    let def = full_def(connector.kind(), connector.connector());
    ConfigInfos::check(class, &def, config, |parsed| {
        let mut problems = Vec::new();
        if let Err(converters) = Converters::make(plugins, settings, config) {
            problems.extend(converters);
        }
        let worker = &settings.properties;
        problems.extend(overrides::producer(worker, config).err().unwrap_or_default());
        problems.extend(overrides::consumer(worker, config).err().unwrap_or_default());
        if connector.kind() == PluginKind::Sink {
            problems.extend(check_topics(parsed));
        }
        let own = connector.connector().validate(config);
        problems.extend(own.into_iter().map(|(key, message)| ConfigProblem { key, message }));
        problems
    })
}

/// A class that is missing is told by the definition; one that is not known is told here.
fn unknown_class(plugins: &Plugins, config: &Config) -> Option<ConfigProblem> {
    let class = config.get(CONNECTOR_CLASS)?;
    let known: Vec<&str> = plugins
        .list()
        .iter()
        .filter(|plugin| matches!(plugin.kind, PluginKind::Source | PluginKind::Sink))
        .map(|plugin| plugin.class)
        .collect();
    Some(ConfigProblem {
        key: CONNECTOR_CLASS.to_owned(),
        message: format!(
            "Failed to find any class that implements Connector and which name matches {class}, available connectors \
             are: {}",
            known.join(", ")
        ),
    })
}

fn check_topics(parsed: &Parsed) -> Vec<ConfigProblem> {
    let topics = parsed.list(TOPICS);
    let mut problems = Vec::new();
    if topics.iter().any(String::is_empty) {
        problems.push(ConfigProblem {
            key: TOPICS.to_owned(),
            message: "Invalid value for configuration topics: a topic has no name".to_owned(),
        });
    }
    let dead_letters = parsed.text(DLQ_TOPIC).unwrap_or_default();
    if !dead_letters.is_empty() && topics.iter().any(|topic| topic == dead_letters) {
        problems.push(ConfigProblem {
            key: DLQ_TOPIC.to_owned(),
            message: format!(
                "The dead letter topic '{dead_letters}' may not be included in the list of topics ('topics') \
                 consumed by the connector"
            ),
        });
    }
    problems
}

/// Prefixes of keys that belong to something other than the connector itself.
const PREFIXES: [&str; 9] = [
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "transforms.",
    "predicates.",
    "topic.creation.",
    "producer.override.",
    "consumer.override.",
    "admin.override.",
];

/// The keys that nobody reads: probably misspelt. Kafka lets them pass, so this is no error of [`validate`].
pub fn unknown_keys(plugins: &Plugins, config: &Config) -> Vec<String> {
    let Some(def) = def_of(plugins, config) else { return Vec::new() };
    config
        .keys()
        .filter(|key| {
            def.key(key).is_none() && !PREFIXES.iter().any(|prefix| key.starts_with(prefix))
        })
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let config = config(pairs);
        let settings = WorkerSettings::new(Config::new()).unwrap();
        let infos = validate(&Plugins::builtin(), &settings, &config);
        let problems = infos.problems();
        assert_eq!(infos.error_count, problems.len());
        problems.into_iter().map(|problem| (problem.key, problem.message)).collect()
    }

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    const SINK: [(&str, &str); 4] = [
        ("name", "a"),
        ("connector.class", "FileStreamSink"),
        ("topics", "counts"),
        ("file", "out.txt"),
    ];

    fn sink_with(more: &[(&'static str, &'static str)]) -> Vec<(String, String)> {
        let mut pairs = SINK.to_vec();
        pairs.extend(more);
        check(&pairs)
    }

    #[test]
    fn a_good_configuration_has_no_problems() {
        assert_eq!(sink_with(&[]), []);
        assert_eq!(sink_with(&[("line.format", r"{key}\t{value}")]), []);
    }

    #[test]
    fn each_problem_names_its_key() {
        for (key, value) in [
            ("value.converter", "Avro"),
            ("tasks.max", "0"),
            ("line.format", "{word}"),
            ("errors.deadletterqueue.topic.name", "counts"),
            ("topics", "a,,b"),
            ("transforms", "cast"),
            ("file", ""),
            ("consumer.override.max.poll.records", "many"),
            ("producer.override.acks", "0"),
        ] {
            let problems = sink_with(&[(key, value)]);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].0, key);
        }
    }

    #[test]
    fn a_class_that_is_missing_or_unknown_is_told() {
        assert_eq!(check(&[("name", "a")])[0].0, "connector.class");
        let problems = check(&[("name", "a"), ("connector.class", "Jdbc")]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].1.contains("matches Jdbc"), "{}", problems[0].1);
        assert!(problems[0].1.contains("FileStreamSinkConnector"));
    }

    #[test]
    fn misspelt_keys_are_found() {
        let mut pairs = SINK.to_vec();
        pairs.extend([("flie", "a"), ("value.converter.schemas.enable", "false")]);
        assert_eq!(unknown_keys(&Plugins::builtin(), &config(&pairs)), ["flie"]);
    }
}
