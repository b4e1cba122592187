//! The cluster: its brokers on their network, and what it says of itself.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::ask::Question;
use crate::broker::Broker;
use crate::command::{self, Subject};
use crate::disk::Kind;
use crate::network::{KAFKA_PORT, Network, broker_address};
use crate::tool;

/// Long, because the machine may be busy with other things.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The topic of the load.
pub(crate) const TOPIC: &str = "load";
pub(crate) const PARTITIONS: i32 = 6;
/// The consumers' group.
pub(crate) const GROUP: &str = "readers";

#[derive(Debug)]
pub(crate) struct Cluster {
    // Dropped first: brokers end before their network goes.
    pub(crate) brokers: Vec<Broker>,
    pub(crate) network: Network,
    subject: Subject,
}

impl Cluster {
    /// Makes the network and the disks; no broker runs yet.
    pub(crate) fn new(
        subject: &Subject,
        brokers: usize,
        disk: Kind,
        folder: &Path,
    ) -> Result<Self> {
        let network = Network::new(brokers)?;
        let brokers =
            (0..brokers).map(|id| Broker::new(id, disk, folder)).collect::<Result<_>>()?;
        Ok(Self { brokers, network, subject: subject.clone() })
    }

    pub(crate) fn size(&self) -> usize {
        self.brokers.len()
    }

    pub(crate) fn start(&mut self, id: usize) -> Result<()> {
        let count = self.size();
        self.brokers[id].start(&self.subject, count, &self.network)
    }

    /// Asks the broker to end; fails if it does not do so as it should.
    pub(crate) fn terminate(&mut self, id: usize) -> Result<Duration> {
        let good = self.subject.exit_status();
        self.brokers[id].terminate(good)
    }

    /// Starts all that do not run. Gives what those said that had ended by themselves.
    pub(crate) fn start_missing(&mut self) -> Result<Vec<String>> {
        let mut said = Vec::new();
        for id in 0..self.size() {
            said.extend(self.brokers[id].ended()?);
            if !self.brokers[id].runs()? {
                self.start(id)?;
            }
        }
        Ok(said)
    }

    /// Waits until all brokers are part of the cluster, and makes the load's topic.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let replicas = command::replication_factor(self.size());
        let create = Question::Create { name: TOPIC.into(), partitions: PARTITIONS, replicas };
        self.wait("the topic to be made", |cluster| cluster.ask(&create).map(drop))?;
        self.wait_until_whole()
    }

    /// Waits until every broker is there and every replica in sync.
    pub(crate) fn wait_until_whole(&mut self) -> Result<()> {
        let replicas = usize::try_from(command::replication_factor(self.size()))?;
        self.wait("all replicas to be in sync", |cluster| {
            let topic = cluster.ask(&Question::Topic { name: TOPIC.into() })?;
            let whole = topic["isr"].as_array().is_some_and(|partitions| {
                partitions.iter().all(|isr| isr.as_array().is_some_and(|isr| isr.len() == replicas))
            });
            let there = topic["brokers"].as_array().map_or(0, Vec::len);
            if !whole || there != cluster.size() {
                bail!("it is {topic}");
            }
            Ok(())
        })
    }

    fn wait(&mut self, what: &str, ask: impl Fn(&Self) -> Result<()>) -> Result<()> {
        let end = Instant::now() + ANSWER_TIMEOUT;
        loop {
            for broker in &mut self.brokers {
                if let Some(said) = broker.ended()? {
                    bail!("waiting for {what}: {said}");
                }
            }
            match ask(self) {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > end => {
                    return Err(error.context(format!("waited {ANSWER_TIMEOUT:?} for {what}")));
                }
                Err(_) => std::thread::sleep(POLL_INTERVAL),
            }
        }
    }

    /// The answer of the first broker that gives one.
    fn ask(&self, question: &Question) -> Result<Value> {
        let mut last = None;
        for id in 0..self.size() {
            let mut command = self.network.in_clients();
            command.arg(std::env::current_exe()?).arg("ask");
            command.arg(format!("{}:{KAFKA_PORT}", broker_address(id)));
            command.args(question.arguments());
            match tool::run_command(&mut command, "") {
                Ok(text) => return Ok(serde_json::from_str(&text)?),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("a cluster of no brokers")?)
    }

    /// The broker in an answer; asked again until there is one.
    fn who(
        &mut self,
        what: &str,
        question: &Question,
        field: &dyn Fn(&Value) -> Option<u64>,
    ) -> Result<usize> {
        let end = Instant::now() + ANSWER_TIMEOUT;
        loop {
            let answer = self.ask(question);
            let id = answer.as_ref().ok().and_then(field).and_then(|id| usize::try_from(id).ok());
            if let Some(id) = id.filter(|&id| id < self.size()) {
                return Ok(id);
            }
            if Instant::now() > end {
                bail!("nobody is {what} after {ANSWER_TIMEOUT:?}: {answer:?}");
            }
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Who leads this partition of the load's topic.
    pub(crate) fn leader(&mut self, partition: usize) -> Result<usize> {
        let question = Question::Topic { name: TOPIC.into() };
        self.who("the leader", &question, &move |topic| topic["leaders"][partition].as_u64())
    }

    /// Who coordinates the consumers' group.
    pub(crate) fn coordinator(&mut self) -> Result<usize> {
        self.who("the coordinator", &Question::Coordinator { group: GROUP.into() }, &Value::as_u64)
    }

    /// Who leads the metadata quorum. A single broker does.
    pub(crate) fn controller(&mut self) -> Result<usize> {
        if self.size() == 1 {
            return Ok(0);
        }
        self.who("the active controller", &Question::Controller, &Value::as_u64)
    }

    /// All addresses, as clients want them.
    pub(crate) fn bootstrap(&self) -> String {
        let addresses: Vec<String> =
            (0..self.size()).map(|id| format!("{}:{KAFKA_PORT}", broker_address(id))).collect();
        addresses.join(",")
    }
}
