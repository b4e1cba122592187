//! Promise: a node may lose its power, the leading operator with it. The others serve on; when it is back its brokers are
//! too, and nobody need help.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::node::Off;
use e2e::scenario::Scenario;

use crate::operator;

/// How long it stays off after the control plane has noticed.
const LASTS: Duration = Duration::from_secs(60);

#[test]
fn a_node_is_switched_off_and_on_again() -> Result<()> {
    operator::installed()?;
    Scenario::run("node-off", 3, |scenario| {
        let brokers = &scenario.brokers;
        let nodes = brokers.nodes()?;
        let (node, pods) =
            nodes.into_iter().min_by_key(|(_, pods)| pods.len()).context("no brokers")?;
        eprintln!("{node} goes, with {pods:?}");
        for pod in &pods {
            scenario.hurts(pod, 1);
        }
        let off = Off::switch(&node)?;
        scenario.step("NotReady", || off.wait_until_not_ready())?;
        scenario.step("the object says so", || brokers.until_says("PodsNotReady", &pods[0]))?;
        std::thread::sleep(LASTS);
        scenario.step("the node is back", || off.switch_on())?;
        scenario.step("all is well again", || brokers.settled(3))
    })
}
