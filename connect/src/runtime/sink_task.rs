//! Runs a sink task: consume → convert → put; offsets are committed after the task has flushed.
//!
//! The task's partitions change only inside [`SinkRun::rebalance`]: what was put is flushed and committed before
//! partitions are given up, and nothing of a new partition is put before the task has said where to begin.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{
    Client, CommitError, ConsumeError, Consumer, ConsumerConfig, ConsumerRecord, RebalanceEvent,
    TopicPartition,
};
use futures_util::future::BoxFuture;
use protocol::Str;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::conversion::SinkConversion;
use super::reporter::Reporter;
use super::source_task::wait;
use super::tolerance::{Concerned, ErrorHandler, Stage};
use crate::api::{
    ConnectError, ConnectorContext, ErrantRecordReporter, OpenedPartition, SinkOffsets, SinkRecord,
    SinkTask, SinkTaskContext,
};
use crate::config::Config;

/// Longest wait for records before the task looks at its other duties.
const POLL: Duration = Duration::from_millis(100);

/// How long to wait before records that could not be put are put again, and after an error of the consumer.
const BACK_OFF: Duration = Duration::from_millis(500);

/// The consumer group of a sink's tasks.
pub fn group_id(connector: &str) -> String {
    format!("connect-{connector}")
}

/// Everything that a sink task runs with.
pub struct SinkRun {
    pub task: Box<dyn SinkTask>,
    pub config: Arc<Config>,
    pub connector: ConnectorContext,
    pub topics: Vec<String>,
    pub conversion: SinkConversion,
    pub errors: Arc<ErrorHandler>,
    pub client: Client,
    pub consumer: ConsumerConfig,
    pub flush_interval: Duration,
    pub reporter: Reporter,
    pub paused: watch::Receiver<bool>,
    pub stop: CancellationToken,
}

/// Where a running task stands.
struct Standing {
    consumer: Consumer,
    open: Vec<TopicPartition>,
    /// The next offset of each partition after what was put.
    put: SinkOffsets,
    committed: SinkOffsets,
    /// Records that the task could not take yet, with the offsets after them; nothing else is consumed until it has.
    again: Option<(Vec<SinkRecord>, SinkOffsets)>,
    /// Whether the consumer is held back, by a pause or by `again`.
    held: bool,
    due: Instant,
    topics: HashSet<Str>,
}

impl std::fmt::Debug for SinkRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SinkRun({})", self.errors.id)
    }
}

impl SinkRun {
    /// Runs until it is stopped or fails; then flushes and commits what was put.
    ///
    /// # Errors
    /// What made the task fail.
    pub async fn run(mut self) -> Result<(), ConnectError> {
        let result = match self.start().await {
            Ok(consumer) => {
                let mut standing = Standing {
                    consumer,
                    open: Vec::new(),
                    put: SinkOffsets::new(),
                    committed: SinkOffsets::new(),
                    again: None,
                    held: false,
                    due: Instant::now() + self.flush_interval,
                    topics: HashSet::new(),
                };
                let result = self.work(&mut standing).await;
                let ended = match result {
                    Ok(()) => self.give_up_partitions(&mut standing, true).await,
                    Err(error) => Err(error),
                };
                standing.consumer.close().await;
                ended
            }
            Err(error) => Err(error),
        };
        self.task.stop().await;
        result
    }

    async fn start(&mut self) -> Result<Consumer, ConnectError> {
        let class = self.conversion.classes.of(Stage::TaskPut).to_owned();
        let context = SinkTaskContext {
            connector: self.connector.clone(),
            task: self.errors.id.task,
            errant: Arc::new(Errant { errors: Arc::clone(&self.errors), class }),
        };
        self.task.start(context, &self.config).await?;
        let consumer = Consumer::new(&self.client, self.consumer.clone());
        consumer
            .subscribe(self.topics.clone())
            .map_err(|e| ConnectError::fatal(format!("cannot subscribe: {e}")))?;
        self.reporter.running().await;
        Ok(consumer)
    }

    async fn work(&mut self, at: &mut Standing) -> Result<(), ConnectError> {
        let stop = self.stop.clone();
        loop {
            self.hold(at);
            let polled = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                polled = at.consumer.poll(POLL) => polled,
            };
            let mut records = match polled {
                Ok(records) => records,
                Err(error) if is_final(&error) => {
                    return Err(ConnectError::fatal(format!("cannot consume: {error}")));
                }
                Err(error) => {
                    let note = format!("cannot consume: {error}; trying again");
                    self.reporter.note(Some(note)).await;
                    if !wait(&stop, BACK_OFF).await {
                        return Ok(());
                    }
                    continue;
                }
            };
            for event in at.consumer.take_rebalance_events() {
                let moved = self.rebalance(at, event).await?;
                // What was read of these before the task said where to begin comes again from there.
                records.retain(|record| !moved.contains(&record.topic_partition()));
            }
            match at.again.take() {
                None => self.deliver(at, records).await?,
                Some((records, next)) => {
                    if !wait(&stop, BACK_OFF).await {
                        return Ok(());
                    }
                    self.put(at, records, next).await?;
                }
            }
            let waits = at.open.is_empty();
            let note = waits.then(|| format!("waits for partitions of {}", self.topics.join(", ")));
            self.reporter.note(note).await;
            if Instant::now() >= at.due {
                self.commit(at).await?;
                at.due = Instant::now() + self.flush_interval;
            }
        }
    }

    /// Keeps the consumer from giving out records while the task is paused or cannot take any; it stays in its group.
    fn hold(&mut self, at: &mut Standing) {
        let hold = *self.paused.borrow_and_update() || at.again.is_some();
        if hold != at.held {
            at.held = hold;
            if hold {
                at.consumer.pause(&at.open);
            } else {
                at.consumer.resume(&at.open);
            }
        }
    }

    /// Follows a rebalance. Returns the partitions that begin elsewhere than at the committed offset.
    async fn rebalance(
        &mut self,
        at: &mut Standing,
        event: RebalanceEvent,
    ) -> Result<Vec<TopicPartition>, ConnectError> {
        match event {
            RebalanceEvent::Revoked(_) => {
                self.give_up_partitions(at, true).await?;
                Ok(Vec::new())
            }
            RebalanceEvent::Lost(_) => {
                self.give_up_partitions(at, false).await?;
                Ok(Vec::new())
            }
            RebalanceEvent::Assigned(partitions) => {
                self.give_up_partitions(at, false).await?;
                self.open(at, partitions).await
            }
        }
    }

    async fn open(
        &mut self,
        at: &mut Standing,
        partitions: Vec<TopicPartition>,
    ) -> Result<Vec<TopicPartition>, ConnectError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let committed = loop {
            match at.consumer.committed(&partitions).await {
                Ok(committed) => break committed,
                Err(CommitError::Client(error)) if error.is_retriable() => {
                    tracing::warn!(task = %self.errors.id, %error, "no committed offsets; trying again");
                    if !wait(&self.stop, BACK_OFF).await {
                        return Ok(partitions);
                    }
                }
                Err(error) => {
                    let error = format!("cannot read the committed offsets: {error}");
                    return Err(ConnectError::Fatal(error));
                }
            }
        };
        let committed: SinkOffsets = committed.into_iter().collect();
        let opened: Vec<OpenedPartition> = partitions
            .iter()
            .map(|partition| OpenedPartition {
                partition: partition.clone(),
                committed: committed.get(partition).copied(),
            })
            .collect();
        let starts = self.task.open(&opened).await?;
        for (partition, offset) in &starts {
            at.consumer
                .seek(partition, *offset)
                .map_err(|e| ConnectError::fatal(format!("cannot go to the offset: {e}")))?;
        }
        if at.held {
            at.consumer.pause(&partitions);
        }
        at.open = partitions;
        // A start ahead of the committed offset is flushed already, and is to be committed.
        at.put = starts.clone();
        at.committed = committed;
        Ok(starts.into_keys().collect())
    }

    async fn give_up_partitions(
        &mut self,
        at: &mut Standing,
        commit: bool,
    ) -> Result<(), ConnectError> {
        if at.open.is_empty() {
            return Ok(());
        }
        at.again = None;
        if commit {
            self.commit(at).await?;
        }
        let open = std::mem::take(&mut at.open);
        at.put.clear();
        at.committed.clear();
        self.task.close(&open).await
    }

    async fn deliver(
        &mut self,
        at: &mut Standing,
        records: Vec<ConsumerRecord>,
    ) -> Result<(), ConnectError> {
        let mut converted = Vec::with_capacity(records.len());
        let mut next = SinkOffsets::new();
        for record in records {
            let partition = record.topic_partition();
            if !at.topics.contains(&record.topic) {
                self.reporter.topic_used(&record.topic, now_ms()).await;
                at.topics.insert(record.topic.clone());
            }
            next.insert(partition.clone(), record.offset + 1);
            converted.extend(self.conversion.convert(partition, record).await?);
        }
        self.put(at, converted, next).await
    }

    async fn put(
        &mut self,
        at: &mut Standing,
        records: Vec<SinkRecord>,
        next: SinkOffsets,
    ) -> Result<(), ConnectError> {
        let result = if records.is_empty() { Ok(()) } else { self.task.put(&records).await };
        match result {
            Ok(()) => {
                at.put.extend(next);
                Ok(())
            }
            Err(error) if error.is_retriable() => {
                tracing::warn!(task = %self.errors.id, %error, "records were not taken; putting them again");
                at.again = Some((records, next));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Lets the task flush, waits for the dead letters, commits.
    async fn commit(&mut self, at: &mut Standing) -> Result<(), ConnectError> {
        let open: Vec<_> = at
            .put
            .iter()
            .filter(|(partition, offset)| at.committed.get(*partition) != Some(*offset))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let ready = self.task.pre_commit(&at.put).await?;
        if let Some(letters) = &self.errors.dead_letters {
            letters.flush().await?;
        }
        let offsets: Vec<(TopicPartition, i64)> = ready
            .iter()
            .filter(|(partition, offset)| at.committed.get(*partition) != Some(*offset))
            .map(|(partition, offset)| (partition.clone(), *offset))
            .collect();
        match at.consumer.commit(&offsets).await {
            Ok(()) => {
                self.task.committed(&ready);
                at.committed.extend(ready);
            }
            // The next commit makes up for it; after a rebalance the new owner begins at the last one.
            Err(error) => {
                tracing::warn!(task = %self.errors.id, %error, "the offsets were not committed");
            }
        }
        Ok(())
    }
}

/// Whether an error of the consumer stays however often it is tried again.
fn is_final(error: &ConsumeError) -> bool {
    match error {
        ConsumeError::Corrupt { .. }
        | ConsumeError::NoPosition { .. }
        | ConsumeError::Closed
        | ConsumeError::NoGroup => true,
        ConsumeError::Refused { error, .. } => !error.code.is_retriable(),
        ConsumeError::Client(error) => !error.is_retriable(),
        ConsumeError::NotAssigned(_) | ConsumeError::Group(_) => false,
    }
}

/// Takes the records that a task itself cannot write.
#[derive(Debug)]
struct Errant {
    errors: Arc<ErrorHandler>,
    class: String,
}

impl ErrantRecordReporter for Errant {
    fn report<'a>(
        &'a self,
        record: &'a SinkRecord,
        error: ConnectError,
    ) -> BoxFuture<'a, Result<(), ConnectError>> {
        let concerned = Concerned {
            stage: Stage::TaskPut,
            class: &self.class,
            topic: &record.record.topic,
            consumed: Some((&record.original, record.offset, &record.raw)),
        };
        Box::pin(self.errors.give_up(concerned, error))
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
