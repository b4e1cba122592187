//! The loop of a worker: poll, process, commit; on a thread of its own.

use super::plan::{self, Plan, PlanError};
use super::sender::Sender;
use super::status::WorkerState;
use super::tasks::{Tasks, Workshop};
use crate::store::StoreError;
use crate::task::{Failure, Input, Output};
use client::{
    AutoOffsetReset, ClientError, CommitError, ConsumeError, Consumer, ConsumerConfig,
    ConsumerRecord, OffsetSpec, ProduceError, RebalanceEvent, TopicPartition,
};
use protocol::Str;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Longest wait for records before the loop looks after commits and a stop.
const POLL: Duration = Duration::from_millis(100);
const MAX_POLL_RECORDS: usize = 2_000;
/// A static member keeps its partitions this long while it restarts.
const SESSION_TIMEOUT_MS: u32 = 10_000;
/// Longest restoration: the loop does not poll meanwhile.
const MAX_POLL_INTERVAL_MS: u32 = 3_600_000;
/// First and longest pause after a session failed.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A session that lasted so long begins a new row of pauses.
const STEADY: Duration = Duration::from_secs(60);
/// Broken records that are logged between two commits; all are counted.
const MAX_LOGGED_FAILURES: usize = 10;

/// Why a session ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("reading: {0}")]
    Consume(#[from] ConsumeError),
    #[error("writing: {0}")]
    Produce(#[from] ProduceError),
    #[error("committing offsets: {0}")]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the thread is given.
#[derive(Debug)]
pub(super) struct StreamThread {
    pub workshop: Workshop,
    pub instance_id: String,
    pub commit_interval: Duration,
    /// Commit as soon as there is nothing to read.
    pub eager: Arc<AtomicBool>,
}

/// One membership in the group, with its producer.
struct Session {
    consumer: Consumer,
    sender: Sender,
    plan: Plan,
    tasks: Tasks,
    last_commit: Instant,
    logged_failures: usize,
}

impl StreamThread {
    /// Runs until it is stopped.
    pub(super) fn run(&self) {
        let _entered = self.workshop.runtime.enter();
        let board = &self.workshop.board;
        let mut pause = FIRST_PAUSE;
        while !self.workshop.stop.is_cancelled() {
            let began = Instant::now();
            match self.session() {
                Ok(()) | Err(SessionError::Stopped) => break,
                Err(error) => {
                    board.remove_tasks();
                    board.restarted();
                    tracing::error!(app = %self.workshop.application_id, %error,
                        "the session failed; it begins anew from the last commit");
                    board.set_state(WorkerState::PendingError, Some(error.to_string()));
                }
            }
            if began.elapsed() > STEADY {
                pause = FIRST_PAUSE;
            }
            self.sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        board.remove_tasks();
        if let Err(error) = self.workshop.engine.sync() {
            tracing::warn!(%error, "the state could not be written to the disk at the end");
        }
        board.set_state(WorkerState::NotRunning, None);
    }

    fn sleep(&self, pause: Duration) {
        self.workshop.runtime.block_on(async {
            tokio::select! {
                () = self.workshop.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        });
    }

    fn session(&self) -> Result<(), SessionError> {
        let Workshop { runtime, admin, topology, application_id, board, stop, .. } = &self.workshop;
        board.set_state(WorkerState::Created, Some("looking for the cluster".to_owned()));
        let plan = runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => Err(SessionError::Stopped),
                plan = plan::prepare(admin, topology, application_id, board) => Ok(plan?),
            }
        })?;
        board.set_state(WorkerState::Rebalancing, Some("joining the group".to_owned()));
        let consumer = Consumer::new(&self.workshop.client, self.consumer_config());
        consumer.subscribe(plan.inputs.keys().map(ToString::to_string).collect())?;
        let sender = Sender::new(&self.workshop.client);
        let last_commit = Instant::now();
        let tasks = Tasks::default();
        let mut session =
            Session { consumer, sender, plan, tasks, last_commit, logged_failures: 0 };
        let outcome = self.poll_loop(&mut session);
        if outcome.is_err() {
            session.tasks.abandon();
        }
        // What is left is said in vain if the cluster is gone.
        let _ = self.workshop.wait(session.consumer.close());
        outcome
    }

    fn consumer_config(&self) -> ConsumerConfig {
        ConsumerConfig {
            group_id: Some(self.workshop.application_id.to_string()),
            group_instance_id: Some(self.instance_id.clone()),
            auto_offset_reset: AutoOffsetReset::Earliest,
            max_poll_records: MAX_POLL_RECORDS,
            max_poll_interval_ms: MAX_POLL_INTERVAL_MS,
            session_timeout_ms: SESSION_TIMEOUT_MS,
            ..ConsumerConfig::default()
        }
    }

    fn poll_loop(&self, session: &mut Session) -> Result<(), SessionError> {
        loop {
            if self.workshop.stop.is_cancelled() {
                self.workshop.board.set_state(WorkerState::PendingShutdown, None);
                return self.commit(session);
            }
            let due = self.commit_interval.saturating_sub(session.last_commit.elapsed());
            let wait = if session.tasks.is_dirty() { POLL.min(due) } else { POLL };
            let polled = self.workshop.wait(session.consumer.poll(wait))?;
            let events = session.consumer.take_rebalance_events();
            if !events.is_empty() {
                // Records of this poll, if any, may be from before the positions were set.
                self.rebalance(session, events)?;
                continue;
            }
            let records = self.readable(session, polled)?;
            let idle = records.is_empty();
            self.process(session, records)?;
            let eager = idle && self.eager.load(Ordering::Relaxed);
            let due = session.last_commit.elapsed() >= self.commit_interval;
            if due || eager || session.tasks.want_commit() {
                self.commit(session)?;
            }
        }
    }

    /// Records that were read, or the failure if it is not one to live with.
    fn readable(
        &self,
        session: &Session,
        polled: Result<Vec<ConsumerRecord>, ConsumeError>,
    ) -> Result<Vec<ConsumerRecord>, SessionError> {
        match polled {
            Ok(records) => Ok(records),
            Err(ConsumeError::Corrupt { partition, offset, error }) => {
                tracing::error!(%partition, offset, %error, "a record cannot be read and is left out");
                session.consumer.seek(&partition, offset + 1)?;
                Ok(Vec::new())
            }
            Err(ConsumeError::Client(error)) if error.is_retriable() => {
                tracing::warn!(%error, "reading");
                Ok(Vec::new())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn rebalance(
        &self,
        session: &mut Session,
        events: Vec<RebalanceEvent>,
    ) -> Result<(), SessionError> {
        let board = &self.workshop.board;
        for event in events {
            match event {
                RebalanceEvent::Revoked(_) => {
                    self.commit(session)?;
                    session.tasks.abandon();
                    board.remove_tasks();
                    let message = Some("the group shares out the partitions anew".to_owned());
                    board.set_state(WorkerState::Rebalancing, message);
                }
                RebalanceEvent::Lost(_) => {
                    tracing::warn!("the group has given this worker's partitions away");
                    session.tasks.abandon();
                    board.remove_tasks();
                    let message = Some("joining the group again".to_owned());
                    board.set_state(WorkerState::Rebalancing, message);
                }
                RebalanceEvent::Assigned(assigned) => self.assign(session, &assigned)?,
            }
        }
        Ok(())
    }

    fn assign(
        &self,
        session: &mut Session,
        assigned: &[TopicPartition],
    ) -> Result<(), SessionError> {
        let board = &self.workshop.board;
        // What a lost producer left unacknowledged must not come behind what follows.
        self.workshop.wait(session.sender.flush())??;
        session.tasks.abandon();
        board.remove_tasks();
        board.set_state(WorkerState::Rebalancing, Some("restoring state".to_owned()));
        session.tasks = self.workshop.open(&session.plan, assigned, &mut session.sender)?;
        self.set_positions(session, assigned)?;
        session.last_commit = Instant::now();
        let idle = assigned.is_empty().then(|| "other workers have all partitions".to_owned());
        board.set_state(WorkerState::Running, idle);
        Ok(())
    }

    /// Input goes on where the state says; else where the group says; else at the beginning.
    fn set_positions(
        &self,
        session: &Session,
        assigned: &[TopicPartition],
    ) -> Result<(), SessionError> {
        let without: Vec<TopicPartition> =
            assigned.iter().filter(|id| session.tasks.position(id).is_none()).cloned().collect();
        let mut starts: Vec<(TopicPartition, i64)> = assigned
            .iter()
            .filter_map(|id| Some((id.clone(), session.tasks.position(id)?)))
            .collect();
        if !without.is_empty() {
            starts.extend(self.workshop.wait(session.consumer.committed(&without))??);
        }
        let unknown: Vec<(TopicPartition, OffsetSpec)> = without
            .into_iter()
            .filter(|id| !starts.iter().any(|(known, _)| known == id))
            .map(|id| (id, OffsetSpec::Earliest))
            .collect();
        for (id, listed) in self.workshop.wait(self.workshop.admin.list_offsets(&unknown))? {
            starts.push((id, listed?.offset));
        }
        for (id, offset) in starts {
            session.consumer.seek(&id, offset)?;
            self.workshop.board.set_position(&id.topic, id.partition, offset);
        }
        Ok(())
    }

    fn process(
        &self,
        session: &mut Session,
        records: Vec<ConsumerRecord>,
    ) -> Result<(), SessionError> {
        if records.is_empty() {
            return Ok(());
        }
        let (mut out, mut failures) = (Vec::new(), Vec::new());
        for record in records {
            let input = input(record);
            if let Some(task) = session.tasks.for_input(&input.topic, input.partition) {
                task.process(&input, &mut out, &mut failures)?;
            }
        }
        let too_large = self.workshop.wait(session.sender.send(out))??;
        for (topic, error) in too_large {
            tracing::error!(%topic, error, "a result cannot be written and is left out");
        }
        self.handle_failures(session, failures)
    }

    /// Log and continue, with the dead letter topic if the app has one.
    fn handle_failures(
        &self,
        session: &mut Session,
        failures: Vec<Failure>,
    ) -> Result<(), SessionError> {
        for failure in &failures {
            if session.logged_failures < MAX_LOGGED_FAILURES {
                tracing::warn!(step = %failure.step, topic = %failure.input.topic,
                    partition = failure.input.partition, offset = failure.input.offset,
                    error = failure.message, "a record cannot be processed and is left out");
            }
            session.logged_failures += 1;
        }
        let Some(topic) = self.workshop.topology.dead_letter_topic() else { return Ok(()) };
        let letters: Vec<Output> =
            failures.into_iter().map(|failure| dead_letter(topic.clone(), failure)).collect();
        for (_, error) in self.workshop.wait(session.sender.send(letters))?? {
            tracing::error!(error, "a dead letter cannot be written");
        }
        Ok(())
    }

    fn commit(&self, session: &mut Session) -> Result<(), SessionError> {
        session.last_commit = Instant::now();
        session.logged_failures = 0;
        let offsets = self.workshop.commit(&mut session.tasks, &mut session.sender)?;
        if offsets.is_empty() {
            return Ok(());
        }
        match self.workshop.wait(session.consumer.commit(&offsets))? {
            // The state knows its positions; a new owner of a stateless task sends again what its readers recognise.
            Err(CommitError::Rebalanced(error)) => {
                tracing::info!(%error, "offsets were not committed");
                Ok(())
            }
            Err(CommitError::Client(error)) if error.is_retriable() => {
                tracing::warn!(%error, "offsets were not committed; the next commit makes up for it");
                Ok(())
            }
            other => Ok(other?),
        }
    }
}

fn input(record: ConsumerRecord) -> Input {
    let ConsumerRecord { topic, partition, offset, timestamp_ms, key, value, headers } = record;
    Input { topic, partition, offset, timestamp_ms, key, value, headers }
}

/// The record as it was read, with KIP-1034's headers.
fn dead_letter(topic: Str, failure: Failure) -> Output {
    let Failure { step, message, input } = failure;
    let mut headers = input.headers;
    let text = |name: &'static str, value: String| {
        (Str::from_static(name), Some(bytes::Bytes::from(value.into_bytes())))
    };
    headers.push(text("__streams.errors.message", message));
    headers.push(text("__streams.errors.topic", input.topic.to_string()));
    headers.push(text("__streams.errors.partition", input.partition.to_string()));
    headers.push(text("__streams.errors.offset", input.offset.to_string()));
    headers.push(text("__streams.errors.step", step.to_string()));
    Output {
        topic,
        partition: None,
        timestamp_ms: input.timestamp_ms,
        key: input.key,
        value: input.value,
        headers,
    }
}
