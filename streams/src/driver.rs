//! The test driver: runs a topology without a broker, record by record (Kafka's `TopologyTestDriver`).
//!
//! Topics have one partition; a record is processed to the end, through all subtopologies, before the next.

use crate::store::{MemoryStores, StateEngine, StoreError};
use crate::task::{Restoring, Task, TaskParts, changelog_output, store_specs};
use crate::topology::{TaskId, Topology};
use crate::{Failure, Input, Output, ProcessError, Serde, SerdeError, Value};
use bytes::Bytes;
use protocol::{Str, Uuid};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Most records that one piped record may lead to, against loops through topics.
const MAX_STEPS: usize = 1_000_000;

/// Why a topology cannot be driven any further.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Serde(#[from] SerdeError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("the topology does not read the topic `{0}`")]
    UnknownTopic(String),
    #[error("the topology has no store `{0}`")]
    UnknownStore(String),
    #[error("one record led to more than {MAX_STEPS} others")]
    Endless,
}

/// Runs a topology in this thread.
#[derive(Debug)]
pub struct TestDriver {
    topology: Arc<Topology>,
    application_id: Str,
    engine: MemoryStores,
    topic_ids: Arc<BTreeMap<Str, Uuid>>,
    tasks: Vec<Task>,
    /// Everything that was written, by topic; internal topics too.
    topics: BTreeMap<Str, Vec<Output>>,
    /// How many records of a topic [`TestDriver::read`] has given out.
    read: BTreeMap<Str, usize>,
    offsets: BTreeMap<Str, i64>,
    failures: Vec<Failure>,
}

impl TestDriver {
    pub fn new(topology: Topology) -> Result<TestDriver, DriverError> {
        let application_id = Str::from_static("test");
        let mut names = topology.input_topics(&application_id);
        names.extend(topology.internal_topics(&application_id).into_iter().map(|t| t.name));
        let topic_ids = names
            .into_iter()
            .zip(1_u128..)
            .map(|(name, i)| (name, Uuid((i << 64 | i).to_be_bytes())))
            .collect();
        let mut driver = TestDriver {
            topology: Arc::new(topology),
            application_id,
            engine: MemoryStores::new(),
            topic_ids: Arc::new(topic_ids),
            tasks: Vec::new(),
            topics: BTreeMap::new(),
            read: BTreeMap::new(),
            offsets: BTreeMap::new(),
            failures: Vec::new(),
        };
        driver.open_tasks()?;
        Ok(driver)
    }

    fn open_tasks(&mut self) -> Result<(), DriverError> {
        for subtopology in 0..self.topology.subtopologies.len() {
            let specs = store_specs(&self.topology, subtopology);
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            let restoring = Restoring::open(TaskParts {
                id: TaskId { subtopology, partition: 0 },
                topology: &self.topology,
                application_id: &self.application_id,
                topic_ids: self.topic_ids.clone(),
                engine: self.engine.open(&names, 0)?,
                incarnation: 1,
            })?;
            let (ready, _) = restoring.finish()?;
            self.tasks.push(ready.into_task(&vec![None; names.len()])?);
        }
        Ok(())
    }

    /// Writes a record to `topic` and processes all that comes of it.
    pub fn pipe(
        &mut self,
        topic: &str,
        (key_serde, key): (Serde, Value),
        (value_serde, value): (Serde, Value),
        timestamp_ms: i64,
    ) -> Result<(), DriverError> {
        let (key, value) = (key_serde.write(&key)?, value_serde.write(&value)?);
        self.pipe_bytes(topic, key, value, timestamp_ms)
    }

    /// [`TestDriver::pipe`] with bytes that may be of the wrong type.
    pub fn pipe_bytes(
        &mut self,
        topic: &str,
        key: Option<Bytes>,
        value: Option<Bytes>,
        timestamp_ms: i64,
    ) -> Result<(), DriverError> {
        if !self.topology.input_topics(&self.application_id).contains(topic) {
            return Err(DriverError::UnknownTopic(topic.to_owned()));
        }
        let first = Input { topic: Str::copy(topic), timestamp_ms, key, value, ..Input::default() };
        let mut queue = VecDeque::from([first]);
        for _ in 0..MAX_STEPS {
            let Some(mut input) = queue.pop_front() else {
                return self.commit();
            };
            let next = self.offsets.entry(input.topic.clone()).or_default();
            input.offset = *next;
            *next += 1;
            self.process(&input, &mut queue)?;
        }
        Err(DriverError::Endless)
    }

    fn process(&mut self, input: &Input, queue: &mut VecDeque<Input>) -> Result<(), DriverError> {
        let topology = self.topology.clone();
        for (task, part) in self.tasks.iter_mut().zip(&topology.subtopologies) {
            let reads =
                part.sources.iter().any(|t| t.full_name(&self.application_id) == input.topic);
            if !reads {
                continue;
            }
            let mut out = Vec::new();
            task.process(input, &mut out, &mut self.failures)?;
            for output in out {
                if self.topic_ids.contains_key(&output.topic) {
                    queue.push_back(Input {
                        topic: output.topic.clone(),
                        timestamp_ms: output.timestamp_ms,
                        key: output.key.clone(),
                        value: output.value.clone(),
                        headers: output.headers.clone(),
                        ..Input::default()
                    });
                }
                self.topics.entry(output.topic.clone()).or_default().push(output);
            }
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), DriverError> {
        for (subtopology, task) in self.tasks.iter_mut().enumerate() {
            let mut commit = task.begin_commit();
            let specs = store_specs(&self.topology, subtopology);
            let mut ends = vec![None; specs.len()];
            for record in std::mem::take(&mut commit.changelog) {
                let store = record.store;
                let Some(output) = changelog_output(record, &specs, &self.application_id, 0) else {
                    continue;
                };
                let log = self.topics.entry(output.topic.clone()).or_default();
                log.push(output);
                if let Some(end) = ends.get_mut(store) {
                    *end = i64::try_from(log.len()).ok();
                }
            }
            task.finish_commit(commit, &ends)?;
        }
        Ok(())
    }

    /// The records written to `topic` since the last call.
    pub fn read(
        &mut self,
        topic: &str,
        key: Serde,
        value: Serde,
    ) -> Result<Vec<(Value, Value)>, DriverError> {
        let written = self.topics.get(topic).map_or(&[][..], Vec::as_slice);
        let seen = self.read.entry(Str::copy(topic)).or_default();
        let mut records = Vec::new();
        for output in written.iter().skip(*seen) {
            records.push((key.read(output.key.as_ref())?, value.read(output.value.as_ref())?));
        }
        *seen = written.len();
        Ok(records)
    }

    /// Everything that was written to `topic`, as it was written.
    pub fn written(&self, topic: &str) -> &[Output] {
        self.topics.get(topic).map_or(&[], Vec::as_slice)
    }

    /// The rows of a store, at most `limit`, in the order of their keys' bytes.
    pub fn rows(&self, store: &str, limit: usize) -> Result<Vec<(Value, Value)>, DriverError> {
        self.tasks
            .iter()
            .find_map(|task| task.rows(store, limit))
            .ok_or_else(|| DriverError::UnknownStore(store.to_owned()))?
            .map_err(DriverError::from)
    }

    /// Records that could not be processed since the last call.
    pub fn take_failures(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.failures)
    }

    pub fn topology(&self) -> &Topology {
        &self.topology
    }
}
