//! The names and sizes of a Connect worker's own topics, out of Kafka Connect's worker properties.

use connect::WorkerConfig;

/// Moves what `properties` say about the worker's topics to where the worker looks for it.
///
/// # Errors
/// A sentence about a number that is none.
pub(crate) fn take(config: &mut WorkerConfig) -> Result<(), String> {
    let properties = &config.properties;
    let text = |key: &str| properties.get(key).cloned();
    if let Some(topic) = text("config.storage.topic") {
        config.config_topic = topic;
    }
    if let Some(topic) = text("offset.storage.topic") {
        config.offset_topic = topic;
    }
    if let Some(topic) = text("status.storage.topic") {
        config.status_topic = topic;
    }
    if let Some(group) = text("group.id") {
        config.group_id = group;
    }
    if let Some(count) = number(config, "offset.storage.partitions")? {
        config.offset_partitions = count;
    }
    if let Some(count) = number(config, "status.storage.partitions")? {
        config.status_partitions = count;
    }
    // One factor serves all three topics; Kafka's three keys are nearly always the same.
    for kind in ["config", "offset", "status"] {
        if let Some(factor) = number(config, &format!("{kind}.storage.replication.factor"))? {
            config.replication_factor = factor;
        }
    }
    Ok(())
}

fn number<N: std::str::FromStr>(config: &WorkerConfig, key: &str) -> Result<Option<N>, String> {
    let wrong = |text: &String| format!("'{key}' must be a whole number, it is '{text}'");
    let found = config.properties.get(key);
    found.map(|text| text.trim().parse().map_err(|_| wrong(text))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(properties: &[(&str, &str)]) -> WorkerConfig {
        let mut config = WorkerConfig::local("127.0.0.1:1", ".");
        let pairs = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        config.properties = pairs.collect();
        config
    }

    #[test]
    fn kafkas_keys_name_the_topics() {
        let mut config = worker(&[
            ("offset.storage.topic", "connect-demo-offsets"),
            ("offset.storage.partitions", "3"),
            ("status.storage.replication.factor", "1"),
        ]);
        assert_eq!(take(&mut config), Ok(()));
        assert_eq!(config.offset_topic, "connect-demo-offsets");
        assert_eq!((config.offset_partitions, config.replication_factor), (3, 1));
        assert_eq!(config.config_topic, "connect-configs", "what is not said stays");
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        let mut config = worker(&[("offset.storage.partitions", "many")]);
        let expected = "'offset.storage.partitions' must be a whole number, it is 'many'";
        assert_eq!(take(&mut config), Err(expected.to_owned()));
    }
}
