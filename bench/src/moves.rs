//! What growing and shrinking a cluster copies, beside the least that it could.
//!
//! Three brokers hold a topic; two more join and get their share; then one old and one new broker are emptied. The brokers
//! count what they have taken as replicas of moves. The other column is what Kafka's own `kafka-reassign-partitions
//! --generate` proposes for the same brokers at the same moment: its replicas times the partitions' size. It is asked and
//! not carried out.
//!
//! Of 3 replicas on three brokers every even placement copies the fewest; of 2 replicas a plan can copy more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::placement::Placement;
use serde_json::Value;

use crate::admin;
use crate::driver::{Tools, words};
use crate::figures::Figures;
use crate::server::{Cluster, Plan};
use crate::vltava::{Growing, Vltava};
use crate::wire::{Wire, one_batch};

const TOPIC: &str = "moved";
const PARTITIONS: i32 = 30;
/// Replicas of each partition, one cluster after the other.
pub(crate) const REPLICAS: [usize; 2] = [3, 2];
/// Brokers of the whole cluster; the first three are there from the beginning.
const BROKERS: usize = 5;
/// One that was there from the beginning, and one that came later.
const LEAVE: [i32; 2] = [2, 4];
/// Bytes of a record; each is a batch.
const RECORD_BYTES: usize = 64 << 10;
/// Batches of each partition: 16 MiB.
const BATCHES: u64 = 256;
/// Longest wait for all brokers, and for all moves.
const TIMEOUT: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(100);

const MIB: f64 = 1024.0 * 1024.0;
/// Which column is whose.
const OURS: usize = 0;
const KAFKAS: usize = 1;

/// Measures in `folder` with a topic of so many replicas. `shrink` divides the bytes.
pub(crate) fn measure(
    vltava: &Vltava,
    tools: &Tools,
    (folder, shrink): (&Path, u64),
    replicas: usize,
    figures: &mut Figures,
) -> Result<()> {
    let mut plan = Plan::three();
    plan.settings.push(("auto.create.topics.enable", "false".to_owned()));
    let growing = Growing::new(vltava, folder, &plan, BROKERS)?;
    let mut cluster = Cluster::new(growing.start(1..=plan.nodes)?, Instant::now());
    joined(&mut cluster)?;
    let code =
        Wire::connect(&cluster.servers[0].address)?.create_anywhere(TOPIC, PARTITIONS, replicas)?;
    ensure!(code == 0, "the topic was refused: {code}");
    let partition_bytes = fill(&cluster, (BATCHES / shrink).max(1))?;
    cluster.servers.extend(growing.start(plan.nodes + 1..=BROKERS)?);
    joined(&mut cluster)?;
    let mut moves = Moves { cluster, growing: &growing, tools, partition_bytes, figures };
    let everybody: Vec<i32> = (1..=BROKERS as i32).collect();
    let name = format!("{replicas} replicas, 3 → 5");
    moves.carry_out(&name, "/safety/spread", &everybody)?;
    let gone = LEAVE.map(|id| id.to_string()).join(",");
    let stay: Vec<i32> = everybody.into_iter().filter(|id| !LEAVE.contains(id)).collect();
    let name = format!("{replicas} replicas, 5 → 3");
    moves.carry_out(&name, &format!("/safety/evacuate?brokers={gone}"), &stay)?;
    moves.cluster.stop()
}

struct Moves<'a> {
    cluster: Cluster,
    growing: &'a Growing<'a>,
    tools: &'a Tools,
    partition_bytes: u64,
    figures: &'a mut Figures,
}

impl Moves<'_> {
    /// Posts to `path` until nothing is left to do, and compares what was copied with the least for these brokers.
    fn carry_out(&mut self, name: &str, path: &str, brokers: &[i32]) -> Result<()> {
        let before = self.placement()?;
        let minimum = before.fewest_copies(brokers);
        let proposed = before.copies_to(&self.proposal(brokers)?);
        let taken = self.taken()?;
        let began = Instant::now();
        let admins = self.growing.admin_addresses();
        loop {
            let answer = admin::ask_active(&admins, "POST", path)?;
            if ["planned", "moving", "left"].iter().all(|field| answer[*field] == 0) {
                break;
            }
            ensure!(began.elapsed() < TIMEOUT, "it does not end: {answer}");
            std::thread::sleep(POLL);
        }
        let seconds = began.elapsed().as_secs_f64();
        // The broker that is asked may hear of the end a moment later than the active controller.
        loop {
            let after = self.placement()?;
            if after.is_even(brokers) {
                break;
            }
            ensure!(began.elapsed() < TIMEOUT, "the brokers have unequal shares: {after:?}");
            std::thread::sleep(POLL);
        }
        let bytes = |copies: usize| copies as f64 * self.partition_bytes as f64;
        let (ours, kafkas) = ((self.taken()? - taken) as f64, bytes(proposed));
        let mut add = |what: &str, (factor, digits, unit), subject, figure| {
            self.figures.add(format!("{name}: {what}"), factor, digits, unit, subject, figure);
        };
        let (mib, times) = ((1.0 / MIB, 1, " MiB"), (1.0, 3, "×"));
        for (subject, copied) in [(OURS, ours), (KAFKAS, kafkas)] {
            add("copied", mib, subject, copied);
            add("fewest", mib, subject, bytes(minimum));
            add("copied : fewest", times, subject, copied / bytes(minimum));
        }
        add("took", (1.0, 1, " s"), OURS, seconds);
        Ok(())
    }

    fn placement(&self) -> Result<Placement> {
        let known = Wire::connect(&self.cluster.servers[0].address)?.partitions(TOPIC)?;
        ensure!(known.len() == PARTITIONS as usize, "{} partitions", known.len());
        let mut placement = Placement::default();
        for partition in known {
            let brokers = partition.replica_nodes.into_iter().collect();
            placement.insert(TOPIC, partition.partition_index, brokers);
        }
        Ok(placement)
    }

    /// Bytes that all brokers have taken as replicas of moves up to now.
    fn taken(&self) -> Result<u64> {
        let admins = self.growing.admin_addresses();
        admins.iter().map(|address| admin::counter(address, "reassignment_bytes_in")).sum()
    }

    /// What Kafka's tool would do.
    fn proposal(&self, brokers: &[i32]) -> Result<Placement> {
        let mut file = tempfile::NamedTempFile::new()?;
        write!(file, "{{\"version\":1,\"topics\":[{{\"topic\":\"{TOPIC}\"}}]}}")?;
        let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
        let arguments = format!(
            "--bootstrap-server {} --generate --broker-list {} --topics-to-move-json-file {}",
            self.cluster.bootstrap,
            ids.join(","),
            file.path().display()
        );
        let class = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
        let output = self.tools.start(class, &words(&arguments))?.output()?;
        proposed(&output).with_context(|| format!("no proposal in {output}"))
    }
}

/// Waits until every broker knows all that have been started.
fn joined(cluster: &mut Cluster) -> Result<()> {
    let (began, all) = (Instant::now(), cluster.servers.len());
    loop {
        cluster.check_alive()?;
        let knows = |address: &str| Wire::connect(address).and_then(|mut wire| wire.brokers());
        if cluster.servers.iter().all(|server| matches!(knows(&server.address), Ok(n) if n == all))
        {
            return Ok(());
        }
        ensure!(began.elapsed() < TIMEOUT, "a broker has not joined");
        std::thread::sleep(POLL);
    }
}

/// Writes so many batches to each partition, acks=all; gives the bytes of a partition.
fn fill(cluster: &Cluster, batches: u64) -> Result<u64> {
    let batch = one_batch(&[b'x'; RECORD_BYTES])?;
    let mut led: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let began = Instant::now();
    while led.values().map(Vec::len).sum::<usize>() < PARTITIONS as usize {
        ensure!(began.elapsed() < TIMEOUT, "a partition has no leader");
        led.clear();
        let known = Wire::connect(&cluster.servers[0].address)?.partitions(TOPIC)?;
        for partition in known.iter().filter(|partition| partition.leader_id > 0) {
            led.entry(partition.leader_id).or_default().push(partition.partition_index);
        }
    }
    for (leader, partitions) in led {
        let server = cluster.servers.iter().find(|server| server.id == leader);
        let mut wire = Wire::connect(&server.context("an unknown leader")?.address)?;
        for _ in 0..batches {
            let mut left = partitions.clone();
            // A new leader may not know yet that it is one.
            while !left.is_empty() {
                ensure!(began.elapsed() < TIMEOUT, "{} partitions take no record", left.len());
                let taken = wire.produce_batch(TOPIC, &left, &batch)?;
                left = taken.into_iter().filter(|(_, code)| *code != 0).map(|(at, _)| at).collect();
            }
        }
    }
    Ok(batch.len() as u64 * batches)
}

/// The last line of JSON in what the tool prints.
fn proposed(output: &str) -> Option<Placement> {
    let line = output.lines().rev().find(|line| line.starts_with('{'))?;
    let json: Value = serde_json::from_str(line).ok()?;
    let mut placement = Placement::default();
    for partition in json["partitions"].as_array()? {
        let index = i32::try_from(partition["partition"].as_i64()?).ok()?;
        let ids = partition["replicas"].as_array()?.iter();
        let ids: Option<BTreeSet<i32>> = ids.map(|id| i32::try_from(id.as_i64()?).ok()).collect();
        placement.insert(TOPIC, index, ids?);
    }
    Some(placement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_is_the_last_line_of_json() {
        let output = "Current partition replica assignment\n{\"version\":1,\"partitions\":[]}\n\nProposed\n\
            {\"version\":1,\"partitions\":[{\"topic\":\"moved\",\"partition\":1,\"replicas\":[4,2],\"log_dirs\":[\"any\"]}]}\n";
        let mut placement = Placement::default();
        placement.insert(TOPIC, 1, BTreeSet::from([2, 4]));
        assert_eq!(proposed(output), Some(placement));
        assert_eq!(proposed("Error: no"), None);
    }
}
