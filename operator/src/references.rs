//! What an object refers to: always by name, in its own namespace.

use crds::{Cluster, Condition, Reason};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::{Resource, ResourceExt as _};

use crate::api::{self, ApiFailure};
use crate::cluster;
use crate::context::Context;
use crate::verdict::{self, Verdict};

/// How long after its creation an object may wait for what it refers to before that counts as an error: the
/// objects of one pipeline come one after the other.
const GRACE: SignedDuration = SignedDuration::from_secs(20);

/// The Cluster that a `clusterRef` names.
#[derive(Clone, Debug)]
pub(crate) struct ClusterFound {
    /// Where its brokers are.
    pub(crate) address: String,
    pub(crate) ready: bool,
    pub(crate) deleting: bool,
    /// Why it is not ready, in its own word.
    pub(crate) reason: String,
}

impl ClusterFound {
    /// Reads the cluster of a reference.
    pub(crate) async fn get(
        ctx: &Context,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Self>, ApiFailure> {
        let found = api::get::<Cluster>(&ctx.client, namespace, name).await?;
        Ok(found.map(|found| {
            let conditions =
                found.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
            Self {
                address: cluster::bootstrap(name, namespace),
                ready: verdict::is_ready(conditions, found.metadata.generation),
                deleting: api::is_deleted(&found),
                reason: ready_reason(conditions),
            }
        }))
    }
}

/// Why an object is ready or not, in its own word: its message is to be read there.
pub(crate) fn ready_reason(conditions: &[Condition]) -> String {
    conditions.iter().find(|c| c.type_ == "Ready").map(|c| c.reason.clone()).unwrap_or_default()
}

/// The cluster, if it is there and ready.
pub(crate) fn cluster_ready<'a, K: Resource>(
    object: &K,
    cluster: Option<&'a ClusterFound>,
    name: &str,
) -> Result<&'a ClusterFound, Verdict> {
    let cluster = cluster_there(object, cluster, name)?;
    if !cluster.ready {
        let text = format!("waiting for Cluster {name}, which is not ready: {}", cluster.reason);
        return Err(Verdict::working(Reason::ClusterNotReady, text));
    }
    Ok(cluster)
}

/// The cluster, if it is there, ready or not: what has been started goes on while brokers restart.
pub(crate) fn cluster_there<'a, K: Resource>(
    object: &K,
    cluster: Option<&'a ClusterFound>,
    name: &str,
) -> Result<&'a ClusterFound, Verdict> {
    let Some(cluster) = cluster else {
        let namespace = object.namespace().unwrap_or_default();
        let text = format!(
            "there is no Cluster {name} in namespace {namespace}: create it or correct spec.clusterRef.name"
        );
        return Err(awaited(object, Reason::ClusterNotFound, text, Timestamp::now()));
    };
    if cluster.deleting {
        return Err(Verdict::working(
            Reason::ClusterNotReady,
            format!("Cluster {name} is being deleted"),
        ));
    }
    Ok(cluster)
}

/// Something is not there: it may still come while the object is young; after that a person must act.
pub(crate) fn awaited<K: Resource>(
    object: &K,
    reason: Reason,
    text: String,
    now: Timestamp,
) -> Verdict {
    let created = object.meta().creation_timestamp.as_ref();
    match created {
        Some(created) if now.duration_since(created.0) < GRACE => Verdict::working(reason, text),
        _ => Verdict::stalled(reason, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::Topic;

    fn topic() -> Topic {
        serde_json::from_value(serde_json::json!({
            "apiVersion": crds::API_VERSION, "kind": "Topic",
            "metadata": {"name": "t", "namespace": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"clusterRef": {"name": "demo"}}}))
        .unwrap()
    }

    #[test]
    fn a_young_object_waits_and_an_old_one_stalls() {
        let at = |text: &str| {
            awaited(&topic(), Reason::ClusterNotFound, String::new(), text.parse().unwrap())
        };
        assert!(matches!(at("2026-01-01T00:00:10Z"), Verdict::Working(..)));
        assert!(matches!(at("2026-01-01T00:00:20Z"), Verdict::Stalled(..)));
    }

    #[test]
    fn an_unready_cluster_is_there_and_not_ready() {
        let found = ClusterFound {
            address: "a:1".into(),
            ready: false,
            deleting: false,
            reason: "PodsNotReady".into(),
        };
        assert!(cluster_there(&topic(), Some(&found), "demo").is_ok());
        let verdict = cluster_ready(&topic(), Some(&found), "demo").unwrap_err();
        assert_eq!(
            (verdict.reason(), verdict.message()),
            (Reason::ClusterNotReady, "waiting for Cluster demo, which is not ready: PodsNotReady")
        );
    }
}
