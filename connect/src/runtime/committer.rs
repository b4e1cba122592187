//! Waits for the acknowledgements of a source task's records, in order, and commits the offsets after them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use client::Delivery;
use protocol::Str;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::progress::Progress;
use super::tolerance::{Concerned, ErrorHandler, Stage};
use crate::api::{ConnectError, OffsetMap, canonical};
use crate::kafka::OffsetStore;

/// A record that was handed to the producer, or given up (then there is no delivery to wait for).
#[derive(Debug)]
pub struct Submitted {
    pub delivery: Option<Delivery>,
    pub topic: Str,
    pub partition: Arc<OffsetMap>,
    pub offset: OffsetMap,
}

/// Commits for one task.
#[derive(Debug)]
pub struct Committer {
    pub connector: String,
    pub offsets: OffsetStore,
    pub errors: Arc<ErrorHandler>,
    pub progress: Arc<Progress>,
    pub flush_interval: Duration,
}

/// What is acknowledged and not committed yet.
#[derive(Debug, Default)]
struct Pending {
    records: u64,
    offsets: BTreeMap<String, (Arc<OffsetMap>, OffsetMap)>,
    /// The last partition with its canonical form: most records of a task share it.
    last: Option<(Arc<OffsetMap>, String)>,
}

impl Pending {
    fn add(&mut self, partition: Arc<OffsetMap>, offset: OffsetMap) {
        self.records += 1;
        let name = match &self.last {
            Some((known, name)) if Arc::ptr_eq(known, &partition) => name.clone(),
            _ => {
                let name = canonical(&partition);
                self.last = Some((Arc::clone(&partition), name.clone()));
                name
            }
        };
        self.offsets.insert(name, (partition, offset));
    }
}

impl Committer {
    /// Runs until the task has handed everything over. `commits` counts the commits.
    ///
    /// # Errors
    /// When a record was not written and errors are not tolerated, or the last offsets could not be committed. What was
    /// acknowledged before a failure is committed all the same.
    pub async fn run(
        self,
        mut submitted: mpsc::Receiver<Submitted>,
        commits: watch::Sender<u64>,
    ) -> Result<(), ConnectError> {
        let mut pending = Pending::default();
        let mut due = Instant::now() + self.flush_interval;
        let result = loop {
            match timeout_at(due, submitted.recv()).await {
                Ok(None) => break Ok(()),
                Ok(Some(record)) => {
                    if let Err(error) = self.settle(record, &mut pending).await {
                        break Err(error);
                    }
                }
                Err(_) => {}
            }
            if Instant::now() >= due {
                // What could not be committed is committed with what comes next.
                if let Err(error) = self.flush(&mut pending, &commits).await {
                    tracing::warn!(connector = self.connector, %error, "trying again");
                }
                due = Instant::now() + self.flush_interval;
            }
        };
        result.and(self.flush(&mut pending, &commits).await)
    }

    async fn settle(&self, record: Submitted, pending: &mut Pending) -> Result<(), ConnectError> {
        if let Some(delivery) = record.delivery
            && let Err(error) = delivery.await
        {
            let concerned = Concerned {
                stage: Stage::KafkaProduce,
                class: "org.apache.kafka.connect.runtime.WorkerSourceTask",
                topic: &record.topic,
                consumed: None,
            };
            let error = ConnectError::fatal(error.to_string());
            self.errors.give_up(concerned, error).await?;
        }
        pending.add(record.partition, record.offset);
        Ok(())
    }

    async fn flush(
        &self,
        pending: &mut Pending,
        commits: &watch::Sender<u64>,
    ) -> Result<(), ConnectError> {
        if pending.records == 0 {
            return Ok(());
        }
        let offsets = pending.offsets.values();
        let offsets =
            offsets.map(|(partition, offset)| ((**partition).clone(), Some(offset.clone())));
        self.offsets
            .write(&self.connector, offsets)
            .await
            .map_err(|e| ConnectError::fatal(format!("cannot commit the source offsets: {e}")))?;
        pending.offsets.clear();
        self.progress.committed(std::mem::take(&mut pending.records));
        commits.send_modify(|commits| *commits += 1);
        Ok(())
    }
}
