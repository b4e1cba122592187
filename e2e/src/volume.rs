//! The volume of a broker: asked to be replaced, and lost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::brokers::Brokers;
use crate::kubectl::{Namespace, kubectl};
use crate::{node, wait};

const DEADLINE: Duration = Duration::from_secs(240);

/// The claim of one broker.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    namespace: &'a Namespace,
    name: String,
    pod: String,
}

impl<'a> Claim<'a> {
    /// Of this broker.
    pub fn of(namespace: &'a Namespace, brokers: &Brokers<'_>, id: i32) -> Self {
        let name = format!("data-{}-{id}", brokers.name());
        Self { namespace, name, pod: brokers.pod_name(id) }
    }

    fn object(&self) -> Result<Value> {
        self.namespace.object(&format!("persistentvolumeclaim/{}", self.name))
    }

    /// Its UID: another one's is another volume's.
    pub fn uid(&self) -> Result<String> {
        let object = self.object()?;
        Ok(object["metadata"]["uid"].as_str().context("a claim without UID")?.to_owned())
    }

    /// Asks the operator to replace the volume by an empty one.
    pub fn ask_to_replace(&self) -> Result<()> {
        let annotate = ["annotate", "pvc", &self.name, "vltava.dev/replace-volume=true"];
        self.namespace.kubectl(&annotate, "").map(drop)
    }

    /// Waits until another claim than that one is in its place.
    pub fn until_other_than(&self, uid: &str) -> Result<()> {
        wait::until(&format!("another claim {}", self.name), DEADLINE, || {
            ensure!(self.uid()? != uid, "it is still the old one");
            Ok(())
        })
    }

    /// Loses the volume as when the machine with its disk is gone for good: the PersistentVolume is deleted, the broker is
    /// killed, and what was in the folder is gone. The claim stays, and Kubernetes calls it `Lost`.
    pub fn lose(&self) -> Result<()> {
        let volume = self.object()?["spec"]["volumeName"].as_str().context("not bound")?.to_owned();
        let (node, folder) = place(&volume)?;
        kubectl(["delete", "pv", &volume, "--wait=false"], "")?;
        // A volume that a claim is bound to is kept by these.
        let keep_nothing = r#"{"metadata":{"finalizers":null}}"#;
        kubectl(["patch", "pv", &volume, "--type=merge", "--patch", keep_nothing], "")?;
        wait::until(&format!("{} to be Lost", self.name), DEADLINE, || {
            let phase = self.object()?["status"]["phase"].clone();
            ensure!(phase == "Lost", "it is {phase}");
            Ok(())
        })?;
        let delete = ["delete", "pod", &self.pod, "--grace-period=0", "--force"];
        self.namespace.kubectl(&delete, "")?;
        wait::until(&format!("{} to find no place", self.pod), DEADLINE, || {
            let pod = self.namespace.object(&format!("pod/{}", self.pod))?;
            ensure!(pod["spec"]["nodeName"].is_null(), "it is on {}", pod["spec"]["nodeName"]);
            Ok(())
        })?;
        node::empty_folder(&node, &folder)
    }
}

/// Node and folder of a volume.
fn place(volume: &str) -> Result<(String, String)> {
    let text = kubectl(["get", "pv", volume, "--output", "json"], "")?;
    let object: Value = serde_json::from_str(&text)?;
    let spec = &object["spec"];
    let folder = [&spec["hostPath"]["path"], &spec["local"]["path"]].into_iter();
    let folder = folder.filter_map(Value::as_str).next().context("no folder of a node")?;
    let terms = &spec["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"];
    let node = terms[0]["values"][0].as_str().context("a volume without a node")?;
    Ok((node.to_owned(), folder.to_owned()))
}
