//! Labels and names of what the operator makes.
//!
//! Selectors use only our own domain. `app.kubernetes.io/*` is there for people and tools, but for `instance`,
//! which GitOps tools take for theirs.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};

/// Value of `app.kubernetes.io/managed-by`, on everything that the operator makes.
pub(crate) const MANAGED_BY: &str = "vltava-operator";
/// Selects everything that the operator makes.
pub(crate) const MANAGED_SELECTOR: &str = "app.kubernetes.io/managed-by=vltava-operator";
/// Hash of the configuration, on pod templates: another configuration restarts the pod.
pub(crate) const CONFIG_HASH: &str = "vltava.dev/config-hash";
/// Hash of everything that a person asked for, on the StatefulSets of brokers: another one restarts the pod, and a
/// new release of the operator does not.
pub(crate) const SPEC_HASH: &str = "vltava.dev/spec-hash";
/// Zone of a node, and, once the operator has copied it, of a broker's pod.
pub(crate) const ZONE: &str = "topology.kubernetes.io/zone";
/// Kafka's node id, on a broker's objects.
pub(crate) const BROKER_ID: &str = "vltava.dev/broker-id";

/// When the eviction of a broker's pod was granted, on the pod, in RFC 3339.
pub(crate) const EVICTING: &str = "vltava.dev/evicting";

/// On a broker's PersistentVolumeClaim: replace this volume by an empty one. `true` does it once the other brokers have
/// everything in sync, `force` also where they have not, and what only this volume had is lost.
///
/// It is the claim that carries it, because the claim is what goes: the request is gone with it, so that it is carried
/// out once, and it can be made where no pod is.
pub(crate) const REPLACE_VOLUME: &str = "vltava.dev/replace-volume";

pub(crate) type Map = BTreeMap<String, String>;

/// Whose objects they are: the label's key (`vltava.dev/cluster`), the owner's name, and what they do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    /// Key of the owner's label.
    pub(crate) owner_key: &'static str,
    /// Name of the owner.
    pub(crate) owner: &'a str,
    /// `broker`, `connect` or `streams`.
    pub(crate) component: &'static str,
}

impl Labels<'_> {
    /// The label that selects all objects of the owner.
    pub(crate) fn selector(&self) -> Map {
        Map::from([(self.owner_key.to_owned(), self.owner.to_owned())])
    }

    /// [`Self::selector`] as the API takes it.
    pub(crate) fn label_selector(&self) -> LabelSelector {
        LabelSelector { match_labels: Some(self.selector()), ..Default::default() }
    }

    /// [`Self::selector`] as a query takes it.
    pub(crate) fn query(&self) -> String {
        format!("{}={}", self.owner_key, self.owner)
    }

    /// All labels of an object.
    pub(crate) fn all(&self) -> Map {
        let mut labels = self.selector();
        labels.insert("app.kubernetes.io/name".to_owned(), "vltava".to_owned());
        labels.insert("app.kubernetes.io/component".to_owned(), self.component.to_owned());
        labels.insert("app.kubernetes.io/managed-by".to_owned(), MANAGED_BY.to_owned());
        labels
    }

    /// Metadata of a child object. Without `owner`, the object outlives its owner.
    pub(crate) fn meta(
        &self,
        name: String,
        namespace: &str,
        owner: Option<OwnerReference>,
    ) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            labels: Some(self.all()),
            owner_references: owner.map(|o| vec![o]),
            ..Default::default()
        }
    }
}
