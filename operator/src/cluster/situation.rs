//! What is there, as the plan of rolls and scaling needs it. Pure.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::build;
use super::dereference::Live;
use super::names;
use super::plan::{Request, Seen, Situation, Volume};
use super::validate::{Wanted, broker_id};
use crate::api;
use crate::eviction;
use crate::labels::{BROKER_ID, REPLACE_VOLUME, ZONE};
use crate::workload::{is_unheard, pod_state, running_since, set_state};

/// How long a broker that is not ready may be busy with its log before it counts as stuck. A changed spec then
/// restarts it, which costs a recovery that begins again.
const RECOVERY_LIMIT: SignedDuration = SignedDuration::from_mins(10);

pub(crate) fn situation(wanted: &Wanted, live: &Live, now: Timestamp) -> Situation {
    let mut brokers = Vec::new();
    let mut lingering: Vec<i32> = live.pods.iter().filter_map(pod_id).collect();
    for set in &live.sets {
        let Some(id) = broker_id(set) else { continue };
        lingering.push(id);
        if api::is_deleted(set) {
            continue;
        }
        let pod = live.pod(&names::pod(&wanted.name, id));
        let broker = wanted.brokers.iter().find(|b| b.id == id);
        brokers.push(Seen {
            id,
            // One that goes is not asked to change any more.
            current: broker.is_none_or(|b| build::is_current(wanted, b, set)),
            settled: set_state(set).settled,
            starting: pod
                .and_then(running_since)
                .is_some_and(|since| now.duration_since(since) < RECOVERY_LIMIT),
            evicted: pod.is_some_and(|pod| eviction::going(pod, now)),
            runs: pod.and_then(running_since).is_some(),
            unheard: pod.is_some_and(is_unheard),
            pod: pod.map(pod_state),
            holds: pod.is_some_and(holds),
            zone: pod.and_then(zone),
            volume: live.claim(&names::volume(&wanted.name, id)).map(volume),
        });
    }
    brokers.sort_by_key(|b| b.id);
    // A pod whose StatefulSet is there is that broker's, and does not stand in its way.
    lingering.retain(|id| !brokers.iter().any(|b| b.id == *id));
    Situation {
        name: wanted.name.clone(),
        wanted: wanted.ids(),
        brokers,
        lingering,
        scaling: live.status.scaling.clone().unwrap_or_default(),
        first_voters: wanted.identity().map_or(1, |identity| identity.voters.len()),
        delete_volumes: wanted.delete_volumes,
        replace_lost: wanted.replace_lost,
        together: wanted.together,
        bandwidth: wanted.bandwidth,
    }
}

/// Which broker a pod is.
fn pod_id(pod: &Pod) -> Option<i32> {
    pod.metadata.labels.as_ref()?.get(BROKER_ID)?.parse().ok()
}

/// The zone that a broker took for its rack when it started.
fn zone(pod: &Pod) -> Option<String> {
    pod.labels().get(ZONE).filter(|zone| !zone.is_empty()).cloned()
}

/// Whether a pod keeps its volumes from being deleted: Kubernetes asks the same
/// (<https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection>).
fn holds(pod: &Pod) -> bool {
    let node = pod.spec.as_ref().and_then(|s| s.node_name.as_ref());
    !api::is_deleted(pod) && node.is_some_and(|node| !node.is_empty())
}

fn volume(claim: &PersistentVolumeClaim) -> Volume {
    let request = claim.annotations().get(REPLACE_VOLUME);
    let phase = claim.status.as_ref().and_then(|s| s.phase.as_deref());
    Volume {
        uid: claim.uid().unwrap_or_default(),
        lost: phase == Some("Lost"),
        deleted: api::is_deleted(claim),
        request: request.and_then(|value| Request::parse(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn claim(annotation: Value, phase: &str) -> PersistentVolumeClaim {
        serde_json::from_value(json!({
            "metadata": {"name": "data-demo-1", "uid": "u1", "annotations": {"vltava.dev/replace-volume": annotation}},
            "status": {"phase": phase}}))
        .unwrap()
    }

    #[test]
    fn a_claim_is_asked_for_by_its_annotation_and_lost_by_its_phase() {
        let asked = volume(&claim(json!("true"), "Bound"));
        assert_eq!((asked.uid.as_str(), asked.lost, asked.deleted), ("u1", false, false));
        assert_eq!(asked.request, Some(Request::Safely));
        assert_eq!(volume(&claim(json!("force"), "Lost")).request, Some(Request::Anyway));
        let lost = volume(&claim(json!("yes"), "Lost"));
        assert_eq!((lost.lost, lost.request), (true, None), "another word is no request");
        assert!(!volume(&claim(json!("false"), "Pending")).lost);
    }

    #[test]
    fn a_pod_holds_its_volume_from_its_node_on_until_it_is_deleted() {
        let pod = |metadata: Value, spec: Value| -> Pod {
            serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
        };
        assert!(holds(&pod(json!({}), json!({"containers": [], "nodeName": "n"}))));
        assert!(!holds(&pod(json!({}), json!({"containers": []}))));
        let gone = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        assert!(!holds(&pod(gone, json!({"containers": [], "nodeName": "n"}))));
    }

    #[test]
    fn an_empty_zone_is_none() {
        let pod = |value: &str| -> Pod {
            let labels = json!({"topology.kubernetes.io/zone": value});
            serde_json::from_value(json!({"metadata": {"labels": labels}})).unwrap()
        };
        assert_eq!(zone(&pod("a")).as_deref(), Some("a"));
        assert_eq!(zone(&pod("")), None);
        assert_eq!(zone(&Pod::default()), None);
    }
}
