//! Sees what there is: the broker's topics, the worker's connectors, the apps.

use std::collections::BTreeMap;

use client::{Admin, ClientError, OffsetSpec, TopicPartition};
use connect::config::secret::HIDDEN;
use connect::{HerderError, Idle};
use streams::WorkerState;

use super::actual::{Actual, ActualApp, ActualConnector, ActualTopic, AppState};
use super::desired::{Desired, kafka_name_of};
use super::platform::{Platform, RunningApp};

/// A worker that began anew so often is said to have failed.
const PATIENCE: u64 = 3;

/// Why nothing can be seen now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObserveError {
    #[error("the broker does not answer: {0}")]
    Broker(#[from] ClientError),
    #[error("the Connect worker does not answer: {0}")]
    Connect(#[from] HerderError),
}

/// Looks once.
///
/// # Errors
/// When the broker or the worker does not answer.
pub(crate) async fn observe(
    platform: &Platform,
    desired: &Desired,
) -> Result<Actual, ObserveError> {
    Ok(Actual {
        topics: topics(&platform.client.admin(), desired).await?,
        connectors: connectors(platform).await?,
        apps: platform.apps.iter().map(|(name, running)| (name.clone(), app(running))).collect(),
    })
}

/// All topics by name; size, settings and records only of those that an object describes.
async fn topics(
    admin: &Admin,
    desired: &Desired,
) -> Result<BTreeMap<String, ActualTopic>, ClientError> {
    let listed = admin.list_topics().await?;
    let mut topics: BTreeMap<String, ActualTopic> =
        listed.into_iter().map(|topic| (topic.name, ActualTopic::default())).collect();
    let described = desired.topics.values().map(|topic| kafka_name_of(topic).to_owned());
    let described: Vec<String> = described.filter(|name| topics.contains_key(name)).collect();
    if described.is_empty() {
        return Ok(topics);
    }
    for found in admin.describe_topics(&described).await? {
        if found.error.is_some() {
            topics.remove(&found.name);
        } else if let Some(topic) = topics.get_mut(&found.name) {
            topic.partitions = i32::try_from(found.partitions.len()).unwrap_or(i32::MAX);
            let replicas = found.partitions.first().map_or(0, |partition| partition.replicas.len());
            topic.replicas = i32::try_from(replicas).unwrap_or(i32::MAX);
        }
    }
    for (name, configs) in admin.describe_topic_configs(&described).await? {
        if let (Some(topic), Ok(configs)) = (topics.get_mut(&name), configs) {
            let own = configs.into_iter().filter(client::ConfigEntry::is_of_topic);
            topic.config = own.map(|entry| (entry.name, entry.value.unwrap_or_default())).collect();
        }
    }
    count_records(admin, &mut topics).await;
    Ok(topics)
}

/// Counts the records of the topics whose partitions are known. A partition that does not answer counts as empty:
/// the number is for people.
async fn count_records(admin: &Admin, topics: &mut BTreeMap<String, ActualTopic>) {
    let partitions: Vec<TopicPartition> = topics
        .iter()
        .flat_map(|(name, topic)| {
            (0..topic.partitions).map(move |p| TopicPartition::new(name.clone(), p))
        })
        .collect();
    let ask = |spec: OffsetSpec| partitions.iter().map(|p| (p.clone(), spec)).collect::<Vec<_>>();
    let starts = admin.list_offsets(&ask(OffsetSpec::Earliest)).await;
    let ends = admin.list_offsets(&ask(OffsetSpec::Latest)).await;
    for ((partition, start), (_, end)) in starts.into_iter().zip(ends) {
        if let (Ok(start), Ok(end), Some(topic)) =
            (start, end, topics.get_mut(partition.topic.as_str()))
        {
            topic.records += u64::try_from(end.offset - start.offset).unwrap_or(0);
        }
    }
}

/// All connectors. One whose status is not known yet is there all the same.
async fn connectors(platform: &Platform) -> Result<BTreeMap<String, ActualConnector>, HerderError> {
    let herder = platform.connect.herder();
    let mut connectors = BTreeMap::new();
    for name in herder.connectors()? {
        // Gone between the two calls is as good as never there.
        let Ok(info) = herder.info(&name) else { continue };
        let mut found = ActualConnector { config: info.config, ..ActualConnector::default() };
        show_secrets(&mut found.config, platform.put.get(&name));
        if let Ok(status) = herder.status(&name) {
            found.state = status.connector.state.to_owned();
            found.tasks = status.tasks.iter().map(|task| task.state.to_owned()).collect();
            found.failure = status.failure().map(first_line);
            found.note = status.tasks.iter().find_map(|task| task.message.clone());
        }
        if let Ok(Idle::Busy(why)) = herder.idle(&name).await {
            found.note.get_or_insert(why);
        }
        connectors.insert(name, found);
    }
    Ok(connectors)
}

/// Puts in what was last given for each value that the worker hides, so that only a change looks like one.
fn show_secrets(config: &mut BTreeMap<String, String>, put: Option<&BTreeMap<String, String>>) {
    for (key, value) in config.iter_mut().filter(|(_, value)| *value == HIDDEN) {
        if let Some(given) = put.and_then(|put| put.get(key)) {
            value.clone_from(given);
        }
    }
}

fn first_line(trace: &str) -> String {
    trace.lines().next().unwrap_or("it failed without a word").to_owned()
}

fn app(running: &RunningApp) -> ActualApp {
    let status = running.worker.status();
    let state = match status.state {
        WorkerState::Running => AppState::Running,
        // It goes on trying; but what failed so often will not mend by itself.
        WorkerState::PendingError if status.restarts >= PATIENCE => {
            AppState::Failed(status.message.clone().unwrap_or_default())
        }
        WorkerState::Error | WorkerState::NotRunning => {
            AppState::Failed(status.message.clone().unwrap_or_else(|| "no reason given".to_owned()))
        }
        _ => AppState::Starting,
    };
    ActualApp {
        fingerprint: running.fingerprint,
        state,
        tasks: status.tasks.len(),
        lag: status.lag,
        note: status.message,
    }
}
