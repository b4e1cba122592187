//! The consumer: fetches assigned partitions in the background, gives records out by `poll`.
//!
//! `partitions` and `buffer` hold positions and what was fetched, without I/O; `fetcher` is the task that fetches and
//! finds positions; `membership` is the consumer's side of its group; `assignor` and `wire` are what consumers of a
//! group agree on. `poll` is the only place where a rebalance takes partitions away: between two polls the assignment
//! stands still.

mod assignor;
mod buffer;
mod config;
mod error;
mod fetcher;
mod membership;
mod partitions;
mod poll;
mod positions;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::Str;
use protocol::records::Record;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::group::coordinator::Coordinator;
use crate::group::{Identity, offsets};
use crate::{Client, GroupMember, TopicPartition};
pub use config::{Assignor, AutoOffsetReset, ConsumerConfig, Isolation};
pub use error::{CommitError, ConsumeError};
use partitions::Partitions;

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerRecord {
    /// Its topic.
    pub topic: Str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp_ms: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value; `None` is a deletion in a compacted topic.
    pub value: Option<Bytes>,
    /// Headers, in order; names may repeat.
    pub headers: Vec<(Str, Option<Bytes>)>,
}

impl ConsumerRecord {
    fn new(topic: Str, partition: i32, record: Record) -> Self {
        Self {
            topic,
            partition,
            offset: record.offset,
            timestamp_ms: record.timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
        }
    }

    /// Its partition.
    pub fn topic_partition(&self) -> TopicPartition {
        TopicPartition { topic: self.topic.clone(), partition: self.partition }
    }
}

/// What a rebalance does to the assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RebalanceEvent {
    /// These partitions will be given up at the next `poll`: commit before.
    Revoked(Vec<TopicPartition>),
    /// These partitions are assigned now, all of them.
    Assigned(Vec<TopicPartition>),
    /// These partitions are gone: somebody else may have them, commits will be refused.
    Lost(Vec<TopicPartition>),
}

/// Told of rebalances, from within `poll`. It may call the consumer's `commit`, `seek`, `pause`, but not `poll`.
pub trait RebalanceListener: Send + Sync + std::fmt::Debug + 'static {
    /// Partitions are about to be given up; the member joins again when the future ends.
    fn revoked<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()>;

    /// Partitions were assigned; no records are given out before the future ends.
    fn assigned<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()>;

    /// Partitions were lost without notice. Unless implemented it is the same as `revoked`.
    fn lost<'a>(&'a self, partitions: &'a [TopicPartition]) -> BoxFuture<'a, ()> {
        self.revoked(partitions)
    }
}

/// Reads records. Clones are handles of the same consumer; it ends, leaving its group, when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Consumer {
    shared: Arc<Shared>,
    _running: Arc<tokio_util::sync::DropGuard>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    config: ConsumerConfig,
    coordinator: Option<Arc<Coordinator>>,
    state: Mutex<State>,
    /// There may be something to fetch.
    fetch: Notify,
    /// There may be something to give out.
    arrived: Notify,
    /// One `poll` at a time.
    polling: tokio::sync::Mutex<()>,
    /// `close` was called: a poll that waits shall end.
    closing: CancellationToken,
    stop: CancellationToken,
}

#[derive(Debug)]
struct State {
    subscription: Vec<Str>,
    listener: Option<Arc<dyn RebalanceListener>>,
    member: Option<GroupMember>,
    partitions: Partitions,
    rebalance: Rebalance,
    events: VecDeque<RebalanceEvent>,
    /// What the next `poll` reports.
    errors: VecDeque<ConsumeError>,
    in_poll: bool,
    last_poll: Instant,
    last_auto_commit: Instant,
    /// Partition counts that this member, as the leader, assigned by.
    assigned_counts: Option<membership::Counts>,
    last_topic_check: Instant,
}

/// Where a rebalance stands, between the member's task and `poll`.
#[derive(Debug, Default)]
enum Rebalance {
    #[default]
    None,
    /// The member's task wants the partitions back.
    Wanted(oneshot::Sender<()>),
    /// The caller was told by an event, and gives them back with the next `poll`.
    Told(oneshot::Sender<()>),
    /// They were lost.
    Lost,
    /// There are new ones; `lost`: the old ones were lost, which was not told yet.
    Assigned { ids: Vec<TopicPartition>, lost: bool },
}

impl Consumer {
    /// A consumer with nothing assigned.
    pub fn new(client: &Client, config: ConsumerConfig) -> Self {
        let stop = CancellationToken::new();
        let group = config.group_id.as_deref();
        let now = Instant::now();
        let shared = Arc::new(Shared {
            client: client.clone(),
            coordinator: group.map(|group| Arc::new(Coordinator::new(client, group))),
            config,
            state: Mutex::new(State {
                subscription: Vec::new(),
                listener: None,
                member: None,
                partitions: Partitions::default(),
                rebalance: Rebalance::None,
                events: VecDeque::new(),
                errors: VecDeque::new(),
                in_poll: false,
                last_poll: now,
                last_auto_commit: now,
                assigned_counts: None,
                last_topic_check: now,
            }),
            fetch: Notify::new(),
            arrived: Notify::new(),
            polling: tokio::sync::Mutex::new(()),
            closing: CancellationToken::new(),
            stop: stop.clone(),
        });
        tokio::spawn(fetcher::run(Arc::clone(&shared)));
        Self { shared, _running: Arc::new(stop.drop_guard()) }
    }

    /// Shares the topics' partitions with the other members of the group. Rebalances are told by
    /// [`Consumer::take_rebalance_events`].
    pub fn subscribe(&self, topics: Vec<String>) -> Result<(), ConsumeError> {
        self.subscribe_to(topics, None)
    }

    /// As [`Consumer::subscribe`], with somebody to be told of rebalances.
    pub fn subscribe_with(
        &self,
        topics: Vec<String>,
        listener: Arc<dyn RebalanceListener>,
    ) -> Result<(), ConsumeError> {
        self.subscribe_to(topics, Some(listener))
    }

    fn subscribe_to(
        &self,
        topics: Vec<String>,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<(), ConsumeError> {
        let coordinator = self.shared.coordinator.as_ref().ok_or(ConsumeError::NoGroup)?;
        let member = {
            let mut state = self.shared.state.lock();
            state.subscription = topics.into_iter().map(Str::from).collect();
            state.listener = listener;
            state.last_poll = Instant::now();
            state.member.clone()
        };
        match member {
            Some(member) => member.rejoin(),
            None => {
                let member = membership::start(&self.shared, coordinator);
                self.shared.state.lock().member = Some(member);
            }
        }
        Ok(())
    }

    /// Reads exactly these partitions, outside any group's assignment. Those that stay keep their positions.
    pub fn assign(&self, partitions: Vec<TopicPartition>) {
        let mut state = self.shared.state.lock();
        state.subscription.clear();
        state.member = None;
        state.rebalance = Rebalance::None;
        state.partitions.set(&partitions, true);
        drop(state);
        self.shared.fetch.notify_one();
    }

    /// The partitions that are assigned now.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.shared.state.lock().partitions.ids()
    }

    /// Rebalances since the last call, oldest first. Only without a [`RebalanceListener`]. After a `Revoked` event
    /// `poll` returns at once, and the partitions are given up with the poll after that.
    pub fn take_rebalance_events(&self) -> Vec<RebalanceEvent> {
        self.shared.state.lock().events.drain(..).collect()
    }

    /// Goes on at an offset.
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), ConsumeError> {
        let result = self.shared.state.lock().partitions.seek(partition, offset);
        self.shared.fetch.notify_one();
        result
    }

    /// The offset after the last record that `poll` gave; `None` while it is not known or not assigned.
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared.state.lock().partitions.position(partition)
    }

    /// Gives out no records of these partitions until they are resumed.
    pub fn pause(&self, partitions: &[TopicPartition]) {
        self.shared.state.lock().partitions.set_paused(partitions, true);
    }

    /// Ends a pause.
    pub fn resume(&self, partitions: &[TopicPartition]) {
        self.shared.state.lock().partitions.set_paused(partitions, false);
        self.shared.fetch.notify_one();
        self.shared.arrived.notify_one();
    }

    /// Commits offsets for the group: of each partition the offset of the *next* record to be read.
    pub async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), CommitError> {
        self.shared.commit(offsets).await
    }

    /// What the group has committed; partitions without are left out.
    pub async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, i64)>, CommitError> {
        let coordinator = self.shared.coordinator.as_ref().ok_or(CommitError::NoGroup)?;
        let stable = self.shared.config.isolation == Isolation::ReadCommitted;
        let found = offsets::fetch(coordinator, Some(partitions), stable).await?;
        Ok(partitions.iter().filter_map(|p| Some((p.clone(), *found.get(p)?))).collect())
    }

    /// The id in the group; empty outside of one.
    pub fn member_id(&self) -> Str {
        let member = self.shared.state.lock().member.clone();
        member.map_or(Str::EMPTY, |m| m.member_id())
    }

    /// Gives up the partitions (telling the listener, committing if that is automatic), leaves the group and ends.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        let _one = self.shared.polling.lock().await;
        // Still a member while it hands over, or its commits would be refused.
        let member = self.shared.state.lock().member.clone();
        if member.is_some() {
            self.shared.hand_over().await;
        } else if self.shared.config.auto_commit_interval_ms.is_some() {
            self.shared.commit_positions().await;
        }
        self.shared.stop.cancel();
        self.shared.arrived.notify_one();
        self.shared.state.lock().member = None;
        if let Some(member) = member {
            member.leave().await;
        }
    }
}

impl Shared {
    async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), CommitError> {
        let coordinator = self.coordinator.as_ref().ok_or(CommitError::NoGroup)?;
        if offsets.is_empty() {
            return Ok(());
        }
        let identity =
            self.state.lock().member.as_ref().map_or(Identity::NOBODY, GroupMember::identity);
        let instance = self.config.group_instance_id.as_deref();
        Ok(offsets::commit(coordinator, &identity, instance, offsets).await?)
    }

    /// Commits what `poll` gave; a failure is only logged, the next commit makes up for it.
    async fn commit_positions(&self) {
        let positions = self.state.lock().partitions.positions();
        if let Err(error) = self.commit(&positions).await {
            tracing::warn!(%error, "automatic commit");
        }
    }
}
