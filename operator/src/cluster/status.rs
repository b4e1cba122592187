//! After the steps: what the cluster is.

use crds::cluster::BrokerStatus;
use crds::{ClusterStatus, Reason};

use super::dereference::Live;
use super::names;
use super::validate::{Wanted, broker_id};
use crate::api;
use crate::context::Context;
use crate::kafka::KafkaFailure;
use crate::labels::ZONE;
use crate::verdict::Verdict;
use crate::workload::{PodState, pod_state, set_state};

/// What the API server says: of every broker that should be, and of every one that is there.
pub(crate) fn observe(wanted: &Wanted, live: &Live) -> ClusterStatus {
    let identity = wanted.identity().map(|i| i.cluster_id.clone());
    let mut status = ClusterStatus {
        bootstrap: Some(names::bootstrap(&wanted.name, &wanted.namespace)),
        selector: Some(names::labels(&wanted.name).query()),
        cluster_id: identity.or_else(|| live.status.cluster_id.clone()),
        ..Default::default()
    };
    let there = live.sets.iter().filter(|set| !api::is_deleted(*set)).filter_map(broker_id);
    let mut ids: Vec<i32> = wanted.ids().into_iter().chain(there).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let state = live.set(&names::broker(&wanted.name, id)).map(set_state);
        let pod_name = names::pod(&wanted.name, id);
        let found = live.pod(&pod_name);
        let pod = found.map(pod_state);
        let ready = state.is_some_and(|s| s.settled) && pod == Some(PodState::Ready);
        status.replicas += state.map_or(0, |s| s.replicas);
        status.ready_replicas += i32::from(ready);
        let waiting_for = (!ready).then(|| match pod {
            Some(PodState::Waiting(text) | PodState::Failing(text)) => text,
            Some(PodState::Ready) => "is about to be replaced".to_owned(),
            None => "is about to be created".to_owned(),
        });
        let zone = found.and_then(|p| p.metadata.labels.as_ref()?.get(ZONE)).cloned();
        let zone = zone.filter(|zone| !zone.is_empty());
        status.brokers.push(BrokerStatus { id, ready, pod: pod_name, zone, waiting_for });
    }
    status
}

/// The brokers are those that the spec asks for, and ready: whether they serve.
pub(crate) async fn serves(ctx: &Context, wanted: &Wanted, status: &mut ClusterStatus) -> Verdict {
    let address = names::bootstrap(&wanted.name, &wanted.namespace);
    match ctx.kafka.cluster(&address).await {
        Ok(cluster) => {
            let verdict = ready(wanted, &cluster.brokers);
            status.cluster_id = Some(cluster.id);
            verdict
        }
        Err(failure) => unreachable(&address, &failure),
    }
}

/// The brokers answer; they must all know each other too.
fn ready(wanted: &Wanted, registered: &[i32]) -> Verdict {
    let all = wanted.brokers.len();
    let joined = wanted.brokers.iter().filter(|b| registered.contains(&b.id)).count();
    if joined < all {
        let text = format!("{joined} of {all} brokers have joined the cluster");
        return Verdict::working(Reason::EndpointNotReady, text);
    }
    if !wanted.complete {
        let text = "the first broker has said which cluster it is, and the others can join";
        return Verdict::working(Reason::Applying, text);
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
    use super::super::identity::Known;
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            name: "demo".into(),
            namespace: "shop".into(),
            owner: None,
            brokers: vec![super::super::validate::Broker { id: 0, image: "v".into() }],
            complete: true,
            known: Known::Pending,
            config: Default::default(),
            storage: Default::default(),
            delete_volumes: false,
            replace_lost: false,
            together: 1,
            bandwidth: None,
            resources: None,
        }
    }

    fn live(revision: &str) -> Live {
        let set = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "demo-0", "generation": 2, "labels": {"vltava.dev/broker-id": "0"}},
            "spec": {"replicas": 1, "selector": {}, "serviceName": "s", "template": {}},
            "status": {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": revision}}))
        .unwrap();
        let pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "demo-0-0", "labels": {"topology.kubernetes.io/zone": "a"}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}}))
        .unwrap();
        Live { sets: vec![set], pods: vec![pod], ..Default::default() }
    }

    #[test]
    fn a_broker_is_ready_when_set_and_pod_are() {
        let status = observe(&wanted(), &live("a"));
        assert_eq!((status.ready_replicas, status.replicas), (1, 1));
        assert_eq!(status.brokers[0].zone.as_deref(), Some("a"));
    }

    #[test]
    fn a_pod_of_the_old_template_is_not_ready() {
        let status = observe(&wanted(), &live("b"));
        assert_eq!(status.ready_replicas, 0);
        assert_eq!(status.brokers[0].waiting_for.as_deref(), Some("is about to be replaced"));
    }

    #[test]
    fn a_broker_that_has_not_joined_is_not_ready() {
        assert_eq!(ready(&wanted(), &[1]).reason(), Reason::EndpointNotReady);
        assert_eq!(ready(&wanted(), &[0]), Verdict::ready("1 broker serves"));
        let growing = Wanted { complete: false, ..wanted() };
        assert!(matches!(ready(&growing, &[0]), Verdict::Working(..)));
    }
}
