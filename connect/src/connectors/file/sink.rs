//! `org.apache.kafka.connect.file.FileStreamSinkConnector`: each record becomes a line of a text file.
//!
//! Lines can be read as soon as they are written; they are durable (`fdatasync`) at each offset commit. Within one
//! worker's file every record is there once, also after a crash ([`super::journal`]); somebody who reads along may see
//! the lines since the last commit vanish and come again. Beside Kafka's keys there is `line.format`
//! ([`super::format`]); its default writes the value alone, as Kafka does.

use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::format::LineFormat;
use super::journal::{JournalError, JournaledFile};
use super::{FILE, check_file};
use crate::api::{
    ConnectError, Connector, OpenedPartition, SinkConnector, SinkOffsets, SinkRecord, SinkTask,
    SinkTaskContext, TopicPartition,
};
use crate::config::{Config, ConfigDef, ConfigKey, ConfigType, Importance, Validator};

const LINE_FORMAT: &str = "line.format";

/// How long a task waits for a file that somebody else writes. A pod that is deleted without grace may live on beside the
/// one that replaces it, and holds the file until the kubelet has ended it.
const FILE_WAIT: Duration = Duration::from_secs(if cfg!(test) { 1 } else { 60 });
const FILE_RETRY_DELAY: Duration = Duration::from_millis(200);

/// Writes one file with one task.
#[derive(Clone, Copy, Debug)]
pub struct FileStreamSinkConnector;

impl Connector for FileStreamSinkConnector {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::required(FILE, ConfigType::String)
                    .doc(
                        Importance::High,
                        "The text file to append to. A relative path is below the worker's folder for files.",
                    )
                    .check(Validator::Custom(check_file)),
            )
            .define(
                ConfigKey::with_default(LINE_FORMAT, ConfigType::String, LineFormat::KAFKAS)
                    .doc(
                        Importance::Medium,
                        "How a record becomes a line: text with {key}, {value}, {topic}, {partition}, {offset} and \
                         {timestamp}; \\t is a tab, \\n a line feed.",
                    )
                    .check(Validator::Custom(|text| LineFormat::parse(text).map(|_| ()))),
            )
    }

    fn task_configs(&self, config: &Config, _max_tasks: u32) -> Result<Vec<Config>, ConnectError> {
        // A file has one writer.
        Ok(vec![config.clone()])
    }

    fn task_class(&self) -> &'static str {
        "org.apache.kafka.connect.file.FileStreamSinkTask"
    }
}

impl SinkConnector for FileStreamSinkConnector {
    fn task(&self) -> Box<dyn SinkTask> {
        Box::new(FileStreamSinkTask::default())
    }
}

#[derive(Debug, Default)]
struct FileStreamSinkTask {
    file: Option<JournaledFile>,
    format: LineFormat,
    /// The next offset of every partition after what was put.
    next: SinkOffsets,
}

impl FileStreamSinkTask {
    /// Runs a step on the file where it may block.
    async fn with_file<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut JournaledFile) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, ConnectError> {
        let mut file =
            self.file.take().ok_or_else(|| ConnectError::fatal("the file is not open"))?;
        let work = tokio::task::spawn_blocking(move || {
            let result = step(&mut file);
            (file, result)
        });
        let (file, result) =
            work.await.map_err(|e| ConnectError::fatal(format!("the writer failed: {e}")))?;
        self.file = Some(file);
        result.map_err(|e| ConnectError::fatal(e.to_string()))
    }
}

/// Opens the file, once whoever writes it has ended. Blocks.
fn open_when_free(path: &Path) -> Result<JournaledFile, JournalError> {
    let began = Instant::now();
    loop {
        match JournaledFile::open(path) {
            Err(JournalError::Locked { .. }) if began.elapsed() < FILE_WAIT => {
                std::thread::sleep(FILE_RETRY_DELAY);
            }
            opened => return opened,
        }
    }
}

impl SinkTask for FileStreamSinkTask {
    fn start<'a>(
        &'a mut self,
        context: SinkTaskContext,
        config: &'a Config,
    ) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(async move {
            let (parsed, problems) = FileStreamSinkConnector.config_def().parse(config);
            if let Some(problem) = problems.into_iter().next() {
                return Err(ConnectError::fatal(problem.message));
            }
            let format = parsed.text(LINE_FORMAT).unwrap_or(LineFormat::KAFKAS);
            self.format = LineFormat::parse(format).map_err(ConnectError::Fatal)?;
            let path = context.connector.file(parsed.text(FILE).unwrap_or_default());
            let opened = tokio::task::spawn_blocking(move || open_when_free(&path)).await;
            let opened = opened.map_err(|e| ConnectError::fatal(e.to_string()))?;
            self.file = Some(opened.map_err(|e| ConnectError::fatal(e.to_string()))?);
            Ok(())
        })
    }

    fn open<'a>(
        &'a mut self,
        partitions: &'a [OpenedPartition],
    ) -> BoxFuture<'a, Result<SinkOffsets, ConnectError>> {
        Box::pin(async move {
            let Some(file) = &mut self.file else { return Ok(SinkOffsets::new()) };
            let moved = partitions.iter().filter_map(|opened| {
                let start = file.start(&opened.partition, opened.committed)?;
                Some((opened.partition.clone(), start))
            });
            Ok(moved.collect())
        })
    }

    fn put<'a>(&'a mut self, records: &'a [SinkRecord]) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(async move {
            if records.is_empty() {
                return Ok(());
            }
            let mut lines = Vec::new();
            for record in records {
                self.format.append(&mut lines, record);
            }
            self.with_file(move |file| file.append(&lines)).await?;
            for record in records {
                self.next.insert(record.original.clone(), record.offset + 1);
            }
            Ok(())
        })
    }

    fn pre_commit<'a>(
        &'a mut self,
        offsets: &'a SinkOffsets,
    ) -> BoxFuture<'a, Result<SinkOffsets, ConnectError>> {
        Box::pin(async move {
            let flushed = offsets.clone();
            self.with_file(move |file| file.flush(&flushed)).await?;
            Ok(offsets.clone())
        })
    }

    fn committed(&mut self, offsets: &SinkOffsets) {
        if let Some(file) = &mut self.file {
            file.committed(offsets);
        }
    }

    /// Partitions may be lost without a commit; what was written of them must be known all the same.
    fn close<'a>(
        &'a mut self,
        _partitions: &'a [TopicPartition],
    ) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(async move {
            let next = std::mem::take(&mut self.next);
            self.with_file(move |file| file.flush(&next)).await
        })
    }

    fn stop(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let Some(file) = self.file.take() else { return };
            match tokio::task::spawn_blocking(move || file.close()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the file was not closed cleanly"),
                Err(error) => tracing::warn!(%error, "the file was not closed cleanly"),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{
        ConnectRecord, ConnectorContext, ErrantRecordReporter, RawRecord, SchemaAndValue, Value,
    };

    #[derive(Debug)]
    struct NoReports;

    impl ErrantRecordReporter for NoReports {
        fn report<'a>(
            &'a self,
            _record: &'a SinkRecord,
            error: ConnectError,
        ) -> BoxFuture<'a, Result<(), ConnectError>> {
            Box::pin(std::future::ready(Err(error)))
        }
    }

    async fn start(dir: &Path, format: &str) -> Result<Box<dyn SinkTask>, ConnectError> {
        let config: Config =
            [(FILE, "out.txt"), (LINE_FORMAT, format)].map(|(k, v)| (k.into(), v.into())).into();
        let mut task = FileStreamSinkConnector.task();
        let connector = ConnectorContext::new("c", dir);
        let context = SinkTaskContext { connector, task: 0, errant: Arc::new(NoReports) };
        task.start(context, &config).await?;
        Ok(task)
    }

    fn record(offset: i64, key: &str, count: i64) -> SinkRecord {
        SinkRecord {
            record: ConnectRecord {
                topic: "counts".into(),
                key: SchemaAndValue { schema: None, value: Value::string(key) },
                value: SchemaAndValue { schema: None, value: Value::Int64(count) },
                ..ConnectRecord::default()
            },
            original: TopicPartition::new("counts", 0),
            offset,
            raw: RawRecord::default(),
        }
    }

    fn opened(committed: Option<i64>) -> [OpenedPartition; 1] {
        [OpenedPartition { partition: TopicPartition::new("counts", 0), committed }]
    }

    #[tokio::test]
    async fn records_are_lines_and_a_killed_task_repeats_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let counts = TopicPartition::new("counts", 0);
        let mut task = start(dir.path(), r"{key}\t{value}").await.unwrap();
        assert!(task.open(&opened(None)).await.unwrap().is_empty());
        task.put(&[record(0, "a", 1), record(1, "b", 1)]).await.unwrap();
        let offsets = SinkOffsets::from([(counts.clone(), 2)]);
        assert_eq!(task.pre_commit(&offsets).await.unwrap(), offsets);
        task.put(&[record(2, "a", 2)]).await.unwrap();
        drop(task);

        let mut task = start(dir.path(), r"{key}\t{value}").await.unwrap();
        let starts = task.open(&opened(None)).await.unwrap();
        assert_eq!(starts, SinkOffsets::from([(counts, 2)]));
        task.put(&[record(2, "a", 2)]).await.unwrap();
        let text = std::fs::read_to_string(dir.path().join("out.txt")).unwrap();
        assert_eq!(text, "a\t1\nb\t1\na\t2\n");
    }

    #[tokio::test]
    async fn two_tasks_do_not_write_one_file() {
        let dir = tempfile::tempdir().unwrap();
        let _first = start(dir.path(), "{value}").await.unwrap();
        let error = start(dir.path(), "{value}").await.err().unwrap().to_string();
        assert!(error.contains("each sink needs a file of its own"), "{error}");
    }
}
