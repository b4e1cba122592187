//! Step three, pure: the one next change that brings the topic nearer to the spec, or why there is none.

use std::collections::BTreeMap;

use crds::{Reason, TopicSpec};

use crate::kafka::{KeyChange, LiveTopic};
use crate::verdict::Verdict;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The topic is as the spec asks.
    Nothing,
    /// One order to Kafka.
    Change(Change),
    /// It cannot be done.
    Refused(Verdict),
}

/// One order to Kafka.
#[derive(Debug)]
pub(crate) enum Change {
    Create { partitions: i32, replicas: Option<i32>, configs: BTreeMap<String, String> },
    Grow { from: i32, to: i32 },
    Configure(Vec<(String, KeyChange)>),
}

impl Change {
    /// For the status.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Create { partitions, .. } => {
                format!("creating the topic with {partitions} partitions")
            }
            Self::Grow { from, to } => format!("growing from {from} to {to} partitions"),
            Self::Configure(changes) => {
                let keys: Vec<_> = changes.iter().map(|(key, _)| key.as_str()).collect();
                format!("setting {}", keys.join(", "))
            }
        }
    }
}

pub(crate) fn plan(spec: &TopicSpec, live: Option<&LiveTopic>) -> Plan {
    let Some(live) = live else {
        let configs = spec.config.clone();
        return Plan::Change(Change::Create {
            partitions: spec.partitions,
            replicas: spec.replicas,
            configs,
        });
    };
    if live.partitions > spec.partitions {
        let text = format!(
            "the topic has {} partitions and spec.partitions is {}: Kafka cannot remove partitions; write {} or make a new topic",
            live.partitions, spec.partitions, live.partitions
        );
        return Plan::Refused(Verdict::stalled(Reason::PartitionsReduced, text));
    }
    if let Some(replicas) = spec.replicas.filter(|r| *r != live.replicas) {
        let text = format!(
            "the topic has {} replicas and spec.replicas is {replicas}: changing it is not supported yet; write {}",
            live.replicas, live.replicas
        );
        return Plan::Refused(Verdict::stalled(Reason::ReplicationFactorDiffers, text));
    }
    if live.partitions < spec.partitions {
        return Plan::Change(Change::Grow { from: live.partitions, to: spec.partitions });
    }
    let changes = config_changes(&spec.config, &live.overrides);
    if changes.is_empty() { Plan::Nothing } else { Plan::Change(Change::Configure(changes)) }
}

/// Keys to set, and keys to take back that somebody else set or that the spec had before.
fn config_changes(
    wanted: &BTreeMap<String, String>,
    live: &BTreeMap<String, String>,
) -> Vec<(String, KeyChange)> {
    let set = wanted.iter().filter(|(key, value)| live.get(*key) != Some(*value));
    let set = set.map(|(key, value)| (key.clone(), KeyChange::Set(value.clone())));
    let gone = live.keys().filter(|key| !wanted.contains_key(*key));
    set.chain(gone.map(|key| (key.clone(), KeyChange::Clear))).collect()
}

/// What to say of a topic that is as the spec asks.
pub(crate) fn ready(live: &LiveTopic) -> Verdict {
    if live.leaderless > 0 {
        let text = format!("{} of {} partitions have no leader", live.leaderless, live.partitions);
        return Verdict::working(Reason::EndpointNotReady, text);
    }
    Verdict::ready("as the spec asks")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: serde_json::Value) -> TopicSpec {
        let mut json = json;
        json["clusterRef"] = serde_json::json!({"name": "demo"});
        serde_json::from_value(json).unwrap()
    }

    fn live(partitions: i32, overrides: &[(&str, &str)]) -> LiveTopic {
        let overrides = overrides.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        LiveTopic { id: "x".into(), partitions, replicas: 1, leaderless: 0, overrides }
    }

    fn say(spec: &TopicSpec, live: Option<&LiveTopic>) -> String {
        match plan(spec, live) {
            Plan::Nothing => "nothing".to_owned(),
            Plan::Change(change) => change.describe(),
            Plan::Refused(verdict) => verdict.reason().as_str().to_owned(),
        }
    }

    #[test]
    fn a_topic_is_created_grown_and_configured_in_turn() {
        let spec = spec(serde_json::json!({"partitions": 3, "config": {"retention.ms": 1000}}));
        assert_eq!(say(&spec, None), "creating the topic with 3 partitions");
        assert_eq!(say(&spec, Some(&live(1, &[]))), "growing from 1 to 3 partitions");
        assert_eq!(say(&spec, Some(&live(3, &[]))), "setting retention.ms");
        assert_eq!(say(&spec, Some(&live(3, &[("retention.ms", "1000")]))), "nothing");
    }

    #[test]
    fn drift_is_put_right() {
        let spec = spec(serde_json::json!({"config": {"retention.ms": 1000}}));
        let live = live(1, &[("retention.ms", "5"), ("cleanup.policy", "compact")]);
        let Plan::Change(Change::Configure(changes)) = plan(&spec, Some(&live)) else {
            panic!("no change")
        };
        assert_eq!(changes.len(), 2);
        assert!(
            matches!(&changes[0], (key, KeyChange::Set(value)) if key == "retention.ms" && value == "1000")
        );
        assert!(matches!(&changes[1], (key, KeyChange::Clear) if key == "cleanup.policy"));
    }

    #[test]
    fn what_kafka_cannot_do_is_refused() {
        let spec = spec(serde_json::json!({"partitions": 2, "replicas": 3}));
        assert_eq!(say(&spec, Some(&live(5, &[]))), "PartitionsReduced");
        assert_eq!(say(&spec, Some(&live(2, &[]))), "ReplicationFactorDiffers");
    }

    #[test]
    fn a_partition_without_leader_is_not_ready() {
        let mut topic = live(2, &[]);
        assert!(matches!(ready(&topic), Verdict::Ready(..)));
        topic.leaderless = 1;
        assert_eq!(ready(&topic).reason(), Reason::EndpointNotReady);
    }
}
