//! Topics: created, grown, configured; never shrunk, and kept when their object goes unless it said otherwise.

use std::collections::BTreeMap;

use crds::TopicSpec;

use crate::up::action::{Action, Step};
use crate::up::actual::ActualTopic;
use crate::up::desired::kafka_name_of;
use crate::up::object::Declared;
use crate::up::status::{Status, count};

pub(crate) fn plan(topic: &Declared<TopicSpec>, actual: Option<&ActualTopic>) -> Step {
    let name = kafka_name_of(topic);
    let spec = &topic.spec;
    let Some(actual) = actual else {
        return Step::act(Action::CreateTopic {
            topic: name.to_owned(),
            partitions: spec.partitions,
            config: spec.config.clone(),
        });
    };
    if actual.partitions > spec.partitions {
        let message = format!(
            "topic '{name}' has {} and Kafka cannot remove any; write partitions: {} or make another topic",
            count(u64::from(actual.partitions.unsigned_abs()), "partition"),
            actual.partitions,
        );
        return Step::nothing(Status::stalled(topic.refuse(&["partitions"], message)));
    }
    if actual.partitions < spec.partitions {
        return Step::act(Action::AddPartitions { topic: name.to_owned(), total: spec.partitions });
    }
    let (set, reset) = difference(&spec.config, &actual.config);
    if !set.is_empty() || !reset.is_empty() {
        return Step::act(Action::ConfigureTopic { topic: name.to_owned(), set, reset });
    }
    Step::nothing(Status::ready(detail(actual, spec.replicas)))
}

/// What to set and what to take back so that the topic sets exactly `wanted`.
fn difference(
    wanted: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let set = wanted.iter().filter(|(key, value)| found.get(*key) != Some(*value));
    let reset = found.keys().filter(|key| !wanted.contains_key(*key));
    (set.map(|(key, value)| (key.clone(), value.clone())).collect(), reset.cloned().collect())
}

fn detail(actual: &ActualTopic, replicas: Option<i32>) -> String {
    let partitions = count(u64::from(actual.partitions.unsigned_abs()), "partition");
    let records = count(actual.records, "record");
    match replicas {
        Some(wanted) if wanted > actual.replicas => {
            format!(
                "{records}, {partitions}, {} of {wanted} replicas (this is one broker)",
                actual.replicas
            )
        }
        _ => format!("{records}, {partitions}"),
    }
}
