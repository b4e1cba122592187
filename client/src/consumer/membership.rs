//! The consumer's side of its group: what it says, how it assigns as the leader, and how a rebalance reaches `poll`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use protocol::Str;
use tokio::sync::oneshot;

use super::assignor::Member;
use super::partitions::push_limited;
use super::{Assignor, ConsumeError, Rebalance, Shared, wire};
use crate::group::coordinator::Coordinator;
use crate::{
    Assigned, ClientError, GroupConfig, GroupError, GroupMember, GroupProtocol, JoinedMember,
    LostReason,
};

/// Partitions of each subscribed topic that exists.
pub(super) type Counts = BTreeMap<Str, i32>;

/// Holds the consumer weakly: the member must not keep a consumer alive that nobody uses.
struct Membership {
    consumer: Weak<Shared>,
}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Membership")
    }
}

/// Joins the consumer's group.
pub(super) fn start(shared: &Arc<Shared>, coordinator: &Arc<Coordinator>) -> GroupMember {
    let config = &shared.config;
    let group = GroupConfig {
        group_id: coordinator.group.clone(),
        group_instance_id: config.group_instance_id.clone(),
        session_timeout_ms: config.session_timeout_ms,
        rebalance_timeout_ms: config.max_poll_interval_ms,
        heartbeat_interval_ms: config.heartbeat_interval_ms,
    };
    let membership = Membership { consumer: Arc::downgrade(shared) };
    GroupMember::start_at(Arc::clone(coordinator), group, Arc::new(membership))
}

impl GroupProtocol for Membership {
    fn protocol_type(&self) -> Str {
        Str::from_static("consumer")
    }

    fn protocols(&self) -> Vec<(Str, Bytes)> {
        let Some(consumer) = self.consumer.upgrade() else { return Vec::new() };
        let topics = consumer.state.lock().subscription.clone();
        match wire::subscription(&topics) {
            Ok(bytes) => vec![(consumer.config.assignor.name(), bytes)],
            Err(error) => {
                tracing::error!(%error, "the subscription cannot be encoded");
                Vec::new()
            }
        }
    }

    fn assign<'a>(
        &'a self,
        protocol: &'a str,
        members: &'a [JoinedMember],
    ) -> BoxFuture<'a, Result<Vec<(Str, Bytes)>, ClientError>> {
        Box::pin(async move {
            let Some(consumer) = self.consumer.upgrade() else { return Ok(Vec::new()) };
            consumer.assign_all(protocol, members).await
        })
    }

    fn revoke(&self) -> BoxFuture<'_, ()> {
        let Some(consumer) = self.consumer.upgrade() else { return Box::pin(async {}) };
        let wait = {
            let mut state = consumer.state.lock();
            if state.has_lost() {
                state.rebalance = Rebalance::Lost;
                None
            } else if state.partitions.is_empty() {
                // An assignment that `poll` has not seen yet is given up without a word.
                state.rebalance = Rebalance::None;
                None
            } else {
                let (done, wait) = oneshot::channel();
                state.rebalance = Rebalance::Wanted(done);
                Some(wait)
            }
        };
        consumer.arrived.notify_one();
        Box::pin(async move {
            if let Some(wait) = wait {
                // An error means that the consumer was closed, or changed to `assign`.
                let _ = wait.await;
            }
        })
    }

    fn lost(&self, reason: LostReason) {
        let Some(consumer) = self.consumer.upgrade() else { return };
        tracing::warn!(?reason, "partitions lost");
        consumer.state.lock().rebalance = Rebalance::Lost;
        consumer.arrived.notify_one();
    }

    fn assigned(&self, assigned: Assigned) {
        let Some(consumer) = self.consumer.upgrade() else { return };
        let mut state = consumer.state.lock();
        if !assigned.is_leader() {
            state.assigned_counts = None;
        }
        match wire::partitions_of(&assigned.data) {
            Ok(partitions) => state.set_assigned(partitions),
            Err(error) => {
                tracing::error!(%error, "the leader's assignment cannot be read");
                state.set_assigned(Vec::new());
            }
        }
        drop(state);
        consumer.arrived.notify_one();
    }

    fn failed(&self, error: GroupError) {
        let Some(consumer) = self.consumer.upgrade() else { return };
        push_limited(&mut consumer.state.lock().errors, ConsumeError::Group(error));
        consumer.arrived.notify_one();
    }

    fn is_alive(&self) -> bool {
        let Some(consumer) = self.consumer.upgrade() else { return false };
        let state = consumer.state.lock();
        let limit = Duration::from_millis(consumer.config.max_poll_interval_ms.into());
        state.in_poll || state.last_poll.elapsed() < limit
    }
}

impl super::State {
    fn set_assigned(&mut self, ids: Vec<crate::TopicPartition>) {
        let lost = self.has_lost();
        self.rebalance = Rebalance::Assigned { ids, lost };
    }

    /// Whether partitions were lost, which `poll` has not told yet.
    fn has_lost(&self) -> bool {
        matches!(self.rebalance, Rebalance::Lost | Rebalance::Assigned { lost: true, .. })
    }
}

impl Shared {
    /// Assigns as the leader.
    async fn assign_all(
        &self,
        protocol: &str,
        joined: &[JoinedMember],
    ) -> Result<Vec<(Str, Bytes)>, ClientError> {
        let assignor = Assignor::from_name(protocol).unwrap_or(self.config.assignor);
        let mut members = Vec::with_capacity(joined.len());
        for member in joined {
            let topics = wire::topics_of(&member.metadata).unwrap_or_else(|error| {
                tracing::warn!(member = %member.member_id, %error, "unreadable subscription");
                Vec::new()
            });
            let (id, instance_id) = (member.member_id.clone(), member.instance_id.clone());
            members.push(Member { id, instance_id, topics });
        }
        let topics: BTreeSet<Str> = members.iter().flat_map(|m| m.topics.clone()).collect();
        let counts = self.count_partitions(topics.into_iter().collect()).await?;
        let assigned = assignor.assign(&members, &counts);
        self.state.lock().assigned_counts = Some(counts);
        let encode = |(member, partitions): (Member, _)| {
            let bytes = wire::assignment(partitions).map_err(crate::CallError::Encode)?;
            Ok((member.id, bytes))
        };
        members.into_iter().zip(assigned).map(encode).collect()
    }

    /// Partition counts of those topics that exist; a topic that does not is remembered with 0.
    async fn count_partitions(&self, topics: Vec<Str>) -> Result<Counts, ClientError> {
        if topics.is_empty() {
            return Ok(Counts::new());
        }
        let results = self.client.fetch_metadata(Some(&topics), true).await?;
        let mut counts: Counts = topics.into_iter().map(|t| (t, 0)).collect();
        for (topic, result) in results {
            let count = result.map_or(0, |t| t.partitions.len());
            counts.insert(topic, i32::try_from(count).unwrap_or(i32::MAX));
        }
        Ok(counts)
    }

    /// As the leader: looks whether topics have changed since the assignment, and starts a new generation if so.
    pub(super) async fn watch_topics(&self) {
        let (counts, member) = {
            let mut state = self.state.lock();
            let (Some(counts), Some(member)) =
                (state.assigned_counts.clone(), state.member.clone())
            else {
                return;
            };
            let missing = counts.values().any(|count| *count == 0);
            if !missing
                && state.last_topic_check.elapsed() < self.client.config().metadata_max_age()
            {
                return;
            }
            state.last_topic_check = std::time::Instant::now();
            (counts, member)
        };
        match self.count_partitions(counts.keys().cloned().collect()).await {
            Ok(now) if now != counts => {
                tracing::info!("subscribed topics have changed: rebalancing");
                self.state.lock().assigned_counts = Some(now);
                member.rejoin();
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "topics cannot be looked up"),
        }
    }
}
