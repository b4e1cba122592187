//! `org.apache.kafka.connect.file.FileStreamSourceConnector`: each line of a text file becomes a record.
//!
//! As in Kafka: the source partition is `{"filename": <file>}`, the source offset `{"position": <byte>}`, the value is
//! the line without its ending (`\n` or `\r\n`) as a string, and there is no key. A line is delivered once its ending is
//! written. A file that does not exist is waited for, which the task's status tells; one that cannot be read makes the
//! task FAILED. What happens to a file that is truncated or replaced is told in [`super::reader`].

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use protocol::Str;
use serde_json::json;

use super::reader::{FileReader, Line, Seen};
use super::{FILE, check_file};
use crate::api::{
    ConnectError, ConnectRecord, Connector, OffsetMap, Schema, SchemaAndValue, SourceConnector,
    SourceRecord, SourceTask, SourceTaskContext, Value,
};
use crate::config::{Config, ConfigDef, ConfigKey, ConfigType, Importance, Validator};

const TOPIC: &str = "topic";
const BATCH_SIZE: &str = "batch.size";
const FILENAME: &str = "filename";
const POSITION: &str = "position";

/// How long a task waits before it looks at the file again.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Most lines in one batch.
const MAX_BATCH_SIZE: i64 = 100_000;

/// Follows one file with one task.
#[derive(Clone, Copy, Debug)]
pub struct FileStreamSourceConnector;

impl Connector for FileStreamSourceConnector {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::required(FILE, ConfigType::String)
                    .doc(
                        Importance::High,
                        "The text file to follow. A relative path is below the worker's folder for files.",
                    )
                    .check(Validator::Custom(check_file)),
            )
            .define(
                ConfigKey::required(TOPIC, ConfigType::String)
                    .doc(Importance::High, "The topic that takes the lines.")
                    .check(Validator::NonEmpty),
            )
            .define(
                ConfigKey::with_default(BATCH_SIZE, ConfigType::Int, "2000")
                    .doc(Importance::Low, "Most lines that are read at once.")
                    .check(Validator::Range { min: Some(1), max: Some(MAX_BATCH_SIZE) }),
            )
    }

    fn task_configs(&self, config: &Config, _max_tasks: u32) -> Result<Vec<Config>, ConnectError> {
        // A file has an order, so one task reads it.
        Ok(vec![config.clone()])
    }

    fn task_class(&self) -> &'static str {
        "org.apache.kafka.connect.file.FileStreamSourceTask"
    }
}

impl SourceConnector for FileStreamSourceConnector {
    fn task(&self) -> Box<dyn SourceTask> {
        Box::new(FileStreamSourceTask::default())
    }

    fn alter_offsets(
        &self,
        _config: &Config,
        offsets: &[(OffsetMap, Option<OffsetMap>)],
    ) -> Result<(), ConnectError> {
        for (partition, offset) in offsets {
            if !partition.get(FILENAME).is_some_and(serde_json::Value::is_string) {
                return Err(ConnectError::fatal(
                    "Partition objects for this connector must have the key \"filename\" with a string",
                ));
            }
            let Some(offset) = offset else { continue };
            if offset.get(POSITION).and_then(serde_json::Value::as_u64).is_none() {
                return Err(ConnectError::fatal(
                    "Offset objects for this connector must have the key \"position\" with a non-negative whole number",
                ));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct FileStreamSourceTask {
    /// Away while a read runs on another thread.
    reader: Option<FileReader>,
    topic: Str,
    file: String,
    partition: Arc<OffsetMap>,
    batch: usize,
    seen: Option<Seen>,
    /// Where to go on from when a read was interrupted by a stop.
    position: u64,
    path: std::path::PathBuf,
}

impl FileStreamSourceTask {
    async fn read(&mut self) -> Result<Vec<Line>, ConnectError> {
        let mut reader =
            self.reader.take().unwrap_or_else(|| FileReader::new(&self.path, self.position));
        let batch = self.batch;
        let work = tokio::task::spawn_blocking(move || {
            let result = reader.read(batch);
            (reader, result)
        });
        let (reader, result) =
            work.await.map_err(|e| ConnectError::fatal(format!("the reader failed: {e}")))?;
        let (lines, seen) = result.map_err(|e| ConnectError::fatal(e.to_string()))?;
        self.position = reader.position();
        self.reader = Some(reader);
        self.seen = Some(seen);
        Ok(lines)
    }

    fn record(&self, line: Line, timestamp_ms: i64) -> SourceRecord {
        let text = match Str::from_utf8(line.bytes.clone()) {
            Ok(text) => text,
            Err(_) => Str::from(String::from_utf8_lossy(&line.bytes).into_owned()),
        };
        let mut offset = OffsetMap::new();
        offset.insert(POSITION.to_owned(), line.end.into());
        SourceRecord {
            record: ConnectRecord {
                topic: self.topic.clone(),
                value: SchemaAndValue::new(Schema::string(), Value::String(text)),
                timestamp_ms: Some(timestamp_ms),
                ..ConnectRecord::default()
            },
            source_partition: Arc::clone(&self.partition),
            source_offset: offset,
        }
    }
}

impl SourceTask for FileStreamSourceTask {
    fn start<'a>(
        &'a mut self,
        context: SourceTaskContext,
        config: &'a Config,
    ) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(async move {
            let (parsed, problems) = FileStreamSourceConnector.config_def().parse(config);
            if let Some(problem) = problems.into_iter().next() {
                return Err(ConnectError::fatal(problem.message));
            }
            let file = parsed.text(FILE).unwrap_or_default();
            self.file = file.to_owned();
            self.topic = Str::copy(parsed.text(TOPIC).unwrap_or_default());
            self.batch = parsed.int(BATCH_SIZE).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
            self.partition = Arc::new(match json!({ FILENAME: file }) {
                serde_json::Value::Object(map) => map,
                _ => OffsetMap::new(),
            });
            self.path = context.connector.file(file);
            self.position = match context.offsets.offset(&self.partition) {
                None => 0,
                Some(offset) => offset
                    .get(POSITION)
                    .and_then(serde_json::Value::as_u64)
                    .ok_or_else(|| ConnectError::fatal("the stored offset has no position"))?,
            };
            self.reader = Some(FileReader::new(&self.path, self.position));
            Ok(())
        })
    }

    fn poll(&mut self) -> BoxFuture<'_, Result<Vec<SourceRecord>, ConnectError>> {
        Box::pin(async move {
            if self.seen.as_ref().is_some_and(|seen| *seen != Seen::More) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            let lines = self.read().await?;
            if lines.is_empty() && self.seen == Some(Seen::More) {
                // The reader doubts that the file is the same and looks again.
                tokio::time::sleep(POLL_INTERVAL).await;
            }
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
            Ok(lines.into_iter().map(|line| self.record(line, now_ms)).collect())
        })
    }

    fn at_end(&self) -> bool {
        matches!(self.seen, Some(Seen::End { .. }))
    }

    fn note(&self) -> Option<String> {
        match self.seen {
            Some(Seen::Missing) => {
                Some(format!("waits for the file {}, which does not exist", self.path.display()))
            }
            Some(Seen::End { unfinished }) if unfinished > 0 => Some(format!(
                "the last line of {} has no line ending yet: {unfinished} bytes wait for it",
                self.file
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::api::{ConnectorContext, OffsetReader};

    #[derive(Debug)]
    struct At(Option<u64>);

    impl OffsetReader for At {
        fn offset(&self, partition: &OffsetMap) -> Option<OffsetMap> {
            assert_eq!(serde_json::to_string(partition).unwrap(), r#"{"filename":"in.txt"}"#);
            let mut offset = OffsetMap::new();
            offset.insert(POSITION.to_owned(), self.0?.into());
            Some(offset)
        }
    }

    async fn started(dir: &Path, at: Option<u64>) -> Box<dyn SourceTask> {
        let config: Config =
            [(FILE, "in.txt"), (TOPIC, "lines")].map(|(k, v)| (k.into(), v.into())).into();
        let mut task = FileStreamSourceConnector.task();
        let context = SourceTaskContext {
            connector: ConnectorContext::new("c", dir),
            task: 0,
            offsets: Arc::new(At(at)),
        };
        task.start(context, &config).await.unwrap();
        task
    }

    #[tokio::test]
    async fn lines_become_records_with_the_position_after_them() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("in.txt"), "skipped\nhello\nunfinished").unwrap();
        let mut task = started(dir.path(), Some(8)).await;
        let records = task.poll().await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].record.value.value, Value::string("hello"));
        assert_eq!(records[0].record.value.schema, Some(Schema::string()));
        assert_eq!(records[0].record.topic, "lines");
        assert_eq!(records[0].source_offset[POSITION], 14);
        assert!(task.at_end());
        assert!(task.note().unwrap().contains("10 bytes wait"));
    }

    #[tokio::test]
    async fn a_missing_file_is_waited_for_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut task = started(dir.path(), None).await;
        assert!(task.poll().await.unwrap().is_empty());
        assert!(!task.at_end());
        assert!(task.note().unwrap().contains("does not exist"));
        std::fs::write(dir.path().join("in.txt"), "here\n").unwrap();
        assert_eq!(task.poll().await.unwrap().len(), 1);
        assert_eq!(task.note(), None);
    }

    #[tokio::test]
    async fn a_folder_in_the_place_of_the_file_fails_the_task() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in.txt")).unwrap();
        let mut task = started(dir.path(), None).await;
        let error = task.poll().await.unwrap_err().to_string();
        assert!(error.contains("no regular file"), "{error}");
    }

    #[test]
    fn offsets_of_another_shape_are_refused() {
        let map = |text: &str| serde_json::from_str::<OffsetMap>(text).unwrap();
        let check = |partition: &str, offset: Option<&str>| {
            let offsets = [(map(partition), offset.map(map))];
            FileStreamSourceConnector.alter_offsets(&Config::new(), &offsets).is_ok()
        };
        assert!(check(r#"{"filename":"a"}"#, Some(r#"{"position":3}"#)));
        assert!(check(r#"{"filename":"a"}"#, None));
        assert!(!check(r#"{"file":"a"}"#, None));
        assert!(!check(r#"{"filename":"a"}"#, Some(r#"{"position":-3}"#)));
        assert!(!check(r#"{"filename":"a"}"#, Some(r#"{"line":3}"#)));
    }
}
