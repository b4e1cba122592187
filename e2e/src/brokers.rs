//! A Cluster in a namespace: its brokers' pods, and waiting until they are what the object asks for.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kubectl::{Namespace, Pod, condition};
use crate::{process, vltava, wait};

const DEADLINE: Duration = Duration::from_secs(400);
/// Exit code of a plan that would change something.
const CHANGES: i32 = 3;
/// What a broker logs when it has registered, with its rack.
const REGISTERED: &str = " registered broker_epoch=";
/// SIGKILL at once, as when a node dies.
const WITHOUT_WARNING: [&str; 2] = ["--grace-period=0", "--force"];

/// A Cluster by name.
#[derive(Debug, Clone, Copy)]
pub struct Brokers<'a> {
    namespace: &'a Namespace,
    name: &'a str,
}

impl<'a> Brokers<'a> {
    /// The Cluster of this name, which need not be there yet.
    pub fn of(namespace: &'a Namespace, name: &'a str) -> Self {
        Self { namespace, name }
    }

    /// The Cluster's name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Applies it. `config` is keys and values in YAML, such as `num.partitions: '2'`.
    pub fn apply(&self, replicas: usize, remove: &[i32], config: &[&str]) -> Result<()> {
        self.apply_with(replicas, remove, config, &[])
    }

    /// The same with more fields of `spec.brokers`, such as `maxUnavailable: 2`.
    pub fn apply_with(
        &self,
        replicas: usize,
        remove: &[i32],
        config: &[&str],
        fields: &[&str],
    ) -> Result<()> {
        self.namespace.apply(&self.yaml(replicas, remove, config, fields)).map(drop)
    }

    fn yaml(&self, replicas: usize, remove: &[i32], config: &[&str], fields: &[&str]) -> String {
        let mut yaml = format!(
            "apiVersion: vltava.dev/v1alpha1\n\
             kind: Cluster\n\
             metadata: {{name: {}}}\n\
             spec:\n\
             \x20 brokers:\n\
             \x20   replicas: {replicas}\n\
             \x20   removeIds: {remove:?}\n\
             \x20   storage: {{size: 1Gi}}\n",
            self.name
        );
        for field in fields {
            yaml.push_str(&format!("    {field}\n"));
        }
        yaml.push_str("  config:\n    broker.session.timeout.ms: '6000'\n");
        for line in config {
            yaml.push_str(&format!("    {line}\n"));
        }
        yaml
    }

    /// What `vltava plan --kubernetes` says that applying it would do. Fails unless it would change something.
    pub fn foretold(&self, replicas: usize, remove: &[i32], config: &[&str]) -> Result<String> {
        let mut file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
        file.write_all(self.yaml(replicas, remove, config, &[]).as_bytes())?;
        let mut command = vltava::command(["plan", "--kubernetes", "--namespace"])?;
        command.arg(self.namespace.name()).arg("-f").arg(file.path());
        let finished = process::try_run(&mut command, "")?;
        ensure!(finished.status.code() == Some(CHANGES), "{finished:?}");
        Ok(finished.stdout)
    }

    /// `kubectl scale`.
    pub fn scale(&self, replicas: usize) -> Result<()> {
        let replicas = format!("--replicas={replicas}");
        self.namespace.kubectl(&["scale", "cluster", self.name, &replicas], "").map(drop)
    }

    /// The brokers' pods, sorted by name.
    pub fn pods(&self) -> Result<Vec<Pod>> {
        self.namespace.pods("broker")
    }

    /// Name of a broker's pod.
    pub fn pod_name(&self, id: i32) -> String {
        format!("{}-{id}-0", self.name)
    }

    /// Pod → zone of its node, for those whose nodes are in one.
    pub fn zones(&self) -> Result<BTreeMap<String, String>> {
        let mut zones = BTreeMap::new();
        for (node, pods) in self.nodes()? {
            let node = self.namespace.object(&format!("node/{node}"))?;
            let zone = node["metadata"]["labels"]["topology.kubernetes.io/zone"].as_str();
            zones.extend(pods.into_iter().filter_map(|pod| Some((pod, zone?.to_owned()))));
        }
        Ok(zones)
    }

    /// Pod → rack that its broker has registered with last, for those that have one.
    pub fn racks(&self) -> Result<BTreeMap<String, String>> {
        let mut racks = BTreeMap::new();
        for pod in self.pods()? {
            let log = self.namespace.kubectl(&["logs", &pod.name], "")?;
            let mut registered = log.lines().rev().filter_map(|line| line.split_once(REGISTERED));
            let (_, fields) =
                registered.next().with_context(|| format!("{} never did", pod.name))?;
            let rack = fields.split_once(" rack=\"").and_then(|(_, rest)| rest.split_once('"'));
            racks.extend(rack.map(|(rack, _)| (pod.name, rack.to_owned())));
        }
        Ok(racks)
    }

    /// Node → pods on it.
    pub fn nodes(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for pod in self.pods()? {
            let object = self.namespace.object(&format!("pod/{}", pod.name))?;
            let node = object["spec"]["nodeName"].as_str().context("a pod without a node")?;
            nodes.entry(node.to_owned()).or_default().push(pod.name);
        }
        Ok(nodes)
    }

    /// The object's condition Ready: its reason and message.
    pub fn says(&self) -> Result<(String, String)> {
        let object = self.namespace.object(&format!("cluster/{}", self.name))?;
        let ready = condition(&object, "Ready").context("it has no condition Ready")?;
        let text = |field: &str| ready[field].as_str().unwrap_or_default().to_owned();
        Ok((text("reason"), text("message")))
    }

    /// Waits until the object gives this reason for its condition Ready, and this part of a message.
    pub fn until_says(&self, reason: &str, part: &str) -> Result<String> {
        wait::until(&format!("the reason {reason}, {part:?}"), DEADLINE, || {
            let (found, message) = self.says()?;
            ensure!(found == reason && message.contains(part), "it says {found}: {message}");
            Ok(message)
        })
    }

    /// Waits until the object is Ready, with so many brokers, and nothing is on its way.
    pub fn settled(&self, brokers: usize) -> Result<()> {
        wait::until(&format!("{brokers} brokers, Ready"), DEADLINE, || {
            self.namespace.is_ready(&format!("cluster/{}", self.name))?;
            let names: Vec<String> = self.pods()?.into_iter().map(|pod| pod.name).collect();
            ensure!(names.len() == brokers, "there are {names:?}");
            Ok(())
        })
    }

    /// Kills a pod by name as soon as there is one.
    pub fn kill(&self, pod: &str) -> Result<()> {
        let delete = [&["delete", "pod", pod][..], &WITHOUT_WARNING].concat();
        wait::until(&format!("pod {pod}"), DEADLINE, || self.namespace.kubectl(&delete, ""))
            .map(drop)
    }

    /// Kills a pod and waits until another one takes up its volume.
    pub fn replace(&self, pod: &str) -> Result<()> {
        let uid = |pods: &[Pod]| pods.iter().find(|p| p.name == pod).map(|p| p.uid.clone());
        let old = uid(&self.pods()?).context("no such pod")?;
        self.kill(pod)?;
        wait::until("another pod in its place", DEADLINE, || {
            let new = uid(&self.pods()?).context("none yet")?;
            ensure!(new != old, "the old one is still there");
            Ok(())
        })
    }

    /// A pod as JSON.
    pub fn pod(&self, name: &str) -> Result<Value> {
        self.namespace.object(&format!("pod/{name}"))
    }
}
