//! How long 1,000 partitions are without a leader when theirs is killed.
//!
//! Each survivor is asked by a connection of its own, again and again, to take a record (acks=all) in every partition that
//! has not taken one since the kill.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use protocol::Str;
use protocol::messages::DescribeQuorumRequest;
use protocol::messages::describe_quorum_request::{PartitionData, TopicData};

use crate::figures::Figures;
use crate::first;
use crate::server::{Cluster, Plan};
use crate::wire::Wire;

const TOPIC: &str = "failover";
/// Partitions that the victim leads.
pub(crate) const PARTITIONS: i32 = 1_000;
/// Settings of both subjects: how often a broker shows that it lives, and how long its silence is borne.
pub(crate) const HEARTBEAT_MS: u64 = 250;
pub(crate) const SESSION_MS: u64 = 1_500;
/// Partitions in one request: more wait for the slowest of them.
const CHUNK: usize = 50;
/// Between two rounds; small against what is measured.
const PAUSE: Duration = Duration::from_millis(10);
/// Longest that is waited for.
const TIMEOUT: Duration = Duration::from_secs(60);
/// A version of DescribeQuorum that both serve.
const DESCRIBE_QUORUM_VERSION: i16 = 2;

/// Which broker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Victim {
    /// One that does not lead the metadata quorum.
    Broker,
    /// The active controller.
    Controller,
}

impl Victim {
    fn name(self) -> &'static str {
        match self {
            Self::Broker => "a broker",
            Self::Controller => "the active controller",
        }
    }
}

/// Three brokers with the settings above.
pub(crate) fn plan() -> Plan {
    let mut plan = Plan::three();
    plan.settings.push(("broker.heartbeat.interval.ms", HEARTBEAT_MS.to_string()));
    plan.settings.push(("broker.session.timeout.ms", SESSION_MS.to_string()));
    plan
}

/// Kills the victim and measures until the survivors have taken a record in each of its partitions.
pub(crate) fn measure(
    cluster: &mut Cluster,
    victim: Victim,
    (figures, subject): (&mut Figures, usize),
) -> Result<()> {
    first::acknowledged(cluster)?;
    let controller = controller(cluster)?;
    let is_victim = |id: i32| (id == controller) == (victim == Victim::Controller);
    let (victims, others): (Vec<i32>, Vec<i32>) =
        cluster.servers.iter().map(|server| server.id).partition(|id| is_victim(*id));
    let killed = *victims.first().context("no victim")?;
    let survivors: Vec<i32> = victims.into_iter().skip(1).chain(others).collect();
    let replicas: Vec<i32> = std::iter::once(killed).chain(survivors.iter().copied()).collect();

    let address = |id: i32| cluster.servers[id as usize - 1].address.clone();
    let code = Wire::connect(&address(killed))?.create(TOPIC, PARTITIONS, &replicas)?;
    ensure!(code == 0, "the topic was refused: {code}");
    let addresses: Vec<_> = survivors.into_iter().map(address).collect();
    // Every partition has a record and its followers in sync before the kill.
    let leader = address(killed);
    take_all(&[leader], Instant::now())?;
    std::thread::sleep(Duration::from_secs(3));

    let began = Instant::now();
    cluster.servers[killed as usize - 1].kill()?;
    let mut times = take_all(&addresses, began)?;
    times.sort();
    let mut add = |name: &str, at: usize| {
        let name = format!("{} killed: {name}", victim.name());
        figures.add(name, 1e3, 0, " ms", subject, times[at].as_secs_f64());
    };
    add("first of 1,000 takes a record after", 0);
    add("half of them", times.len() / 2);
    add("all of them", times.len() - 1);
    Ok(())
}

/// The node that leads the metadata quorum.
fn controller(cluster: &Cluster) -> Result<i32> {
    let request = DescribeQuorumRequest {
        topics: vec![TopicData {
            topic_name: Str::from("__cluster_metadata"),
            partitions: vec![PartitionData { partition_index: 0 }],
        }],
    };
    let answer =
        Wire::connect(&cluster.servers[0].address)?.call(DESCRIBE_QUORUM_VERSION, &request)?;
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    Ok(partition.context("no quorum in the answer")?.leader_id)
}

/// When each partition took its first record from one of these brokers, counted from `began`.
fn take_all(addresses: &[String], began: Instant) -> Result<Vec<Duration>> {
    let times = Mutex::new(vec![None; PARTITIONS as usize]);
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            addresses.iter().map(|address| scope.spawn(|| ask(address, &times, began))).collect();
        asking.into_iter().try_for_each(|thread| match thread.join() {
            Ok(done) => done,
            Err(_) => anyhow::bail!("a thread of the client has panicked"),
        })
    })?;
    let times = times.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    times.into_iter().map(|time| time.context("a partition without a time")).collect()
}

fn ask(address: &str, times: &Mutex<Vec<Option<Duration>>>, began: Instant) -> Result<()> {
    let lock = || times.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mut wire = Wire::connect(address)?;
    loop {
        let pending: Vec<i32> = (0..)
            .zip(&*lock())
            .filter(|(_, time)| time.is_none())
            .map(|(index, _)| index)
            .collect();
        if pending.is_empty() {
            return Ok(());
        }
        ensure!(began.elapsed() < TIMEOUT, "{} partitions take no record", pending.len());
        for chunk in pending.chunks(CHUNK) {
            let taken = wire.produce(TOPIC, chunk)?;
            let now = began.elapsed();
            let mut times = lock();
            for (index, _) in taken.iter().filter(|(_, code)| *code == 0) {
                times[*index as usize].get_or_insert(now);
            }
        }
        std::thread::sleep(PAUSE);
    }
}
