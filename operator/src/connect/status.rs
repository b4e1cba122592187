//! After the steps: what the worker group is.

use crds::{ConnectStatus, Reason};
use k8s_openapi::api::apps::v1::StatefulSet;

use super::dereference::Live;
use super::names;
use super::validate::Wanted;
use crate::context::Context;
use crate::verdict::Verdict;
use crate::workload::{pods_verdict, set_state};

pub(crate) async fn status(
    ctx: &Context,
    wanted: &Wanted,
    live: &Live,
    applied: &StatefulSet,
) -> (Verdict, ConnectStatus) {
    let state = set_state(applied);
    let url = names::url(&wanted.name, &wanted.namespace);
    let mut status = ConnectStatus {
        url: Some(url.clone()),
        selector: Some(names::labels(&wanted.name).query()),
        replicas: state.replicas,
        ready_replicas: state.ready,
        ..Default::default()
    };
    let pods: Vec<_> = (0..wanted.replicas).map(|i| names::pod(&wanted.name, i)).collect();
    if let Some(verdict) = pods_verdict("workers", &pods, &live.pods, state) {
        return (verdict, status);
    }
    let verdict = match ctx.connect.worker(&url).await {
        Ok(worker) => {
            status.version = Some(worker.version);
            let all = wanted.replicas;
            Verdict::ready(if all == 1 {
                "1 worker serves".to_owned()
            } else {
                format!("{all} workers serve")
            })
        }
        Err(failure) => Verdict::working(
            Reason::EndpointNotReady,
            format!("the workers do not answer at {url}: {failure}"),
        ),
    };
    (verdict, status)
}
