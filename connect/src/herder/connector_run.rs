//! Runs one connector: starts it, lets it split its work, stops it. Its methods may block, so they run where that is
//! allowed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::executor::{Message, Shared};
use super::machine::{Epoch, Event};
use crate::api::{ConnectError, ConnectorContext};
use crate::config::Config;
use crate::config::connector::{CONNECTOR_CLASS, TASKS_MAX};
use crate::plugins::{AnyConnector, Plugins};

/// The key under which Kafka keeps the task's class in its configuration.
const TASK_CLASS: &str = "task.class";

/// A running connector, for the executor.
#[derive(Debug)]
pub struct ConnectorHandle {
    pub epoch: Epoch,
    pub stop: CancellationToken,
    /// Asks the connector to split its work anew.
    pub split: Arc<Notify>,
}

/// Starts a connector; what becomes of it is told by events.
pub fn run_connector(
    shared: Arc<Shared>,
    events: mpsc::Sender<Message>,
    name: &str,
    epoch: Epoch,
    config: Arc<Config>,
) -> ConnectorHandle {
    let (stop, split) = (CancellationToken::new(), Arc::new(Notify::new()));
    let handle = ConnectorHandle { epoch, stop: stop.clone(), split: Arc::clone(&split) };
    let name = name.to_owned();
    tokio::spawn(async move {
        let event = match live(&shared, &events, &name, epoch, config, &stop, &split).await {
            Ok(()) => Event::ConnectorStopped { name, epoch },
            Err(error) => Event::ConnectorFailed { name, epoch, trace: error.to_string() },
        };
        // Nobody listens any more only when the worker is gone.
        let _ = events.send(Message::Event(event)).await;
    });
    handle
}

async fn live(
    shared: &Shared,
    events: &mpsc::Sender<Message>,
    name: &str,
    epoch: Epoch,
    config: Arc<Config>,
    stop: &CancellationToken,
    split: &Notify,
) -> Result<(), ConnectError> {
    let mut connector = make(&shared.plugins, &config)?;
    let context = ConnectorContext::new(name, &shared.files_dir);
    let started = Arc::clone(&config);
    connector =
        on_thread(connector, move |connector| connector.connector_mut().start(context, &started))
            .await?
            .0;
    let tell = |event| async { events.send(Message::Event(event)).await.is_ok() };
    tell(Event::ConnectorRunning { name: name.to_owned(), epoch }).await;
    loop {
        let split_config = Arc::clone(&config);
        let (back, configs) =
            on_thread(connector, move |connector| task_configs(connector, &split_config)).await?;
        connector = back;
        tell(Event::TaskConfigs { name: name.to_owned(), epoch, configs }).await;
        tokio::select! {
            () = stop.cancelled() => break,
            () = split.notified() => {}
        }
    }
    on_thread(connector, |connector| {
        connector.connector_mut().stop();
        Ok(())
    })
    .await
    .map(|_| ())
}

fn make(plugins: &Plugins, config: &Config) -> Result<AnyConnector, ConnectError> {
    let class = config.get(CONNECTOR_CLASS).map(String::as_str).unwrap_or_default();
    match plugins.connector(class) {
        Some((_, connector)) => Ok(connector),
        None => {
            Err(ConnectError::fatal(format!("this worker has no connector of the class {class:?}")))
        }
    }
}

fn task_configs(
    connector: &mut AnyConnector,
    config: &Config,
) -> Result<Vec<Config>, ConnectError> {
    let max = config.get(TASKS_MAX).and_then(|max| max.trim().parse().ok()).unwrap_or(1);
    let mut configs = connector.connector().task_configs(config, max)?;
    if configs.len() > max as usize {
        return Err(ConnectError::fatal(format!(
            "the connector made {} tasks, more than tasks.max = {max}",
            configs.len()
        )));
    }
    for task in &mut configs {
        task.insert(TASK_CLASS.to_owned(), connector.connector().task_class().to_owned());
    }
    Ok(configs)
}

/// Runs a connector's method on a thread that may block. A panic is the connector's error, not the worker's.
async fn on_thread<T: Send + 'static>(
    mut connector: AnyConnector,
    call: impl FnOnce(&mut AnyConnector) -> Result<T, ConnectError> + Send + 'static,
) -> Result<(AnyConnector, T), ConnectError> {
    let work = tokio::task::spawn_blocking(move || {
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| call(&mut connector)));
        result.map(|result| result.map(|value| (connector, value)))
    });
    match work.await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(ConnectError::fatal(format!(
            "the connector panicked: {}",
            panic_message(panic.as_ref())
        ))),
        Err(error) => Err(ConnectError::fatal(format!("the connector was cut off: {error}"))),
    }
}

/// What a panic said.
pub fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector() -> AnyConnector {
        Plugins::builtin().connector("FileStreamSource").unwrap().1
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_connector() {
        let error = on_thread(connector(), |_| -> Result<(), ConnectError> { panic!("oh no") });
        let error = error.await.unwrap_err().to_string();
        assert_eq!(error, "the connector panicked: oh no");
    }

    #[test]
    fn task_configurations_carry_their_class() {
        let config = Config::from([("file".to_owned(), "a".to_owned())]);
        let configs = task_configs(&mut connector(), &config).unwrap();
        assert_eq!(configs.len(), 1);
        assert_eq!(configs[0][TASK_CLASS], "org.apache.kafka.connect.file.FileStreamSourceTask");
        assert_eq!(configs[0]["file"], "a");
    }
}
