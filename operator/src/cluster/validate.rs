//! Step two, pure: what the spec asks for, with every default filled in, or why it cannot be.

use std::collections::BTreeMap;

use crds::cluster::OPERATOR_KEYS;
use crds::{Cluster, LostVolume, Reason, Resources, Retention, Storage};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource as _, ResourceExt as _};

use super::dereference::Live;
use super::identity::{self, Identity, Known, Traces};
use super::names;
use super::plan::wanted_ids;
use crate::api;
use crate::labels::BROKER_ID;
use crate::properties;
use crate::verdict::Verdict;
use crate::workload::{choose_image, whole_units};

/// What a cluster that can lose a broker sets where the spec does not: three copies, and two before an answer.
const REPLICATED: [(&str, &str); 3] = [
    ("default.replication.factor", "3"),
    ("min.insync.replicas", "2"),
    ("offsets.topic.replication.factor", "3"),
];
/// Brokers from which on [`REPLICATED`] holds.
const REPLICATED_FROM: usize = 3;

/// What the cluster will be. The steps after this one do not read the spec.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) owner: Option<OwnerReference>,
    /// Brokers that should be, by id.
    pub(crate) brokers: Vec<Broker>,
    /// Whether these are all that the spec asks for.
    pub(crate) complete: bool,
    pub(crate) known: Known,
    pub(crate) config: BTreeMap<String, String>,
    pub(crate) storage: Storage,
    pub(crate) delete_volumes: bool,
    /// Whether volumes that are lost are replaced without being asked.
    pub(crate) replace_lost: bool,
    /// Most brokers of one zone that may restart together.
    pub(crate) together: usize,
    /// Bytes a second that moves may take of each broker.
    pub(crate) bandwidth: Option<u64>,
    pub(crate) resources: Option<Resources>,
}

impl Wanted {
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.known.identity()
    }

    pub(crate) fn ids(&self) -> Vec<i32> {
        self.brokers.iter().map(|b| b.id).collect()
    }
}

/// One broker.
#[derive(Clone, Debug)]
pub(crate) struct Broker {
    pub(crate) id: i32,
    pub(crate) image: String,
}

pub(crate) fn validate(
    object: &Cluster,
    live: &Live,
    default_image: &str,
    random_id: &str,
) -> Result<Wanted, Verdict> {
    let spec = &object.spec;
    if spec.brokers.replicas < 1 {
        let text = "spec.brokers.replicas is less than 1: a cluster has at least one broker";
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    if let Some(key) = spec.config.keys().find(|k| OPERATOR_KEYS.contains(&k.as_str())) {
        let text = format!("spec.config may not set {key}: the operator sets it; take it away");
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    if let Some(problem) = properties::not_one_line(&spec.config) {
        return Err(Verdict::stalled(Reason::InvalidSpec, format!("spec.config: {problem}")));
    }
    let bandwidth = bandwidth(object).map_err(|problem| {
        Verdict::stalled(Reason::InvalidSpec, format!("spec.rebalance.bandwidth {problem}"))
    })?;
    let name = object.name_any();
    let mut ids = wanted_ids(spec.brokers.replicas, &spec.brokers.remove_ids, &known_ids(live));
    let known = identity::find(
        &name,
        &Traces {
            config_map: live.identity.as_ref(),
            sets: &live.sets,
            has_volume: live.has_volume,
            cluster_id: live.status.cluster_id.as_deref(),
            wanted: &ids,
            random_id,
        },
    )?;
    let all = ids.len();
    if known == Known::Pending {
        // Only a broker that is told the cluster's id may join, and only the first one can say it.
        ids = vec![0];
    }
    let running = live.sets.iter().find(|set| !api::is_deleted(*set));
    let broker = |id: &i32| {
        let set = live.set(&names::broker(&name, *id)).or(running);
        Broker { id: *id, image: choose_image(spec.image.as_deref(), set, default_image) }
    };
    Ok(Wanted {
        namespace: object.namespace().unwrap_or_default(),
        owner: object.controller_owner_ref(&()),
        brokers: ids.iter().map(broker).collect(),
        complete: ids.len() == all,
        known,
        config: with_defaults(&spec.config, all),
        storage: spec.brokers.storage.clone(),
        delete_volumes: spec.brokers.persistent_volume_claim_retention_policy.when_scaled
            == Retention::Delete,
        replace_lost: spec.brokers.persistent_volume_claim_retention_policy.when_lost
            == LostVolume::Replace,
        together: usize::try_from(spec.brokers.max_unavailable).unwrap_or(1).max(1),
        bandwidth,
        resources: spec.brokers.resources.clone(),
        name,
    })
}

/// Bytes a second that a Cluster gives its moves, or what is wrong with the field.
pub(crate) fn bandwidth(object: &Cluster) -> Result<Option<u64>, String> {
    let given = object.spec.rebalance.as_ref().and_then(|r| r.bandwidth.as_deref());
    given.map(bytes_per_second).transpose()
}

/// Reads a bandwidth.
pub(crate) fn bytes_per_second(text: &str) -> Result<u64, String> {
    let read = whole_units(text).filter(|bytes| i64::try_from(*bytes).is_ok());
    read.ok_or_else(|| format!("is {text}: write bytes a second, such as 50Mi"))
}

/// Ids of brokers that are there, or that should be there as far as the status knows: that somebody deleted a
/// StatefulSet does not make its broker superfluous.
fn known_ids(live: &Live) -> Vec<i32> {
    let sets = live.sets.iter().filter(|set| !api::is_deleted(*set)).filter_map(broker_id);
    sets.chain(live.status.brokers.iter().map(|b| b.id)).collect()
}

/// Which broker a StatefulSet is.
pub(crate) fn broker_id(set: &StatefulSet) -> Option<i32> {
    set.metadata.labels.as_ref()?.get(BROKER_ID)?.parse().ok().filter(|id| *id >= 0)
}

fn with_defaults(config: &BTreeMap<String, String>, brokers: usize) -> BTreeMap<String, String> {
    let mut all = config.clone();
    // Who asks for another number of copies knows what goes with it.
    if brokers >= REPLICATED_FROM && !all.contains_key(REPLICATED[0].0) {
        for (key, value) in REPLICATED {
            all.entry(key.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    all
}
