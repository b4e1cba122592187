//! What a cluster begins with and keeps for good: its id, and who voted first.
//!
//! It is in a ConfigMap of its own, which is created once and never changed, and which outlives the Cluster as the
//! volumes do: a Cluster of the same name takes both up again. `controller.quorum.voters` is always the set with
//! which the cluster began, because a broker with an empty disk begins with it too; who votes *now* is in the
//! metadata log. A new cluster begins with 1, 3 or 5 voters (see [`voter_count`]): its first brokers.

use std::collections::BTreeMap;

use crds::Reason;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::ConfigMap;

use super::names;
use super::plan::voter_count;
use crate::verdict::Verdict;
use crate::workload::KAFKA_PORT;

const CLUSTER_ID: &str = "clusterId";
const VOTERS: &str = "voters";
/// Flags by which a running broker still says what the ConfigMap said.
const CLUSTER_ID_FLAG: &str = "--cluster-id=";
const VOTERS_FLAG: &str = "--set=controller.quorum.voters=";

/// What a cluster begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) cluster_id: String,
    /// Ids of the first voters.
    pub(crate) voters: Vec<i32>,
}

/// What is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is written down.
    Written(Identity),
    /// It is to be written down before anything else.
    New(Identity),
    /// There is a single broker from before there were identities, and it has not told its cluster's id yet.
    Pending,
}

impl Known {
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Written(identity) | Self::New(identity) => Some(identity),
            Self::Pending => None,
        }
    }
}

/// What there is to go by.
#[derive(Debug)]
pub(crate) struct Traces<'a> {
    pub(crate) config_map: Option<&'a ConfigMap>,
    pub(crate) sets: &'a [StatefulSet],
    /// Whether the first broker has a volume.
    pub(crate) has_volume: bool,
    /// What the status says.
    pub(crate) cluster_id: Option<&'a str>,
    /// Brokers that are to be.
    pub(crate) wanted: &'a [i32],
    /// A new id, should one be needed.
    pub(crate) random_id: &'a str,
}

/// Finds the identity, or makes one for a cluster that is new.
pub(crate) fn find(cluster: &str, traces: &Traces<'_>) -> Result<Known, Verdict> {
    if let Some(config_map) = traces.config_map {
        return read(config_map).map(Known::Written).ok_or_else(|| lost(cluster));
    }
    if let Some(identity) = traces.sets.iter().find_map(of_set) {
        return Ok(Known::New(identity));
    }
    if !traces.sets.is_empty() || traces.has_volume {
        // Clusters had one broker then.
        let known =
            traces.cluster_id.map(|id| Identity { cluster_id: id.to_owned(), voters: vec![0] });
        return Ok(known.map_or(Known::Pending, Known::New));
    }
    let voters = traces.wanted.iter().copied().take(voter_count(traces.wanted.len())).collect();
    Ok(Known::New(Identity { cluster_id: traces.random_id.to_owned(), voters }))
}

fn lost(cluster: &str) -> Verdict {
    let name = names::identity(cluster);
    let text = format!(
        "ConfigMap {name} does not hold {CLUSTER_ID} and {VOTERS} as it was created: restore it, or delete it while a broker's StatefulSet is there"
    );
    Verdict::stalled(Reason::IdentityLost, text)
}

fn read(config_map: &ConfigMap) -> Option<Identity> {
    let data = config_map.data.as_ref()?;
    let cluster_id = data.get(CLUSTER_ID).filter(|id| is_id(id))?.clone();
    let voters: Option<Vec<i32>> = data
        .get(VOTERS)?
        .split(',')
        .map(|id| id.trim().parse().ok().filter(|id| *id >= 0))
        .collect();
    Some(Identity { cluster_id, voters: voters.filter(|voters| !voters.is_empty())? })
}

/// It becomes an argument of a process, so it must be a plain word.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// What a broker was started with.
fn of_set(set: &StatefulSet) -> Option<Identity> {
    let container = set.spec.as_ref()?.template.spec.as_ref()?.containers.first()?;
    let args = container.args.as_ref()?;
    let value = |flag: &str| args.iter().find_map(|arg| arg.strip_prefix(flag));
    let ids = value(VOTERS_FLAG)?.split(',').map(|entry| entry.split_once('@')?.0.parse().ok());
    let voters: Option<Vec<i32>> = ids.collect();
    Some(Identity { cluster_id: value(CLUSTER_ID_FLAG)?.to_owned(), voters: voters? })
}

impl Identity {
    /// The flags by which a broker learns it.
    pub(crate) fn args(&self, cluster: &str, namespace: &str) -> Vec<String> {
        let voter =
            |id: &i32| format!("{id}@{}:{KAFKA_PORT}", names::host(cluster, *id, namespace));
        let voters: Vec<_> = self.voters.iter().map(voter).collect();
        vec![
            format!("{CLUSTER_ID_FLAG}{}", self.cluster_id),
            format!("{VOTERS_FLAG}{}", voters.join(",")),
        ]
    }

    /// The object. It has no owner: it outlives the Cluster.
    pub(crate) fn config_map(&self, cluster: &str, namespace: &str) -> ConfigMap {
        let voters: Vec<_> = self.voters.iter().map(ToString::to_string).collect();
        let data = [(CLUSTER_ID, self.cluster_id.clone()), (VOTERS, voters.join(","))];
        ConfigMap {
            metadata: names::labels(cluster).meta(names::identity(cluster), namespace, None),
            data: Some(BTreeMap::from(data.map(|(key, value)| (key.to_owned(), value)))),
            ..Default::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces<'a>(config_map: Option<&'a ConfigMap>, sets: &'a [StatefulSet]) -> Traces<'a> {
        Traces {
            config_map,
            sets,
            has_volume: false,
            cluster_id: None,
            wanted: &[0, 1, 2, 3],
            random_id: "new",
        }
    }

    fn set(args: &[String]) -> StatefulSet {
        serde_json::from_value(
            serde_json::json!({"spec": {"selector": {}, "serviceName": "s", "template":
            {"spec": {"containers": [{"name": "broker", "args": args}]}}}}),
        )
        .unwrap()
    }

    fn identity(id: &str, voters: &[i32]) -> Identity {
        Identity { cluster_id: id.into(), voters: voters.into() }
    }

    #[test]
    fn a_new_cluster_begins_with_an_odd_number_of_voters() {
        for (wanted, voters) in [
            (&[0][..], &[0][..]),
            (&[0, 1], &[0]),
            (&[0, 1, 2], &[0, 1, 2]),
            (&[1, 2, 3, 4], &[1, 2, 3]),
            (&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4]),
        ] {
            let found = find("demo", &Traces { wanted, ..traces(None, &[]) });
            assert_eq!(found, Ok(Known::New(identity("new", voters))));
        }
    }

    #[test]
    fn what_is_written_down_counts_whatever_is_wanted_now() {
        let written = identity("abc", &[0, 1, 2]);
        let map = written.config_map("demo", "shop");
        assert!(map.metadata.owner_references.is_none());
        assert_eq!(find("demo", &traces(Some(&map), &[])), Ok(Known::Written(written)));
    }

    #[test]
    fn brokers_remember_what_the_config_map_said() {
        let written = identity("abc", &[0, 2]);
        let sets = [set(&[]), set(&written.args("demo", "shop"))];
        assert_eq!(find("demo", &traces(None, &sets)), Ok(Known::New(written)));
    }

    #[test]
    fn a_single_broker_of_old_tells_its_id_first() {
        let sets = [set(&[])];
        assert_eq!(find("demo", &traces(None, &sets)), Ok(Known::Pending));
        let told = Traces { cluster_id: Some("old"), ..traces(None, &sets) };
        assert_eq!(find("demo", &told), Ok(Known::New(identity("old", &[0]))));
        let volume = Traces { has_volume: true, ..traces(None, &[]) };
        assert_eq!(find("demo", &volume), Ok(Known::Pending));
    }

    #[test]
    fn a_broken_config_map_is_not_guessed_over() {
        for (id, voters) in [("", "0"), ("a b", "0"), ("abc", ""), ("abc", "0,x"), ("abc", "-1")] {
            let mut map = identity("abc", &[0]).config_map("demo", "shop");
            let data = [(CLUSTER_ID, id), (VOTERS, voters)];
            map.data = Some(data.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
            let verdict = find("demo", &traces(Some(&map), &[])).unwrap_err();
            assert_eq!(verdict.reason(), Reason::IdentityLost, "{id:?} {voters:?}");
        }
    }
}
