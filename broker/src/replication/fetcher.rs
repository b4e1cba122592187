use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ReplicaState};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Uuid};
use replica::{FetchPosition, NextFetch};
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::{Answer, take_all};
use super::manager::Replication;
use crate::partition::{FetchWait, Partition};
use crate::peers::{Channel, PeerError};

/// Topics by id, the replica's state, and what to do at a divergence are all in it (KIP-516, KIP-903, KIP-595).
const FETCH_VERSION: i16 = 17;
/// Longest wait for this node's own disk before a fetch goes out without those partitions that are not flushed.
const FLUSH_WAIT: Duration = Duration::from_millis(500);
/// Flushes that may end without all being on disk before there is a pause: each partition's end wakes the fetcher.
const FLUSH_TRIES: u32 = 64;
const FLUSH_PAUSE: Duration = Duration::from_millis(10);
/// How often it is looked whether the broker has been registered.
const REGISTRATION_CHECK: Duration = Duration::from_millis(20);
/// Longest pause of a partition that keeps failing.
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// Longest pause after a request without an answer.
const MAX_PAUSE: Duration = Duration::from_millis(200);

/// A partition's name, for what a fetcher remembers of it.
type Key = (Uuid, i32);

/// Fetches from one leader broker, over one connection, for some of the partitions that it leads.
#[derive(Debug)]
pub(super) struct Fetcher {
    replication: Replication,
    leader: i32,
    number: u16,
    partitions: watch::Receiver<Arc<[Arc<Partition>]>>,
    /// Partitions that have failed: how often in a row, and when they are tried again.
    failing: HashMap<Key, (u32, Instant)>,
    /// Where the next request begins: a response is bounded, and who comes first must not starve the others.
    turn: usize,
    wait: Arc<FetchWait>,
    /// Which of two connections is used: a long poll that was left waits on the other.
    lane: u16,
}

/// One request, and what it was made of.
struct Round {
    request: FetchRequest,
    asked: HashMap<Key, (Arc<Partition>, FetchPosition)>,
    /// Partitions that fetch again when their flush is done.
    flushing: bool,
}

impl Fetcher {
    pub(super) fn new(
        replication: Replication,
        (leader, number): (i32, u16),
        partitions: watch::Receiver<Arc<[Arc<Partition>]>>,
    ) -> Self {
        Self {
            replication,
            leader,
            number,
            partitions,
            failing: HashMap::new(),
            turn: 0,
            wait: FetchWait::new(),
            lane: 0,
        }
    }

    /// Until nothing is to be fetched from this leader any more.
    pub(super) async fn run(mut self) {
        while self.replication.epoch.load() < 0 {
            // Not registered yet: a fetch would be taken for one of this broker's last life.
            tokio::time::sleep(REGISTRATION_CHECK).await;
        }
        loop {
            let partitions = Arc::clone(&self.partitions.borrow_and_update());
            self.failing.retain(|key, _| partitions.iter().any(|p| key_of(p) == *key));
            let mut changes = self.partitions.clone();
            let Some(round) = self.next_round(&partitions).await else {
                // Nothing can be fetched now: everything fails, or follows another leader by now.
                let pause = tokio::time::sleep(self.replication.settings.backoff);
                tokio::select! {
                    changed = self.partitions.changed() => if changed.is_err() { return },
                    () = pause => {}
                }
                continue;
            };
            tokio::select! {
                answer = self.fetch(&round.request) => match answer {
                    Ok(response) => self.answered(round, response).await,
                    Err(error) => self.unanswered(&error).await,
                },
                // A partition that has just come must not wait for the end of a long poll, nor for its connection.
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.lane ^= 1;
                }
            }
        }
    }

    /// The next request, once everything that it would claim is on disk.
    async fn next_round(&mut self, partitions: &[Arc<Partition>]) -> Option<Round> {
        let deadline = Instant::now() + FLUSH_WAIT;
        let mut tries = 0;
        loop {
            let round = self.round(partitions);
            if round.flushing && tokio::time::timeout_at(deadline, self.wait.woken()).await.is_ok()
            {
                tries += 1;
                if tries > FLUSH_TRIES {
                    // The disk refuses (it is full): asking at once again would only keep it busy.
                    tokio::time::sleep(FLUSH_PAUSE).await;
                }
                continue;
            }
            self.turn = self.turn.wrapping_add(1);
            return (!round.asked.is_empty()).then_some(round);
        }
    }

    fn round(&self, partitions: &[Arc<Partition>]) -> Round {
        let now = Instant::now();
        let settings = &self.replication.settings;
        let mut round = Round {
            request: FetchRequest {
                replica_state: ReplicaState {
                    replica_id: self.replication.node_id,
                    replica_epoch: self.replication.epoch.load(),
                },
                max_wait_ms: i32::try_from(settings.max_wait.as_millis()).unwrap_or(i32::MAX),
                min_bytes: settings.min_bytes,
                max_bytes: settings.response_max_bytes,
                ..FetchRequest::default()
            },
            asked: HashMap::with_capacity(partitions.len()),
            flushing: false,
        };
        let (before, from) = partitions.split_at(self.turn % partitions.len().max(1));
        for partition in from.iter().chain(before) {
            let key = key_of(partition);
            let backs_off = self.failing.get(&key).is_some_and(|(_, until)| *until > now);
            if backs_off {
                continue;
            }
            match partition.next_fetch(&self.wait) {
                NextFetch::From(position) if position.leader == self.leader => {
                    round.ask(key, position, settings.partition_max_bytes);
                    round.asked.insert(key, (Arc::clone(partition), position));
                }
                NextFetch::AfterFlush => round.flushing = true,
                NextFetch::From(_) | NextFetch::None => {}
            }
        }
        round
    }

    async fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, PeerError> {
        let lane = self.number.saturating_mul(2).saturating_add(self.lane);
        let channel = Channel::Replication(lane);
        let timeout = self.replication.settings.max_wait + self.replication.settings.timeout;
        self.replication.peers.call(self.leader, channel, FETCH_VERSION, request, timeout).await
    }

    async fn answered(&mut self, mut round: Round, response: FetchResponse) {
        if response.error_code != ErrorCode::NONE.0 {
            tracing::warn!(leader = self.leader, code = %ErrorCode(response.error_code), "a leader refuses to be fetched from");
            tokio::time::sleep(self.replication.settings.backoff).await;
            return;
        }
        let mut answers = Vec::with_capacity(round.asked.len());
        for topic in response.responses {
            for data in topic.partitions {
                let key = (topic.topic_id, data.partition_index);
                // What was not asked for is not looked at.
                if let Some((partition, position)) = round.asked.remove(&key) {
                    answers.push(Answer { partition, position, data });
                }
            }
        }
        let log_dir = Arc::clone(self.replication.partitions.log_dir());
        let now_ms = self.replication.clock.now_ms();
        let has_work = answers.iter().any(|answer| brings_work(&answer.data));
        // Appends are system calls, and a truncation syncs: not on a worker thread, but a heartbeat's answer is no work.
        let outcomes = if has_work {
            let work = move || take_all(answers, &log_dir, now_ms);
            tokio::task::spawn_blocking(work).await.unwrap_or_default()
        } else {
            take_all(answers, &log_dir, now_ms)
        };
        for (partition, outcome) in outcomes {
            let key = key_of(&partition);
            match outcome {
                Ok(()) => {
                    self.failing.remove(&key);
                }
                Err(error) => self.failed(key, &partition, &error),
            }
        }
    }

    fn failed(&mut self, key: Key, partition: &Partition, error: &super::answer::AnswerError) {
        let (times, until) = self.failing.entry(key).or_insert((0, Instant::now()));
        let backoff = self.replication.settings.backoff;
        let backoff = backoff.saturating_mul(1 << (*times).min(10)).min(MAX_BACKOFF.max(backoff));
        // A leader that does not know yet that it is one is the rule after every change; the rest is not.
        if *times == 0 && !error.is_passing() {
            tracing::warn!(%partition, leader = self.leader, "cannot replicate; it is tried again: {error}");
        }
        *times = if error.is_passing() { 0 } else { times.saturating_add(1) };
        *until = Instant::now() + backoff.min(error.max_backoff());
    }

    async fn unanswered(&self, error: &PeerError) {
        tracing::debug!(leader = self.leader, "no answer to a fetch: {error}");
        // The connection has a backoff of its own; a leader that is back must not be waited for.
        tokio::time::sleep(self.replication.settings.backoff.min(MAX_PAUSE)).await;
    }
}

impl Round {
    fn ask(&mut self, (topic_id, partition): Key, position: FetchPosition, max_bytes: i32) {
        let wanted = FetchPartition {
            partition,
            current_leader_epoch: position.leader_epoch,
            fetch_offset: position.offset,
            last_fetched_epoch: position.last_fetched_epoch,
            log_start_offset: position.log_start_offset,
            partition_max_bytes: max_bytes,
            ..FetchPartition::default()
        };
        match self.request.topics.last_mut().filter(|topic| topic.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(wanted),
            None => self.request.topics.push(FetchTopic {
                topic_id,
                partitions: vec![wanted],
                ..FetchTopic::default()
            }),
        }
    }
}

/// Whether an answer has something to write or to cut.
fn brings_work(data: &PartitionData) -> bool {
    data.error_code != ErrorCode::NONE.0
        || data.diverging_epoch.end_offset >= 0
        || !data.records.is_empty()
}

fn key_of(partition: &Partition) -> Key {
    (partition.topic_id, partition.index)
}
