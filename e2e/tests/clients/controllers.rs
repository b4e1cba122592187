//! Promise: controllers may be nodes of their own, and Kafka's tools find them.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::vltava::{self, Server};
use e2e::wait;

use crate::java::Tools;

const DEADLINE: Duration = Duration::from_secs(60);

fn node(folder: &Path, id: usize, at: SocketAddr, settings: &[String]) -> Result<Server> {
    let id = id.to_string();
    let mut command = vltava::command(["broker", "--cluster-id", "roles", "--node-id", &id])?;
    command.arg("--data-dir").arg(folder.join(&id));
    command.args(["--listen", &at.to_string()]);
    for setting in settings {
        command.args(["--set", setting]);
    }
    Server::start(command, &folder.join(format!("{id}.log")))?.listens_on(at)
}

#[test]
fn kafkas_tools_find_controllers_of_their_own() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let addresses = [vltava::free_address()?, vltava::free_address()?, vltava::free_address()?];
    let voters = addresses.iter().zip(100..).map(|(at, id)| format!("{id}@{at}"));
    let voters = voters.collect::<Vec<_>>().join(",");
    let settings =
        ["process.roles=controller".to_owned(), format!("controller.quorum.voters={voters}")];
    let mut nodes = Vec::new();
    for (at, id) in addresses.into_iter().zip(100..) {
        nodes.push(node(folder.path(), id, at, &settings)?);
    }
    let broker = vltava::free_address()?;
    let settings = [
        "process.roles=broker".to_owned(),
        format!("controller.quorum.bootstrap.servers={}", addresses[1]),
    ];
    nodes.push(node(folder.path(), 0, broker, &settings)?);

    let tools = Tools::from_environment(broker)?;
    // Sent to the broker that is named as the controller; it passes it on.
    let create = ["--create", "--topic", "t"];
    wait::until("the broker", DEADLINE, || tools.run("TopicCommand", &create))?;
    let controller = addresses[2].to_string();
    let described = tools.ask_controller(
        "MetadataQuorumCommand",
        &controller,
        &["describe", "--replication"],
    )?;
    ensure!(described.matches("Follower").count() == 2, "{described}");
    ensure!(described.matches("Observer").count() == 1, "{described}");
    let features = tools.ask_controller("FeatureCommand", &controller, &["describe"])?;
    ensure!(features.contains("metadata.version"), "{features}");
    Ok(())
}
