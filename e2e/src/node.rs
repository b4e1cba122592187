//! A node of the cluster switched off and on, one of its folders emptied, and its API server away: by `cluster/node.sh`,
//! which knows the containers that the nodes are. And a zone more, by labels.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::kubectl::{condition, kubectl, repository};
use crate::{process, wait};

/// A node that starts again has all its pods to start.
const BACK_DEADLINE: Duration = Duration::from_secs(180);
/// The control plane gives a silent node 40 s before it calls it NotReady (`node-monitor-grace-period`, 50 s in newer
/// releases).
const NOT_READY_DEADLINE: Duration = Duration::from_secs(120);

fn script(action: &str, node: &str) -> Result<()> {
    script_with(&[action, node])
}

fn script_with(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(repository("e2e/cluster/node.sh"));
    process::run(command.args(arguments), "").map(drop)
}

/// Deletes everything in a folder of a node.
pub fn empty_folder(node: &str, folder: &str) -> Result<()> {
    script_with(&["empty-folder", node, folder])
}

/// The node that is the control plane.
fn control_plane() -> Result<String> {
    let selector = "node-role.kubernetes.io/control-plane";
    let names = kubectl(["get", "nodes", "--selector", selector, "--output", "name"], "")?;
    let node = names.trim().trim_start_matches("node/").to_owned();
    ensure!(!node.is_empty() && !node.contains('\n'), "not one control plane: {names}");
    Ok(node)
}

/// The control plane's node as a zone of its own beside those of the workers, that takes pods; as it was before at the
/// latest when this is dropped, for pods to come.
#[derive(Debug)]
pub struct ThirdZone {
    node: String,
}

impl ThirdZone {
    const TAINT: &str = "node-role.kubernetes.io/control-plane";
    const LABEL: &str = "topology.kubernetes.io/zone";

    /// Opens it, under this name.
    pub fn open(name: &str) -> Result<Self> {
        let zone = Self { node: control_plane()? };
        let label = format!("{}={name}", Self::LABEL);
        kubectl(["label", "node", &zone.node, "--overwrite", &label], "")?;
        kubectl(["taint", "node", &zone.node, &format!("{}-", Self::TAINT)], "")?;
        Ok(zone)
    }
}

impl Drop for ThirdZone {
    fn drop(&mut self) {
        let taint = format!("{}=:NoSchedule", Self::TAINT);
        let closed = kubectl(["taint", "node", &self.node, "--overwrite", &taint], "")
            .and_then(|_| kubectl(["label", "node", &self.node, &format!("{}-", Self::LABEL)], ""));
        if let Err(error) = closed {
            eprintln!("{} goes on as a zone: {error:#}", self.node);
        }
    }
}

fn ready(node: &str) -> Result<bool> {
    let text = kubectl(["get", "node", node, "--output", "json"], "")?;
    let node: Value = serde_json::from_str(&text)?;
    Ok(condition(&node, "Ready").context("a node without the condition Ready")?["status"] == "True")
}

/// A node without power; it gets it back at the latest when this is dropped.
#[derive(Debug)]
pub struct Off {
    node: String,
    is_off: bool,
}

impl Off {
    /// Takes the node's power.
    pub fn switch(node: &str) -> Result<Self> {
        script("off", node)?;
        Ok(Self { node: node.to_owned(), is_off: true })
    }

    /// Waits until the control plane has noticed.
    pub fn wait_until_not_ready(&self) -> Result<()> {
        wait::until("the node to be NotReady", NOT_READY_DEADLINE, || {
            ensure!(!ready(&self.node)?, "it is still Ready");
            Ok(())
        })
    }

    /// Gives power back and waits until the node is Ready.
    pub fn switch_on(mut self) -> Result<()> {
        self.is_off = false;
        script("on", &self.node)?;
        wait::until("the node to be Ready", BACK_DEADLINE, || {
            ensure!(ready(&self.node)?, "it is NotReady");
            Ok(())
        })
    }
}

impl Drop for Off {
    fn drop(&mut self) {
        if self.is_off
            && let Err(error) = script("on", &self.node)
        {
            eprintln!("{} could not be switched on again: {error:#}", self.node);
        }
    }
}

/// The API server of a cluster that has one, ended; it is back at the latest when this is dropped.
#[derive(Debug)]
pub struct ApiAway {
    node: String,
    is_away: bool,
}

impl ApiAway {
    /// Ends it, and waits until nobody answers.
    pub fn begin() -> Result<Self> {
        let node = control_plane()?;
        script("api-away", &node)?;
        let away = Self { node, is_away: true };
        wait::until("the API server to be away", BACK_DEADLINE, || {
            ensure!(!answers(), "it answers");
            Ok(())
        })?;
        Ok(away)
    }

    /// Starts it again and waits until it is ready.
    pub fn end(mut self) -> Result<()> {
        self.is_away = false;
        script("api-back", &self.node)?;
        wait::until("the API server to be back", BACK_DEADLINE, || {
            ensure!(answers(), "it does not answer");
            Ok(())
        })
    }
}

impl Drop for ApiAway {
    fn drop(&mut self) {
        if self.is_away
            && let Err(error) = script("api-back", &self.node)
        {
            eprintln!("the API server could not be started again: {error:#}");
        }
    }
}

fn answers() -> bool {
    kubectl(["get", "--raw", "/readyz", "--request-timeout=3s"], "").is_ok()
}
