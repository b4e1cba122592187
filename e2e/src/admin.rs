//! The admin ports of a Cluster's brokers, reached through the API server.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::brokers::Brokers;
use crate::kubectl::Namespace;
use crate::placement::Placement;
use crate::wait;

const PORT: u16 = 9644;
const MOVED: &str = "vltava_broker_reassignment_bytes_in_total ";
/// Somebody must be, or become, the active controller.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the brokers say of their cluster.
#[derive(Debug, Clone, Copy)]
pub struct Admin<'a> {
    namespace: &'a Namespace,
    brokers: Brokers<'a>,
}

impl<'a> Admin<'a> {
    /// Of this Cluster.
    pub fn of(namespace: &'a Namespace, brokers: Brokers<'a>) -> Self {
        Self { namespace, brokers }
    }

    /// What the active controller answers to a GET, such as of `/safety/quorum`.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.active(&["get"], path)
    }

    /// What the active controller answers to a POST, such as of `/safety/evacuate?brokers=1`.
    pub fn post(&self, path: &str) -> Result<Value> {
        self.active(&["create", "--filename", "-"], path)
    }

    fn active(&self, verb: &[&str], path: &str) -> Result<Value> {
        wait::until(&format!("an answer to {path}"), DEADLINE, || {
            let mut refused = None;
            for pod in self.brokers.pods()? {
                let raw = self.raw(&pod.name, path);
                match self.namespace.kubectl(&[verb, &["--raw", &raw]].concat(), "") {
                    Ok(text) => {
                        return serde_json::from_str(&text)
                            .with_context(|| format!("{raw}: {text}"));
                    }
                    Err(error) => refused = Some(error),
                }
            }
            Err(refused.context("no brokers")?)
        })
    }

    fn raw(&self, pod: &str, path: &str) -> String {
        format!("/api/v1/namespaces/{}/pods/{pod}:{PORT}/proxy{path}", self.namespace.name())
    }

    /// The data folder of a broker, as the quorum knows the one that it last heard of.
    pub fn data_folder(&self, id: i32) -> Result<String> {
        let quorum = self.get("/safety/quorum")?;
        let lists = ["voters", "observers"].into_iter().filter_map(|list| quorum[list].as_array());
        let own = lists.flatten().filter(|member| member["id"] == id);
        let age = |member: &&Value| member["lastCaughtUpMs"].as_u64().unwrap_or(u64::MAX);
        let newest = own.min_by_key(age).with_context(|| format!("no broker {id}: {quorum}"))?;
        Ok(newest["directoryId"].as_str().unwrap_or_default().to_owned())
    }

    /// Where all partitions are.
    pub fn placement(&self) -> Result<Placement> {
        let pod = self.brokers.pods()?.into_iter().next().context("no brokers")?.name;
        let topic = |arguments: &[&str]| {
            let command = [&["exec", &pod, "--", "/vltava", "topic"], arguments].concat();
            self.namespace.kubectl(&command, "")
        };
        let mut placement = Placement::default();
        for line in topic(&["list", "--internal"])?.lines().skip(1) {
            let name = line.split_whitespace().next().context("a line without a topic")?;
            placement.add(name, &topic(&["describe", name])?)?;
        }
        Ok(placement)
    }

    /// UID of a broker's pod → bytes that it has taken as replicas of moves.
    pub fn moved_bytes(&self) -> Result<BTreeMap<String, u64>> {
        let mut moved = BTreeMap::new();
        for pod in self.brokers.pods()? {
            let raw = self.raw(&pod.name, "/metrics");
            let metrics = self.namespace.kubectl(&["get", "--raw", &raw], "")?;
            let bytes = metrics.lines().find_map(|line| line.strip_prefix(MOVED));
            moved.insert(pod.uid, bytes.context("no counter of moves")?.trim().parse()?);
        }
        Ok(moved)
    }
}
