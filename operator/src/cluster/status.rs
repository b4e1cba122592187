//! After the steps: what the cluster is.

use crds::cluster::BrokerStatus;
use crds::{ClusterStatus, Reason};
use k8s_openapi::api::apps::v1::StatefulSet;

use super::dereference::Live;
use super::names;
use super::validate::Wanted;
use crate::context::Context;
use crate::kafka::KafkaFailure;
use crate::verdict::Verdict;
use crate::workload::{PodState, pod_state, set_state};

pub(crate) async fn status(
    ctx: &Context,
    wanted: &Wanted,
    live: &Live,
    applied: &[StatefulSet],
) -> (Verdict, ClusterStatus) {
    let mut status = observe(wanted, live, applied);
    if let Some(verdict) = not_ready(&status, live) {
        return (verdict, status);
    }
    let address = names::bootstrap(&wanted.name, &wanted.namespace);
    let verdict = match ctx.kafka.cluster(&address).await {
        Ok(cluster) => {
            status.cluster_id = Some(cluster.id);
            ready(&status, cluster.brokers)
        }
        Err(failure) => unreachable(&address, &failure),
    };
    (verdict, status)
}

/// What the API server says.
fn observe(wanted: &Wanted, live: &Live, applied: &[StatefulSet]) -> ClusterStatus {
    let mut status = ClusterStatus {
        bootstrap: Some(names::bootstrap(&wanted.name, &wanted.namespace)),
        selector: Some(names::labels(&wanted.name).query()),
        ..Default::default()
    };
    for broker in &wanted.brokers {
        let name = names::broker(&wanted.name, broker.id);
        let set = applied.iter().find(|s| s.metadata.name.as_deref() == Some(name.as_str()));
        let state = set.map(set_state);
        let pod_name = names::pod(&wanted.name, broker.id);
        let pod = live.pod(&pod_name).map(pod_state);
        let ready = state.is_some_and(|s| s.settled) && pod == Some(PodState::Ready);
        status.replicas += state.map_or(0, |s| s.replicas);
        status.ready_replicas += i32::from(ready);
        let waiting_for = (!ready).then(|| match pod {
            Some(PodState::Waiting(text) | PodState::Failing(text)) => text,
            Some(PodState::Ready) => "is about to be replaced".to_owned(),
            None => "is about to be created".to_owned(),
        });
        status.brokers.push(BrokerStatus { id: broker.id, ready, pod: pod_name, waiting_for });
    }
    status
}

/// The first broker that is not ready, and what it waits for.
fn not_ready(status: &ClusterStatus, live: &Live) -> Option<Verdict> {
    let broker = status.brokers.iter().find(|b| !b.ready)?;
    let (count, all) = (status.ready_replicas, status.brokers.len());
    let waits = broker.waiting_for.as_deref().unwrap_or_default();
    let text = format!("{count} of {all} brokers ready; pod {} {waits}", broker.pod);
    Some(match live.pod(&broker.pod).map(pod_state) {
        Some(PodState::Failing(_)) => Verdict::stalled(Reason::PodFailing, text),
        _ => Verdict::working(Reason::PodsNotReady, text),
    })
}

/// The brokers answer; they must all know each other too.
fn ready(status: &ClusterStatus, registered: usize) -> Verdict {
    let all = status.brokers.len();
    if registered < all {
        let text = format!("{registered} of {all} brokers have joined the cluster");
        return Verdict::working(Reason::EndpointNotReady, text);
    }
    Verdict::ready(if all == 1 {
        "1 broker serves".to_owned()
    } else {
        format!("{all} brokers serve")
    })
}

fn unreachable(address: &str, failure: &KafkaFailure) -> Verdict {
    Verdict::working(
        Reason::EndpointNotReady,
        format!("the brokers do not answer at {address}: {failure}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            name: "demo".into(),
            namespace: "shop".into(),
            owner: None,
            brokers: vec![super::super::validate::Broker { id: 0, image: "v".into() }],
            config: Default::default(),
            storage: Default::default(),
            resources: None,
        }
    }

    fn set(revision: &str) -> StatefulSet {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "demo-0", "generation": 2},
            "spec": {"replicas": 1, "selector": {}, "serviceName": "s", "template": {}},
            "status": {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": revision}}))
        .unwrap()
    }

    fn live(ready: bool) -> Live {
        let pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "demo-0-0"},
            "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}))
        .unwrap();
        Live { pods: vec![pod], ..Default::default() }
    }

    #[test]
    fn a_broker_is_ready_when_set_and_pod_are() {
        let status = observe(&wanted(), &live(true), &[set("a")]);
        assert_eq!((status.ready_replicas, status.replicas), (1, 1));
        assert_eq!(not_ready(&status, &live(true)), None);
    }

    #[test]
    fn a_pod_of_the_old_template_is_not_ready() {
        let status = observe(&wanted(), &live(true), &[set("b")]);
        let verdict = not_ready(&status, &live(true)).unwrap();
        assert_eq!(verdict.reason(), Reason::PodsNotReady);
        assert_eq!(verdict.message(), "0 of 1 brokers ready; pod demo-0-0 is about to be replaced");
    }

    #[test]
    fn a_broker_that_has_not_joined_is_not_ready() {
        let status = observe(&wanted(), &live(true), &[set("a")]);
        assert_eq!(ready(&status, 0).reason(), Reason::EndpointNotReady);
        assert_eq!(ready(&status, 1), Verdict::ready("1 broker serves"));
    }
}
