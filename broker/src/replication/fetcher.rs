use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use protocol::messages::fetch_request::ReplicaState;
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Uuid};
use replica::NextFetch;
use storage::Writes;
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::{Answer, take_all};
use super::manager::Replication;
use super::session::{Named, Session};
use crate::partition::{FetchWait, Partition};
use crate::peers::{Channel, PeerError};
use crate::throttle::Allowance;

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
/// Records of one answer that are appended on the worker thread itself: what a produce may bring as well. A switch to
/// another thread and back costs more than most answers.
const MAX_INLINE_BYTES: usize = 1024 * 1024;

/// When the next of several partitions under a throttle is asked for.
const NEXT_LIMITED_MS: u64 = 50;

/// A partition's name, for what a fetcher remembers of it.
pub(super) type Key = (Uuid, i32);

/// Fetches from one leader broker, over one connection, for some of the partitions that it leads.
#[derive(Debug)]
pub(super) struct Fetcher {
    replication: Replication,
    leader: i32,
    number: u16,
    partitions: watch::Receiver<Arc<[Arc<Partition>]>>,
    /// Raised with every metadata image: positions may have other epochs.
    images: watch::Receiver<u64>,
    /// Raised when this node's disk takes no writes any more, or takes them again.
    writes: watch::Receiver<Writes>,
    /// What the leader knows of this fetcher's partitions.
    session: Session,
    /// Partitions that may have something to ask since the last request; `None`: any of them.
    due: Option<Vec<Arc<Partition>>>,
    /// Partitions that have failed: how often in a row, and when they are tried again.
    failing: HashMap<Key, (u32, Instant)>,
    /// Where the next request begins: a response is bounded, and who comes first must not starve the others.
    turn: usize,
    wait: Arc<FetchWait>,
    /// Which of two connections is used: a long poll that was left waits on the other.
    lane: u16,
}

/// What the next request names.
#[derive(Default)]
struct Round {
    named: Vec<Named>,
    /// Partitions that are not fetched any more.
    forgotten: Vec<Key>,
    /// Partitions that fetch again when their flush is done, or when their pause is over.
    flushing: Vec<Arc<Partition>>,
    pausing: Vec<Arc<Partition>>,
    /// A partition is asked for that may take no more than a throttle lets through.
    limited: bool,
    /// When the first of those pauses is over.
    retry_at: Option<Instant>,
}

impl Fetcher {
    pub(super) fn new(
        replication: Replication,
        (leader, number): (i32, u16),
        partitions: watch::Receiver<Arc<[Arc<Partition>]>>,
    ) -> Self {
        Self {
            images: replication.partitions.changes(),
            writes: replication.partitions.gate().changes(),
            replication,
            leader,
            number,
            partitions,
            session: Session::default(),
            due: None,
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
            if self.images.has_changed().unwrap_or(true) {
                self.images.mark_unchanged();
                self.due = None;
            }
            if self.partitions.has_changed().unwrap_or(true) {
                self.due = None;
            }
            if self.writes.has_changed().unwrap_or(false) {
                self.writes.mark_unchanged();
                self.failing.clear();
                self.due = None;
            }
            let partitions = Arc::clone(&self.partitions.borrow_and_update());
            let mut changes = self.partitions.clone();
            let round = self.next_round(&partitions).await;
            let retry_at = round.retry_at;
            self.session.name(&round.named, &round.forgotten);
            if self.session.is_empty() {
                // Nothing can be fetched now: everything fails, or follows another leader by now.
                let backoff = Instant::now() + self.replication.settings.backoff;
                let pause =
                    tokio::time::sleep_until(retry_at.map_or(backoff, |at| at.min(backoff)));
                self.session.abandon();
                self.due = None;
                let open = *self.writes.borrow() == Writes::Open;
                tokio::select! {
                    changed = self.partitions.changed() => if changed.is_err() { return },
                    () = pause => {}
                    // Looked at where the loop begins again.
                    Ok(_) = self.writes.wait_for(|writes| *writes == Writes::Open), if !open => {}
                }
                continue;
            }
            let request = self.request(&round);
            tokio::select! {
                answer = self.fetch(&request) => match answer {
                    Ok(response) => self.answered(response).await,
                    Err(error) => self.unanswered(&error).await,
                },
                // A partition that has just come must not wait for the end of a long poll, nor for its connection.
                changed = changes.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.abandon();
                    self.lane ^= 1;
                }
            }
        }
    }

    /// What the leader made of the last request is not known: it is told everything anew.
    fn abandon(&mut self) {
        self.session.abandon();
        self.due = None;
    }

    /// What the next request names, once everything that it would claim is on disk.
    async fn next_round(&mut self, partitions: &Arc<[Arc<Partition>]>) -> Round {
        let deadline = Instant::now() + FLUSH_WAIT;
        let mut tries = 0;
        loop {
            let round = self.round(partitions);
            if !round.flushing.is_empty()
                && tokio::time::timeout_at(deadline, self.wait.woken()).await.is_ok()
            {
                tries += 1;
                if tries > FLUSH_TRIES {
                    // The disk refuses (it is full): asking at once again would only keep it busy.
                    tokio::time::sleep(FLUSH_PAUSE).await;
                }
                continue;
            }
            self.turn = self.turn.wrapping_add(1);
            // Those are asked about again next time, whatever the answer brings.
            self.due = Some(round.flushing.iter().chain(&round.pausing).cloned().collect());
            return round;
        }
    }

    fn round(&mut self, partitions: &Arc<[Arc<Partition>]>) -> Round {
        let mut round = Round::default();
        if self.due.is_none() {
            let keys: HashSet<Key> = partitions.iter().map(|p| key_of(p)).collect();
            self.failing.retain(|key, _| keys.contains(key));
            round.forgotten =
                self.session.keys().filter(|key| !keys.contains(*key)).copied().collect();
        }
        let candidates = self.due.as_deref().unwrap_or(partitions);
        let now = Instant::now();
        let (before, from) = candidates.split_at(self.turn % candidates.len().max(1));
        for partition in from.iter().chain(before) {
            let key = key_of(partition);
            if let Some((_, until)) = self.failing.get(&key).filter(|(_, until)| *until > now) {
                round.retry_at = Some(round.retry_at.map_or(*until, |at: Instant| at.min(*until)));
                round.pausing.push(Arc::clone(partition));
                continue;
            }
            match partition.next_fetch(&self.wait) {
                NextFetch::From(position) if position.leader == self.leader => {
                    let max_bytes = match self.may_take(partition, &mut round.limited) {
                        Allowance::Bytes(bytes) => i32::try_from(bytes).unwrap_or(i32::MAX),
                        Allowance::After(ms) => {
                            // The leader sends what it was asked for once: it must not know that this is wanted.
                            if self.session.has(&key) {
                                round.forgotten.push(key);
                            }
                            let until = now + Duration::from_millis(ms);
                            round.retry_at = Some(round.retry_at.map_or(until, |at| at.min(until)));
                            round.pausing.push(Arc::clone(partition));
                            continue;
                        }
                    };
                    if !self.session.knows(&key, partition, &position) {
                        let partition = Arc::clone(partition);
                        let max_bytes =
                            max_bytes.min(self.replication.settings.partition_max_bytes);
                        round.named.push(Named { key, partition, position, max_bytes });
                    }
                }
                NextFetch::AfterFlush => round.flushing.push(Arc::clone(partition)),
                NextFetch::From(_) | NextFetch::None => {
                    if self.session.has(&key) {
                        round.forgotten.push(key);
                    }
                }
            }
        }
        round
    }

    /// What a partition may be asked for: less than everything when its replica here is not in sync and a throttle holds for
    /// it. `limited`: another partition of the same request has been given what may go.
    fn may_take(&self, partition: &Partition, limited: &mut bool) -> Allowance {
        let limits = partition.limits_of_taking(self.replication.node_id);
        if !limits.any() {
            return Allowance::Bytes(u64::MAX);
        }
        let now_ms = self.replication.clock.monotonic_ms();
        match self.replication.partitions.throttles().taking.allowance(limits, now_ms) {
            Allowance::Bytes(bytes) if bytes < u64::MAX => {
                if std::mem::replace(limited, true) {
                    Allowance::After(NEXT_LIMITED_MS)
                } else {
                    Allowance::Bytes(bytes)
                }
            }
            other => other,
        }
    }

    fn request(&self, round: &Round) -> FetchRequest {
        let settings = &self.replication.settings;
        // Who pauses must not wait for the end of a long poll of the others.
        let until_retry = round.retry_at.map(|at| at.saturating_duration_since(Instant::now()));
        let max_wait = until_retry.map_or(settings.max_wait, |until| until.min(settings.max_wait));
        let request = FetchRequest {
            replica_state: ReplicaState {
                replica_id: self.replication.node_id,
                replica_epoch: self.replication.epoch.load(),
            },
            max_wait_ms: i32::try_from(max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: settings.min_bytes,
            max_bytes: settings.response_max_bytes,
            ..FetchRequest::default()
        };
        self.session.fill(request, &round.named, &round.forgotten)
    }

    async fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, PeerError> {
        let lane = self.number.saturating_mul(2).saturating_add(self.lane);
        let channel = Channel::Replication(lane);
        let timeout = self.replication.settings.max_wait + self.replication.settings.timeout;
        self.replication.peers.call(self.leader, channel, FETCH_VERSION, request, timeout).await
    }

    async fn answered(&mut self, response: FetchResponse) {
        if response.error_code != ErrorCode::NONE.0 {
            self.refused(ErrorCode(response.error_code)).await;
            return;
        }
        if !self.session.answered(response.session_id) {
            self.due = None;
        }
        let mut answers = Vec::new();
        let mut bytes = 0;
        let mut cuts = false;
        for topic in response.responses {
            for data in topic.partitions {
                let key = (topic.topic_id, data.partition_index);
                bytes += data.records.len();
                cuts |= cuts_log(&data);
                // What was not asked for is not looked at.
                if let Some((partition, position)) = self.session.take(&key, brings_work(&data)) {
                    self.count_throttled(&partition, data.records.len());
                    answers.push(Answer { partition, position, data });
                }
            }
        }
        let log_dir = Arc::clone(self.replication.partitions.log_dir());
        let now_ms = self.replication.clock.now_ms();
        // A truncation syncs, and many appends take long: neither on a worker thread.
        let outcomes = if cuts || bytes > MAX_INLINE_BYTES {
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
            if let Some(due) = &mut self.due {
                due.push(partition);
            }
        }
    }

    fn count_throttled(&self, partition: &Partition, bytes: usize) {
        let limits = partition.limits_of_taking(self.replication.node_id);
        if limits.any() && bytes > 0 {
            let now_ms = self.replication.clock.monotonic_ms();
            self.replication.partitions.throttles().taking.took(limits, bytes as u64, now_ms);
        }
    }

    /// The leader takes no such request at all.
    async fn refused(&mut self, code: ErrorCode) {
        self.abandon();
        let lost = [ErrorCode::FETCH_SESSION_ID_NOT_FOUND, ErrorCode::INVALID_FETCH_SESSION_EPOCH];
        if lost.contains(&code) {
            // It has been started anew, or has heard of another registration of this broker.
            tracing::debug!(leader = self.leader, %code, "a leader has forgotten what is fetched from it");
            return;
        }
        tracing::warn!(leader = self.leader, %code, "a leader refuses to be fetched from");
        tokio::time::sleep(self.replication.settings.backoff).await;
    }

    fn failed(&mut self, key: Key, partition: &Partition, error: &super::answer::AnswerError) {
        // It is named again when its pause is over, whatever the leader remembers.
        self.session.drop(&key);
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

    async fn unanswered(&mut self, error: &PeerError) {
        tracing::debug!(leader = self.leader, "no answer to a fetch: {error}");
        self.abandon();
        // The connection has a backoff of its own; a leader that is back must not be waited for.
        tokio::time::sleep(self.replication.settings.backoff.min(MAX_PAUSE)).await;
    }
}

/// Whether an answer may make the log be cut.
fn cuts_log(data: &PartitionData) -> bool {
    data.error_code != ErrorCode::NONE.0 || data.diverging_epoch.end_offset >= 0
}

/// Whether an answer has something to write or to cut: what is asked next is another thing then, or the same once more.
fn brings_work(data: &PartitionData) -> bool {
    cuts_log(data) || !data.records.is_empty()
}

pub(super) fn key_of(partition: &Partition) -> Key {
    (partition.topic_id, partition.index)
}
