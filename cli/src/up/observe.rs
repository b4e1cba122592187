//! Sees what there is: the broker's topics, the worker's connectors, the apps.

use std::collections::BTreeMap;

use client::{Admin, ClientError, OffsetSpec};

use super::actual::{Actual, ActualApp, ActualConnector, ActualTopic, AppState};
use super::desired::{Desired, kafka_name_of};
use super::platform::{Platform, RunningApp};
use super::reconcile::connector;

/// Looks once.
///
/// # Errors
/// When the broker does not answer.
pub(crate) async fn observe(platform: &Platform, desired: &Desired) -> Result<Actual, ClientError> {
    let mut actual =
        Actual { topics: topics(&platform.client.admin(), desired).await?, ..Actual::default() };
    actual.connectors = connectors(platform, desired, &actual).await;
    actual.apps =
        platform.apps.iter().map(|(name, running)| (name.clone(), app(running))).collect();
    Ok(actual)
}

/// All topics by name and size; settings and records only of those that an object describes.
async fn topics(
    admin: &Admin,
    desired: &Desired,
) -> Result<BTreeMap<String, ActualTopic>, ClientError> {
    let listed = admin.list_topics().await?;
    let mut topics: BTreeMap<String, ActualTopic> = listed
        .into_iter()
        .map(|topic| {
            let found = ActualTopic {
                partitions: topic.partitions,
                replicas: topic.replicas,
                ..ActualTopic::default()
            };
            (topic.name.to_string(), found)
        })
        .collect();
    let described: Vec<String> = desired
        .topics
        .values()
        .map(|topic| kafka_name_of(topic).to_owned())
        .filter(|name| topics.contains_key(name))
        .collect();
    if described.is_empty() {
        return Ok(topics);
    }
    for found in admin.describe_topic_configs(&described).await? {
        if let Some(topic) = topics.get_mut(found.topic.as_str()) {
            let own = found.configs.into_iter().filter(|entry| entry.is_topic_config());
            topic.config = own
                .map(|entry| (entry.name.to_string(), entry.value.unwrap_or_default().to_string()))
                .collect();
        }
    }
    for (topic, records) in records(admin, &described, &topics).await? {
        topics.entry(topic).or_default().records = records;
    }
    Ok(topics)
}

/// Records in each of `names`, over all partitions.
async fn records(
    admin: &Admin,
    names: &[String],
    topics: &BTreeMap<String, ActualTopic>,
) -> Result<BTreeMap<String, u64>, ClientError> {
    let ask = |spec: OffsetSpec| -> Vec<(String, i32, OffsetSpec)> {
        let partitions = |name: &String| topics.get(name).map_or(0, |topic| topic.partitions);
        names
            .iter()
            .flat_map(|name| (0..partitions(name)).map(|partition| (name.clone(), partition, spec)))
            .collect()
    };
    let mut records: BTreeMap<String, i64> = BTreeMap::new();
    for end in admin.list_offsets(&ask(OffsetSpec::Latest)).await? {
        *records.entry(end.topic.to_string()).or_default() += end.offset;
    }
    for start in admin.list_offsets(&ask(OffsetSpec::Earliest)).await? {
        *records.entry(start.topic.to_string()).or_default() -= start.offset;
    }
    Ok(records
        .into_iter()
        .map(|(topic, count)| (topic, u64::try_from(count).unwrap_or(0)))
        .collect())
}
