//! What is there, as the plan of rolls and scaling needs it. Pure.

use k8s_openapi::api::core::v1::Pod;

use super::build;
use super::dereference::Live;
use super::names;
use super::plan::{Seen, Situation};
use super::validate::{Wanted, broker_id};
use crate::api;
use crate::labels::BROKER_ID;
use crate::workload::{is_running, pod_state, set_state};

pub(crate) fn situation(wanted: &Wanted, live: &Live) -> Situation {
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
            running: pod.is_some_and(is_running),
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
        delete_volumes: wanted.delete_volumes,
    }
}

/// Which broker a pod is.
fn pod_id(pod: &Pod) -> Option<i32> {
    pod.metadata.labels.as_ref()?.get(BROKER_ID)?.parse().ok()
}
