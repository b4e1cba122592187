//! A StatefulSet and what goes with it, and whether it has settled.

use std::collections::BTreeMap;

use crds::Storage;
use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, PodTemplateSpec, ServiceAccount,
    VolumeResourceRequirements,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::template::quantity;
use crate::labels::{Labels, Map};

/// A StatefulSet to be.
#[derive(Debug)]
pub(crate) struct StatefulSetPlan {
    pub(crate) meta: ObjectMeta,
    pub(crate) selector: Map,
    pub(crate) replicas: i32,
    /// Headless Service that gives the pods their names.
    pub(crate) service: String,
    pub(crate) template: PodTemplateSpec,
    /// Volumes that Kubernetes makes for each pod. They cannot be changed once the set exists.
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    /// Whether those volumes go when the set is deleted.
    pub(crate) delete_claims: bool,
}

impl StatefulSetPlan {
    /// The object. Pods are replaced as soon as the template differs, also those that never became ready: with
    /// `Parallel`, a template that cannot work does not block its own correction.
    pub(crate) fn object(self) -> StatefulSet {
        let policy = StatefulSetPersistentVolumeClaimRetentionPolicy {
            when_deleted: Some(if self.delete_claims { "Delete" } else { "Retain" }.to_owned()),
            when_scaled: Some("Retain".to_owned()),
        };
        StatefulSet {
            metadata: self.meta,
            spec: Some(StatefulSetSpec {
                replicas: Some(self.replicas),
                service_name: Some(self.service),
                selector: LabelSelector { match_labels: Some(self.selector), ..Default::default() },
                template: self.template,
                pod_management_policy: Some("Parallel".to_owned()),
                update_strategy: Some(StatefulSetUpdateStrategy {
                    type_: Some("RollingUpdate".to_owned()),
                    ..Default::default()
                }),
                persistent_volume_claim_retention_policy: (!self.claims.is_empty())
                    .then_some(policy),
                volume_claim_templates: (!self.claims.is_empty()).then_some(self.claims),
                revision_history_limit: Some(3),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

/// A volume, as an object or as a template.
pub(crate) fn claim(meta: ObjectMeta, storage: &Storage) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: meta,
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), quantity(&storage.size))])),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The volume of one pod of a StatefulSet, under the name by which the set looks for it. The operator makes it
/// before the set would, so that it can grow: a set's own template cannot change.
pub(crate) fn claim_of(
    labels: Labels<'_>,
    template: &str,
    set: &str,
    ordinal: i32,
    namespace: &str,
    storage: &Storage,
) -> PersistentVolumeClaim {
    claim(labels.meta(format!("{template}-{set}-{ordinal}"), namespace, None), storage)
}

/// Pods may be evicted one at a time; those that are not ready, always.
pub(crate) fn budget(
    labels: Labels<'_>,
    name: String,
    namespace: &str,
    owner: Option<OwnerReference>,
) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: labels.meta(name, namespace, owner),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(labels.label_selector()),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// An account without rights: no pod of ours talks to the Kubernetes API.
pub(crate) fn service_account(meta: ObjectMeta) -> ServiceAccount {
    ServiceAccount {
        metadata: meta,
        automount_service_account_token: Some(false),
        ..Default::default()
    }
}

/// How far a StatefulSet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetState {
    /// Pods that exist.
    pub(crate) replicas: i32,
    /// Pods that are ready, of whatever template.
    pub(crate) ready: i32,
    /// Whether its controller has seen the current spec and all pods are of the current template and ready.
    pub(crate) settled: bool,
}

/// Looks at a StatefulSet as the API server returned it.
pub(crate) fn set_state(set: &StatefulSet) -> SetState {
    let wanted = set.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let Some(status) = &set.status else {
        return SetState { replicas: 0, ready: 0, settled: false };
    };
    let ready = status.ready_replicas.unwrap_or(0);
    let seen =
        set.metadata.generation.is_some() && status.observed_generation == set.metadata.generation;
    let one_template =
        status.update_revision.is_some() && status.current_revision == status.update_revision;
    let all_there = status.replicas == wanted && ready == wanted;
    SetState { replicas: status.replicas, ready, settled: seen && one_template && all_there }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(json: serde_json::Value) -> StatefulSet {
        serde_json::from_value(json).unwrap()
    }

    fn settled() -> serde_json::Value {
        serde_json::json!({
            "metadata": {"name": "demo-0", "generation": 2},
            "spec": {"replicas": 1, "selector": {}, "serviceName": "s", "template": {}},
            "status": {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1,
                       "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "a"}})
    }

    #[test]
    fn a_set_settles_only_when_everything_is_current() {
        assert!(set_state(&set(settled())).settled);
        for (pointer, value) in [
            ("/status/observedGeneration", serde_json::json!(1)),
            ("/status/updateRevision", serde_json::json!("b")),
            ("/status/readyReplicas", serde_json::json!(0)),
            ("/status/replicas", serde_json::json!(2)),
        ] {
            let mut json = settled();
            *json.pointer_mut(pointer).unwrap() = value;
            assert!(!set_state(&set(json)).settled, "{pointer}");
        }
    }

    #[test]
    fn a_new_set_is_not_settled() {
        let mut json = settled();
        json.as_object_mut().unwrap().remove("status");
        assert_eq!(set_state(&set(json)), SetState { replicas: 0, ready: 0, settled: false });
    }
}
