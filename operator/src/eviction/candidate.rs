//! What is there about a pod that is to be evicted. Pure.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use crate::api;
use crate::cluster;
use crate::labels::{BROKER_ID, EVICTING};
use crate::workload::running_since;

/// How long a granted eviction counts as under way. The pod is then being deleted, or the budget said no after us.
const GRANT: SignedDuration = SignedDuration::from_secs(30);

/// A broker's pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) cluster: String,
    pub(crate) id: i32,
    /// Whether there is anything to disturb: its container runs, and it has not been told to stop yet.
    pub(crate) runs: bool,
}

/// The broker that a pod is, if it is one.
pub(crate) fn candidate(pod: &Pod) -> Option<Candidate> {
    let labels = pod.labels();
    Some(Candidate {
        cluster: labels.get(cluster::OWNER_KEY)?.clone(),
        id: labels.get(BROKER_ID)?.parse().ok()?,
        runs: !api::is_deleted(pod) && running_since(pod).is_some(),
    })
}

/// Whether a pod's eviction was granted just now.
pub(crate) fn going(pod: &Pod, now: Timestamp) -> bool {
    let granted = pod.annotations().get(EVICTING).and_then(|at| at.parse::<Timestamp>().ok());
    granted.is_some_and(|at| now.duration_since(at) < GRANT)
}

/// Why this broker must wait for another one of its cluster that is being changed, whatever the brokers say: they
/// see it only when it has stopped.
pub(crate) fn motion(
    candidate: &Candidate,
    sets: &[StatefulSet],
    pods: &[Pod],
    now: Timestamp,
) -> Option<String> {
    let rolling = sets.iter().find(|set| {
        cluster::broker_id(set) != Some(candidate.id) && !api::is_deleted(*set) && rolls(set)
    });
    if let Some(set) = rolling {
        return Some(format!("pod {}-0 is being replaced", set.name_any()));
    }
    let other = |pod: &&Pod| candidate_id(pod) != Some(candidate.id) && going(pod, now);
    pods.iter().find(other).map(|pod| format!("pod {} is being evicted", pod.name_any()))
}

fn candidate_id(pod: &Pod) -> Option<i32> {
    pod.labels().get(BROKER_ID)?.parse().ok()
}

/// Whether a set's pod is on its way from one template to another.
fn rolls(set: &StatefulSet) -> bool {
    set.status.as_ref().is_some_and(|status| {
        status.observed_generation != set.metadata.generation
            || status.current_revision != status.update_revision
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(id: i32, annotations: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": format!("demo-{id}-0"), "annotations": annotations,
                "labels": {"vltava.dev/cluster": "demo", "vltava.dev/broker-id": id.to_string()}},
            "status": {"containerStatuses": [{"name": "broker", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]}}))
        .unwrap()
    }

    fn set(id: i32, observed: i32, update: &str) -> StatefulSet {
        serde_json::from_value(json!({
            "metadata": {"name": format!("demo-{id}"), "generation": 2, "labels": {"vltava.dev/broker-id": id.to_string()}},
            "spec": {"replicas": 1, "selector": {}, "serviceName": "s", "template": {}},
            "status": {"observedGeneration": observed, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": update}}))
        .unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_pod_is_a_broker_by_its_labels_alone() {
        let found = candidate(&pod(1, json!({}))).unwrap();
        assert_eq!((found.cluster.as_str(), found.id, found.runs), ("demo", 1, true));
        let mut other = pod(1, json!({}));
        other.metadata.labels.as_mut().unwrap().remove("vltava.dev/broker-id");
        assert_eq!(candidate(&other), None);
        let mut pending = pod(1, json!({}));
        pending.status = None;
        assert!(!candidate(&pending).unwrap().runs);
    }

    #[test]
    fn a_broker_waits_for_another_that_is_replaced_or_evicted() {
        let now = at("2026-01-01T00:00:20Z");
        let one = candidate(&pod(1, json!({}))).unwrap();
        let say = |sets: &[StatefulSet], pods: &[Pod]| motion(&one, sets, pods, now);
        assert_eq!(
            say(&[set(0, 2, "a"), set(1, 1, "b")], &[]),
            None,
            "its own roll is no obstacle"
        );
        assert_eq!(say(&[set(0, 1, "a")], &[]).unwrap(), "pod demo-0-0 is being replaced");
        assert_eq!(say(&[set(2, 2, "b")], &[]).unwrap(), "pod demo-2-0 is being replaced");
        let granted = json!({"vltava.dev/evicting": "2026-01-01T00:00:00Z"});
        assert_eq!(say(&[], &[pod(2, granted.clone())]).unwrap(), "pod demo-2-0 is being evicted");
        assert_eq!(say(&[], &[pod(1, granted.clone())]), None);
        let later = at("2026-01-01T00:00:40Z");
        assert_eq!(motion(&one, &[], &[pod(2, granted)], later), None, "the grant has run out");
    }
}
