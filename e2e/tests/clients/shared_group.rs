//! Promise: members of a group share a topic's partitions, and take over from one that goes.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::vltava::{self, Server};
use e2e::wait;

use crate::client::{self, Client, Record, from_lines};
use crate::kcat::{self, Kcat};

const DEADLINE: Duration = Duration::from_secs(60);
const PARTITIONS: usize = 4;

/// A kcat in the group, its records and its messages in one file.
fn member(broker: std::net::SocketAddr, log: &Path) -> Result<Server> {
    let mut command = kcat::command(broker);
    command.args(["-u", "-f", kcat::FORMAT, "-X", "auto.offset.reset=earliest"]);
    command.args(["-X", "session.timeout.ms=6000", "-X", "partition.assignment.strategy=range"]);
    command.args(["-G", "team", "work"]);
    Server::start(command, log)
}

/// Partitions of the member's last assignment, from kcat's own words.
fn assigned(server: &Server) -> usize {
    let log = server.log();
    let last = log.lines().rev().find(|line| line.contains("rebalanced"));
    last.filter(|line| line.contains("assigned:")).map_or(0, |line| line.matches("work [").count())
}

fn records_of(server: &Server) -> Vec<Record> {
    from_lines(&server.log())
}

#[test]
fn two_members_share_the_partitions_and_one_takes_over_when_the_other_dies() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (_server, broker) = vltava::broker(dir.path())?;
    let bootstrap = broker.to_string();
    let partitions = PARTITIONS.to_string();
    vltava::run(&["topic", "create", "work", "-p", &partitions, "--bootstrap", &bootstrap], "")?;
    let first = member(broker, &dir.path().join("first.log"))?;
    let second = member(broker, &dir.path().join("second.log"))?;
    wait::until("both members to have half of the partitions", DEADLINE, || {
        let found = (assigned(&first), assigned(&second));
        ensure!(found == (PARTITIONS / 2, PARTITIONS / 2), "they have {found:?}");
        Ok(())
    })?;

    let early = client::records("early", 300);
    Kcat.produce(broker, "work", "none", &early)?;
    wait::until("all records in the one or the other", DEADLINE, || {
        let found = records_of(&first).len() + records_of(&second).len();
        ensure!(found == early.len(), "{found} of {}", early.len());
        Ok(())
    })?;
    ensure!(!records_of(&first).is_empty() && !records_of(&second).is_empty(), "one had nothing");

    // Killed, it cannot say goodbye: the group notices by the heartbeats that stay away.
    second.kill()?;
    wait::until("the first member to have all partitions", DEADLINE, || {
        ensure!(assigned(&first) == PARTITIONS, "it has {}", assigned(&first));
        Ok(())
    })?;
    let late = client::records("late", 100);
    Kcat.produce(broker, "work", "none", &late)?;
    wait::until("the late records in the first member", DEADLINE, || {
        let found =
            records_of(&first).iter().filter(|(_, value)| value.starts_with("late")).count();
        ensure!(found == late.len(), "{found} of {}", late.len());
        Ok(())
    })
}
