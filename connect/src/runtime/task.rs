//! Starts a task with everything it needs, watches over it, and tells what became of it.

use std::sync::Arc;

use client::Producer;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::conversion::{Classes, SinkConversion, SourceConversion};
use super::converters::Converters;
use super::dead_letters::DeadLetters;
use super::overrides;
use super::progress::Progress;
use super::reporter::Reporter;
use super::sink_task::{SinkRun, group_id};
use super::source_task::SourceRun;
use super::tolerance::{ErrorHandler, ErrorPolicy};
use super::topic_creation::TopicCreation;
use crate::api::{
    ConnectError, ConnectorContext, SinkConnector, SourceConnector, SourceTaskContext,
};
use crate::config::connector::{
    CONNECTOR_CLASS, DLQ_CONTEXT_HEADERS, DLQ_REPLICATION_FACTOR, DLQ_TOPIC, TOPICS,
};
use crate::config::{Config, ConfigProblem, Parsed};
use crate::herder::connector_run::panic_message;
use crate::herder::executor::{Message, Shared};
use crate::herder::machine::{Epoch, Event, TaskSpec};
use crate::herder::names::TaskId;
use crate::herder::validate::full_def;
use crate::kafka::TopicSpec;
use crate::plugins::AnyConnector;

/// What a task is started with.
#[derive(Debug)]
pub struct TaskStart {
    pub id: TaskId,
    pub epoch: Epoch,
    pub spec: TaskSpec,
    pub paused: watch::Receiver<bool>,
    pub stop: CancellationToken,
    pub progress: Arc<Progress>,
    pub events: mpsc::Sender<Message>,
}

/// Runs a task to its end. Whatever it does (fail, panic, not stop), the worker goes on.
pub async fn supervise(shared: Arc<Shared>, start: TaskStart) {
    let (id, epoch) = (start.id.clone(), start.epoch);
    let (stop, events) = (start.stop.clone(), start.events.clone());
    let graceful = shared.settings.graceful_timeout;
    let mut task = tokio::spawn(run(shared, start));
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(graceful).await;
    };
    let result = tokio::select! {
        result = &mut task => result,
        () = overdue => {
            tracing::warn!(task = %id, "the task did not stop in time and was cut off");
            task.abort();
            task.await
        }
    };
    let event = match result {
        Ok(Ok(())) => Event::TaskStopped { id, epoch },
        Ok(Err(error)) if stop.is_cancelled() => {
            tracing::warn!(task = %id, %error, "the task failed while it was stopping");
            Event::TaskStopped { id, epoch }
        }
        Ok(Err(error)) => {
            tracing::error!(task = %id, %error, "the task failed");
            Event::TaskFailed { id, epoch, trace: error.to_string() }
        }
        Err(error) if error.is_cancelled() => Event::TaskStopped { id, epoch },
        Err(error) => {
            let panic = error.into_panic();
            let trace = format!("the task panicked: {}", panic_message(panic.as_ref()));
            tracing::error!(task = %id, trace);
            Event::TaskFailed { id, epoch, trace }
        }
    };
    // Nobody listens any more only when the worker is gone.
    let _ = events.send(Message::Event(event)).await;
}

async fn run(shared: Arc<Shared>, start: TaskStart) -> Result<(), ConnectError> {
    let class = start.spec.connector.get(CONNECTOR_CLASS).map(String::as_str).unwrap_or_default();
    let Some((_, connector)) = shared.plugins.connector(class) else {
        return Err(ConnectError::fatal(format!(
            "this worker has no connector of class {class:?}"
        )));
    };
    let def = full_def(connector.kind(), connector.connector());
    let (parsed, problems) = def.parse(&start.spec.connector);
    if let Some(problem) = problems.into_iter().next() {
        return Err(ConnectError::fatal(problem.message));
    }
    let converters = Converters::make(&shared.plugins, &shared.settings, &start.spec.connector)
        .map_err(first)?;
    match connector {
        AnyConnector::Source(source) => {
            run_source(&shared, start, source.as_ref(), &parsed, converters).await
        }
        AnyConnector::Sink(sink) => {
            run_sink(&shared, start, sink.as_ref(), &parsed, converters).await
        }
    }
}

fn reporter(shared: &Shared, start: &TaskStart) -> Reporter {
    let tracking = shared.settings.topic_tracking;
    Reporter::new(start.id.clone(), start.epoch, start.events.clone(), tracking)
}

fn classes(shared: &Shared, start: &TaskStart, task_class: &str) -> Classes {
    let worker = |key: &str| shared.settings.converter_class(key).to_owned();
    Classes::new(&start.spec.connector, worker, task_class)
}

/// The first problem as the reason why a task cannot start.
fn first(problems: Vec<ConfigProblem>) -> ConnectError {
    let problem = problems.into_iter().next();
    ConnectError::fatal(problem.map(|problem| problem.message).unwrap_or_default())
}

/// Idempotent, acks=all: the client's defaults, which are Kafka Connect's too.
fn producer(shared: &Shared, connector: &Config) -> Result<Producer, ConnectError> {
    let config = overrides::producer(&shared.settings.properties, connector).map_err(first)?;
    Ok(Producer::new(&shared.client, config))
}

async fn run_source(
    shared: &Shared,
    start: TaskStart,
    source: &dyn SourceConnector,
    parsed: &Parsed,
    converters: Converters,
) -> Result<(), ConnectError> {
    let name = &start.id.connector;
    let errors = Arc::new(ErrorHandler {
        id: start.id.clone(),
        policy: ErrorPolicy::new(parsed),
        dead_letters: None,
    });
    let classes = classes(shared, &start, source.task_class());
    let context = SourceTaskContext {
        connector: ConnectorContext::new(name, &shared.files_dir),
        task: start.id.task,
        offsets: shared.offsets.reader(name),
    };
    let creates = shared.settings.topic_creation;
    let topic_creation = TopicCreation::new(&shared.client, creates, parsed, &start.spec.connector);
    let run = SourceRun {
        task: source.task(),
        config: Arc::clone(&start.spec.task),
        context,
        conversion: SourceConversion { converters, errors: Arc::clone(&errors), classes },
        errors,
        producer: producer(shared, &start.spec.connector)?,
        topic_creation,
        offsets: shared.offsets.clone(),
        flush_interval: shared.settings.offset_flush_interval,
        reporter: reporter(shared, &start),
        progress: start.progress,
        paused: start.paused,
        stop: start.stop,
    };
    run.run().await
}

async fn run_sink(
    shared: &Shared,
    start: TaskStart,
    sink: &dyn SinkConnector,
    parsed: &Parsed,
    converters: Converters,
) -> Result<(), ConnectError> {
    let errors = Arc::new(ErrorHandler {
        id: start.id.clone(),
        policy: ErrorPolicy::new(parsed),
        dead_letters: dead_letters(shared, parsed, &start.spec.connector).await?,
    });
    let classes = classes(shared, &start, sink.task_class());
    let mut consumer =
        overrides::consumer(&shared.settings.properties, &start.spec.connector).map_err(first)?;
    consumer.group_id = Some(group_id(&start.id.connector));
    let run = SinkRun {
        task: sink.task(),
        config: Arc::clone(&start.spec.task),
        connector: ConnectorContext::new(&start.id.connector, &shared.files_dir),
        topics: parsed.list(TOPICS).to_vec(),
        conversion: SinkConversion { converters, errors: Arc::clone(&errors), classes },
        errors,
        client: shared.client.clone(),
        consumer,
        flush_interval: shared.settings.offset_flush_interval,
        reporter: reporter(shared, &start),
        paused: start.paused,
        stop: start.stop,
    };
    run.run().await
}

/// The dead-letter topic of a sink, made if it is not there.
async fn dead_letters(
    shared: &Shared,
    parsed: &Parsed,
    connector: &Config,
) -> Result<Option<DeadLetters>, ConnectError> {
    let topic = parsed.text(DLQ_TOPIC).unwrap_or_default();
    if topic.is_empty() {
        return Ok(None);
    }
    let replicas = parsed.int(DLQ_REPLICATION_FACTOR).and_then(|n| i16::try_from(n).ok());
    let spec = TopicSpec {
        name: topic.to_owned(),
        partitions: 1,
        replication_factor: replicas.unwrap_or(-1),
        configs: Default::default(),
    };
    spec.create(&shared.client.admin())
        .await
        .map_err(|e| ConnectError::fatal(format!("cannot use the dead letter topic: {e}")))?;
    let headers = parsed.is_true(DLQ_CONTEXT_HEADERS);
    Ok(Some(DeadLetters::new(producer(shared, connector)?, topic, headers)))
}
