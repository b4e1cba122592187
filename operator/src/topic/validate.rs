//! Step two, pure: whether the topic can be had at all.

use crds::{DeletionPolicy, Reason, Topic};

use super::dereference::Found;
use crate::references::{ClusterFound, cluster_ready};
use crate::verdict::Verdict;

/// Whether deleting the object must first do something in Kafka.
pub(crate) fn needs_finalizer(object: &Topic) -> bool {
    object.spec.deletion_policy == DeletionPolicy::Delete
}

pub(crate) fn validate<'a>(object: &Topic, found: &'a Found) -> Result<&'a ClusterFound, Verdict> {
    let spec = &object.spec;
    if let Some(older) = &found.older {
        let text = format!(
            "Topic {older} is older and stands for the same topic {}; delete one of the two",
            object.kafka_name()
        );
        return Err(Verdict::stalled(Reason::Conflict, text));
    }
    if !is_topic_name(object.kafka_name()) {
        let text = format!(
            "{:?} is no name of a Kafka topic: use 1 to 249 letters, digits, '.', '_' and '-'",
            object.kafka_name()
        );
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    if !(1..=crds::topic::MAX_PARTITIONS).contains(&spec.partitions) {
        let text = format!(
            "spec.partitions is {}: write 1 to {}",
            spec.partitions,
            crds::topic::MAX_PARTITIONS
        );
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    cluster_ready(object, found.cluster.as_ref(), &spec.cluster_ref.name)
}

/// Kafka's rule, `Topic.validate`.
fn is_topic_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(spec: serde_json::Value) -> Topic {
        serde_json::from_value(serde_json::json!({
            "apiVersion": crds::API_VERSION, "kind": "Topic",
            "metadata": {"name": "lines", "namespace": "n"}, "spec": spec}))
        .unwrap()
    }

    fn found(ready: bool) -> Found {
        let cluster = ClusterFound {
            address: "a:1".into(),
            ready,
            deleting: false,
            reason: "PodsNotReady".into(),
        };
        Found { cluster: Some(cluster), older: None }
    }

    fn reason(topic: &Topic, found: &Found) -> Option<Reason> {
        validate(topic, found).err().map(|v| v.reason())
    }

    #[test]
    fn a_good_topic_of_a_ready_cluster_passes() {
        assert_eq!(
            reason(&topic(serde_json::json!({"clusterRef": {"name": "demo"}})), &found(true)),
            None
        );
    }

    #[test]
    fn each_thing_in_the_way_has_its_reason() {
        let good = topic(serde_json::json!({"clusterRef": {"name": "demo"}}));
        assert_eq!(reason(&good, &found(false)), Some(Reason::ClusterNotReady));
        assert_eq!(
            reason(&good, &Found { cluster: None, older: None }),
            Some(Reason::ClusterNotFound)
        );
        assert_eq!(
            reason(&good, &Found { older: Some("x".into()), ..found(true) }),
            Some(Reason::Conflict)
        );
        let bad = topic(serde_json::json!({"clusterRef": {"name": "demo"}, "topicName": "a b"}));
        assert_eq!(reason(&bad, &found(true)), Some(Reason::InvalidSpec));
        let none = topic(serde_json::json!({"clusterRef": {"name": "demo"}, "partitions": 0}));
        assert_eq!(reason(&none, &found(true)), Some(Reason::InvalidSpec));
    }
}
