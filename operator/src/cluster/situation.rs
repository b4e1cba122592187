//! What is there, as the plan of rolls and scaling needs it. Pure.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::build;
use super::dereference::Live;
use super::names;
use super::plan::{Seen, Situation};
use super::validate::{Wanted, broker_id};
use crate::api;
use crate::eviction;
use crate::labels::BROKER_ID;
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
    }
}

/// Which broker a pod is.
fn pod_id(pod: &Pod) -> Option<i32> {
    pod.metadata.labels.as_ref()?.get(BROKER_ID)?.parse().ok()
}
