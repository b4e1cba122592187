//! How far behind the worker is.

use super::status::StatusBoard;
use client::{Admin, ClientError, OffsetSpec, TopicPartition};
use protocol::Str;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const INTERVAL: Duration = Duration::from_secs(1);

/// Keeps the ends of the worker's input partitions on the board.
pub(super) async fn watch(admin: Admin, board: StatusBoard, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let inputs = board.inputs();
        if inputs.is_empty() {
            continue;
        }
        let asked: Vec<_> = inputs
            .into_iter()
            .map(|(topic, partition)| (TopicPartition::new(topic, partition), OffsetSpec::Latest))
            .collect();
        let mut ends = BTreeMap::new();
        for (id, listed) in admin.list_offsets(&asked).await {
            if let Ok(listed) = listed {
                ends.insert((id.topic.to_string(), id.partition), listed.offset);
            }
        }
        board.set_ends(ends);
    }
}

/// What the group has still to read, by partition: committed offset against the end. A partition without a commit
/// counts from its first record on.
async fn unread(
    admin: &Admin,
    group: &str,
    topics: &[String],
) -> Result<(BTreeMap<TopicPartition, i64>, u64), ClientError> {
    let mut partitions = Vec::new();
    for topic in admin.describe_topics(topics).await? {
        if let Some(error) = topic.error {
            return Err(ClientError::Api(error));
        }
        let name = Str::from(topic.name);
        partitions.extend(topic.partitions.iter().map(|p| TopicPartition::new(name.clone(), p.id)));
    }
    let list = async |spec: OffsetSpec| -> Result<BTreeMap<TopicPartition, i64>, ClientError> {
        let asked: Vec<_> = partitions.iter().map(|id| (id.clone(), spec)).collect();
        let listed = admin.list_offsets(&asked).await;
        listed.into_iter().map(|(id, listed)| Ok((id, listed?.offset))).collect()
    };
    let ends = list(OffsetSpec::Latest).await?;
    let begins = list(OffsetSpec::Earliest).await?;
    let committed = admin.committed_offsets(group).await?;
    let unread = ends.iter().map(|(id, end)| {
        let first = begins.get(id).copied().unwrap_or(0);
        let next = committed.get(id).copied().unwrap_or(first).max(first);
        u64::try_from(end - next).unwrap_or(0)
    });
    let unread = unread.sum();
    Ok((ends, unread))
}

/// Waits until the group has processed and committed everything that there is in `topics`, internal topics
/// included. Two looks with the same ends: what the first look found processed has no more consequences.
pub(super) async fn caught_up(
    admin: &Admin,
    group: &str,
    topics: &[String],
) -> Result<(), ClientError> {
    const PAUSE: Duration = Duration::from_millis(50);
    let mut before = None;
    loop {
        let (ends, unread) = unread(admin, group, topics).await?;
        let settled = unread == 0 && before.as_ref() == Some(&ends);
        if settled {
            return Ok(());
        }
        before = (unread == 0).then_some(ends);
        tokio::time::sleep(PAUSE).await;
    }
}
