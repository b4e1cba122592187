//! Runs a source task: poll → convert → produce; offsets are committed after the acknowledgements, in order.
//!
//! ```text
//!  poll loop ──records──▶ producer
//!      │ deliveries, in order
//!      ▼
//!  committer: waits for each delivery, then writes the last offset of each source partition
//! ```

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use client::{Delivery, Producer, ProducerRecord};
use protocol::Str;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::committer::{Committer, Submitted};
use super::conversion::SourceConversion;
use super::progress::Progress;
use super::reporter::Reporter;
use super::tolerance::{Concerned, ErrorHandler, Stage};
use super::topic_creation::TopicCreation;
use crate::api::{ConnectError, SourceRecord, SourceTask, SourceTaskContext};
use crate::config::Config;
use crate::kafka::OffsetStore;

/// Records that were handed to the producer and whose acknowledgement is awaited, at most.
const MAX_UNACKNOWLEDGED: usize = 20_000;

/// How long to wait after an error that may pass.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Everything that a source task runs with.
pub struct SourceRun {
    pub task: Box<dyn SourceTask>,
    pub config: Arc<Config>,
    pub context: SourceTaskContext,
    pub conversion: SourceConversion,
    pub errors: Arc<ErrorHandler>,
    pub producer: Producer,
    pub topic_creation: TopicCreation,
    pub offsets: OffsetStore,
    pub flush_interval: Duration,
    pub progress: Arc<Progress>,
    pub reporter: Reporter,
    pub paused: watch::Receiver<bool>,
    pub stop: CancellationToken,
}

impl std::fmt::Debug for SourceRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceRun({})", self.errors.id)
    }
}

impl SourceRun {
    /// Runs until it is stopped or fails; then commits what was acknowledged.
    ///
    /// # Errors
    /// What made the task fail.
    pub async fn run(mut self) -> Result<(), ConnectError> {
        let started = self.start().await;
        let result = match started {
            Ok(true) => self.work().await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        self.task.stop().await;
        result
    }

    async fn start(&mut self) -> Result<bool, ConnectError> {
        while let Err(error) = self.offsets.refresh().await {
            tracing::warn!(task = %self.errors.id, %error, "cannot read the source offsets; trying again");
            if !wait(&self.stop, BACK_OFF).await {
                return Ok(false);
            }
        }
        self.task.start(self.context.clone(), &self.config).await?;
        self.reporter.running().await;
        Ok(true)
    }

    async fn work(&mut self) -> Result<(), ConnectError> {
        let (submit, submitted) = mpsc::channel(MAX_UNACKNOWLEDGED);
        let failed = CancellationToken::new();
        let committer = Committer {
            connector: self.context.connector.name.to_string(),
            offsets: self.offsets.clone(),
            errors: Arc::clone(&self.errors),
            progress: Arc::clone(&self.progress),
            flush_interval: self.flush_interval,
        };
        let guard = failed.clone().drop_guard();
        let (commits, committed) = watch::channel(0u64);
        let committing = tokio::spawn(async move {
            let result = committer.run(submitted, commits).await;
            drop(guard);
            result
        });
        let polled = self.poll_loop(submit, committed, &failed).await;
        let committed = match committing.await {
            Ok(committed) => committed,
            Err(error) => Err(ConnectError::fatal(format!("the committer failed: {error}"))),
        };
        // What the committer met is the cause, when the loop only ended because of it.
        polled.and(committed)
    }

    async fn poll_loop(
        &mut self,
        submit: mpsc::Sender<Submitted>,
        mut committed: watch::Receiver<u64>,
        failed: &CancellationToken,
    ) -> Result<(), ConnectError> {
        let stop = self.stop.clone();
        let mut topics = HashSet::new();
        loop {
            if *self.paused.borrow_and_update() {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = failed.cancelled() => return Ok(()),
                    changed = self.paused.changed() => if changed.is_err() { return Ok(()) },
                }
                continue;
            }
            if committed.has_changed().unwrap_or(false) {
                committed.mark_unchanged();
                self.task.committed().await?;
            }
            let polled = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = failed.cancelled() => return Ok(()),
                polled = self.task.poll() => polled,
            };
            let records = match polled {
                Ok(records) => records,
                Err(error) if error.is_retriable() => {
                    tracing::warn!(task = %self.errors.id, %error, "a poll failed; trying again");
                    if !wait(&stop, BACK_OFF).await {
                        return Ok(());
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let count = records.len();
            if count > 0 {
                self.progress.working();
            }
            for record in records {
                let sent = tokio::select! {
                    biased;
                    () = stop.cancelled() => return Ok(()),
                    () = failed.cancelled() => return Ok(()),
                    sent = self.send(record, &mut topics) => sent?,
                };
                if submit.send(sent).await.is_err() {
                    return Ok(());
                }
            }
            self.progress.polled(count, self.task.at_end());
            self.reporter.note(self.task.note()).await;
        }
    }

    /// Converts a record and hands it to the producer. One that cannot be handled goes to the error handler, and its
    /// offset counts as if it had been written.
    async fn send(
        &mut self,
        record: SourceRecord,
        topics: &mut HashSet<Str>,
    ) -> Result<Submitted, ConnectError> {
        let SourceRecord { record, source_partition, source_offset } = record;
        let topic = record.topic.clone();
        let delivery = match self.conversion.convert(&record).await? {
            Some(record) => {
                if !topics.contains(&topic) {
                    self.topic_creation.ensure(&topic).await?;
                    self.reporter.topic_used(&topic, now_ms()).await;
                    topics.insert(topic.clone());
                }
                self.produce(record).await?
            }
            None => None,
        };
        Ok(Submitted { delivery, topic, partition: source_partition, offset: source_offset })
    }

    async fn produce(&mut self, record: ProducerRecord) -> Result<Option<Delivery>, ConnectError> {
        let topic = record.topic.clone();
        match self.producer.send(record).await {
            Ok(delivery) => Ok(Some(delivery)),
            Err(error @ client::ProduceError::RecordTooLarge { .. }) => {
                let concerned = Concerned {
                    stage: Stage::KafkaProduce,
                    class: "org.apache.kafka.connect.runtime.WorkerSourceTask",
                    topic: &topic,
                    consumed: None,
                };
                let error = ConnectError::fatal(error.to_string());
                self.errors.give_up(concerned, error).await.map(|()| None)
            }
            Err(error) => {
                Err(ConnectError::fatal(format!("cannot produce to the topic {topic}: {error}")))
            }
        }
    }
}

/// False when the task is to stop meanwhile.
pub(super) async fn wait(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
