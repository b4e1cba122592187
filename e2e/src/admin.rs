//! The admin ports of a Cluster's brokers, reached through the API server.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::brokers::Brokers;
use crate::kubectl::Namespace;
use crate::wait;

const PORT: u16 = 9644;
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

    /// Broker → replicas of all topics on it; brokers that hold none are not in it.
    pub fn shares(&self) -> Result<BTreeMap<i32, usize>> {
        let pod = self.brokers.pods()?.into_iter().next().context("no brokers")?.name;
        let topic = |arguments: &[&str]| {
            let command = [&["exec", &pod, "--", "/vltava", "topic"], arguments].concat();
            self.namespace.kubectl(&command, "")
        };
        let mut shares = BTreeMap::new();
        for line in topic(&["list", "--internal"])?.lines().skip(1) {
            let name = line.split_whitespace().next().context("a line without a topic")?;
            count(&topic(&["describe", name])?, &mut shares)?;
        }
        Ok(shares)
    }
}

/// Counts the replicas in what `vltava topic describe` prints.
fn count(described: &str, shares: &mut BTreeMap<i32, usize>) -> Result<()> {
    let table = described.lines().skip_while(|line| !line.starts_with("PARTITION")).skip(1);
    for line in table.take_while(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
        let replicas = line.split_whitespace().nth(2).context("a line without replicas")?;
        for id in replicas.split(',') {
            *shares.entry(id.parse()?).or_default() += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_counted_by_broker() {
        let text = "topic checked  id abc\nPARTITION  LEADER  REPLICAS  IN-SYNC  START  END\n\
                    0          1       1,2,10    1,2      0      10\n\
                    1          2       2,1       1,2      0      7\n\
                    SETTING  VALUE\n0  1  9,9\n";
        let mut shares = BTreeMap::new();
        count(text, &mut shares).unwrap();
        assert_eq!(shares, BTreeMap::from([(1, 2), (2, 2), (10, 1)]));
    }
}
