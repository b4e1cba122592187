//! What clients ask of the coordinator.

use std::sync::Arc;

use groups::record;
use groups::{
    CommittedOffset, Join, JoinAnswer, Leaving, OFFSETS_TOPIC, State, Sync, SyncAnswer,
    subscribed_topics,
};
use protocol::{ErrorCode, Str, Uuid};
use tokio::sync::oneshot;

use super::coordinator::{GroupCoordinator, Inner, SlotState};
use super::waiter::Waiter;

/// An offset to commit.
#[derive(Debug, Clone)]
pub(crate) struct CommitPartition {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// -1 when the client does not say.
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Str,
}

/// Who commits.
#[derive(Debug, Clone)]
pub(crate) struct Committer {
    pub(crate) group_id: Str,
    /// Empty for an administrator or a consumer without a group's protocol.
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    /// -1 likewise.
    pub(crate) generation: i32,
    /// How long the client wants the offsets kept; `None`: the broker's retention.
    pub(crate) retention_ms: Option<i64>,
    /// What a member of a group that does not exist is told.
    pub(crate) unknown_group: ErrorCode,
}

/// A committed offset, or offset -1 where nothing is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FetchedOffset {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Str,
}

impl FetchedOffset {
    fn of(partition: i32, committed: Option<&CommittedOffset>) -> Self {
        match committed {
            None => Self { partition, offset: -1, leader_epoch: -1, metadata: Str::EMPTY },
            Some(committed) => Self {
                partition,
                offset: committed.offset,
                leader_epoch: committed.leader_epoch,
                metadata: committed.metadata.clone(),
            },
        }
    }
}

impl GroupCoordinator {
    /// A member joins. `make` gets the request's id. Waits for the rebalance.
    pub(crate) async fn join(&self, group_id: &Str, make: impl FnOnce(u64) -> Join) -> JoinAnswer {
        let inner = &self.inner;
        let join = make(inner.next_request());
        let member_id = join.member_id.clone();
        let fail = |error| JoinAnswer::error(member_id.clone(), error);
        let waiting = inner.with_shard(group_id, |slot, shard| {
            let now = inner.now();
            if !join.member_id.is_empty() && !shard.cells.contains_key(group_id) {
                return Err(ErrorCode::UNKNOWN_MEMBER_ID);
            }
            let (sender, receiver) = oneshot::channel();
            let request = join.request;
            let mut effects = Vec::new();
            let Some(cell) = shard.get_or_create(group_id, now) else {
                return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            };
            cell.group.join(join, &inner.settings, now, &mut effects);
            shard.waiting.insert(request, Waiter::Join(sender));
            inner.carry_out(slot, shard, group_id, effects);
            Ok(receiver)
        });
        match waiting {
            Ok(Ok(receiver)) => receiver.await.unwrap_or_else(|_| fail(ErrorCode::NOT_COORDINATOR)),
            Ok(Err(error)) | Err(error) => fail(error),
        }
    }

    /// A member asks for its assignment. `make` gets the request's id. Waits for the leader's.
    pub(crate) async fn sync(&self, group_id: &Str, make: impl FnOnce(u64) -> Sync) -> SyncAnswer {
        let inner = &self.inner;
        let sync = make(inner.next_request());
        let waiting = inner.with_shard(group_id, |slot, shard| {
            let (sender, receiver) = oneshot::channel();
            let request = sync.request;
            let mut effects = Vec::new();
            let Some(cell) = shard.cells.get_mut(group_id) else {
                return Err(ErrorCode::UNKNOWN_MEMBER_ID);
            };
            cell.group.sync(sync, inner.now(), &mut effects);
            shard.waiting.insert(request, Waiter::Sync(sender));
            inner.carry_out(slot, shard, group_id, effects);
            Ok(receiver)
        });
        let error = match waiting {
            Ok(Ok(receiver)) => match receiver.await {
                Ok(answer) => return answer,
                Err(_) => ErrorCode::NOT_COORDINATOR,
            },
            // The rebalance that the member took part in is lost with the coordinator that led it: join again.
            Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::REBALANCE_IN_PROGRESS,
            Ok(Err(error)) | Err(error) => error,
        };
        SyncAnswer::error(error)
    }

    /// A member says that it lives.
    pub(crate) fn heartbeat(
        &self,
        group_id: &Str,
        member_id: &str,
        instance_id: Option<&Str>,
        generation: i32,
    ) -> ErrorCode {
        let inner = &self.inner;
        let answer = inner.with_shard(group_id, |_, shard| match shard.cells.get_mut(group_id) {
            None => ErrorCode::UNKNOWN_MEMBER_ID,
            Some(cell) => cell.group.heartbeat(member_id, instance_id, generation, inner.now()),
        });
        match answer {
            // Sessions begin anew when loading is over.
            Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) => ErrorCode::NONE,
            Ok(error) | Err(error) => error,
        }
    }

    /// Members leave; one code each.
    ///
    /// # Errors
    /// This broker cannot say.
    pub(crate) fn leave(
        &self,
        group_id: &Str,
        leaving: &[Leaving],
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let inner = &self.inner;
        inner.with_shard(group_id, |slot, shard| {
            let now = inner.now();
            let mut effects = Vec::new();
            let Some(cell) = shard.cells.get_mut(group_id) else {
                return vec![ErrorCode::UNKNOWN_MEMBER_ID; leaving.len()];
            };
            let leave = |one| cell.group.leave(one, &inner.settings, now, &mut effects);
            let codes = leaving.iter().map(leave).collect();
            inner.carry_out(slot, shard, group_id, effects);
            codes
        })
    }

    /// Commits offsets; returns when they are durable.
    ///
    /// # Errors
    /// None of them is committed.
    pub(crate) async fn commit(
        &self,
        committer: &Committer,
        partitions: Vec<CommitPartition>,
    ) -> Result<(), ErrorCode> {
        let inner = &self.inner;
        let group_id = &committer.group_id;
        let receiver = inner.with_shard(group_id, |slot, shard| {
            let now = inner.now();
            let exists = shard.cells.contains_key(group_id);
            if !exists && committer.generation >= 0 {
                return Err(committer.unknown_group);
            }
            let cell = shard.get_or_create(group_id, now);
            let cell = cell.ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
            let instance = committer.instance_id.as_ref();
            cell.group.check_commit(&committer.member_id, instance, committer.generation, now)?;
            if partitions.is_empty() {
                return Ok(None);
            }
            let commits: Vec<(Str, i32, CommittedOffset)> =
                partitions.iter().map(|p| committed(p, committer, now.wall_ms)).collect();
            let mut records = Vec::with_capacity(commits.len());
            for (topic, partition, committed) in &commits {
                let record = record::offset_record(group_id, topic, *partition, Some(committed));
                records.push(record.map_err(|_| ErrorCode::INVALID_REQUEST)?);
            }
            let appended = inner.append(slot.partition, &records)?;
            cell.commits_in_flight += 1;
            let (sender, receiver) = oneshot::channel();
            let (slot, group_id) = (Arc::clone(slot), Str::copy(group_id));
            // In a task of its own: what is in the log must come into memory even if the client goes away.
            inner.spawn(async move {
                let result = appended.committed.await;
                if let SlotState::Ready(shard) = &mut *slot.state.lock()
                    && let Some(cell) = shard.cells.get_mut(&group_id)
                {
                    cell.commits_in_flight = cell.commits_in_flight.saturating_sub(1);
                    if result.is_ok() {
                        for (i, (topic, partition, mut committed)) in (0..).zip(commits) {
                            committed.log_offset = appended.base_offset + i;
                            cell.offsets.put(&topic, partition, committed);
                        }
                    }
                }
                // A client that has gone does not want its answer.
                let _gone = sender.send(result);
            });
            Ok(Some(receiver))
        })??;
        match receiver {
            None => Ok(()),
            Some(receiver) => match receiver.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
                Err(_) => Err(ErrorCode::NOT_COORDINATOR),
            },
        }
    }

    /// Committed offsets of the partitions asked for, or all of them. A group that does not exist has none, nor has a topic that was
    /// made anew after it was deleted: what was committed before counts for the records of before.
    ///
    /// # Errors
    /// This broker cannot say.
    pub(crate) fn fetch(
        &self,
        group_id: &Str,
        topics: Option<&[(Str, Vec<i32>)]>,
    ) -> Result<Vec<(Str, Vec<FetchedOffset>)>, ErrorCode> {
        let image = self.inner.image();
        let id = |topic: &Str| image.topic(topic).map(|topic| topic.id);
        self.inner.with_shard(group_id, |_, shard| {
            let offsets = shard.cells.get(group_id).map(|cell| &cell.offsets);
            match topics {
                Some(topics) => topics
                    .iter()
                    .map(|(topic, partitions)| {
                        let id = id(topic);
                        let found = |p| {
                            let found = offsets.and_then(|offsets| offsets.get(topic, p));
                            found.filter(|committed| committed.is_of(id.as_ref()))
                        };
                        let get = |p: &i32| FetchedOffset::of(*p, found(*p));
                        (topic.clone(), partitions.iter().map(get).collect())
                    })
                    .collect(),
                None => offsets
                    .into_iter()
                    .flat_map(|offsets| offsets.iter())
                    .map(|(topic, partitions)| {
                        let id = id(topic);
                        let current = partitions.iter().filter(|(_, c)| c.is_of(id.as_ref()));
                        let get = |(p, c): (&i32, &CommittedOffset)| FetchedOffset::of(*p, Some(c));
                        (topic.clone(), current.map(get).collect::<Vec<_>>())
                    })
                    .filter(|(_, partitions)| !partitions.is_empty())
                    .collect(),
            }
        })
    }

    /// Forgets committed offsets; one code for each partition. Returns when that is durable.
    ///
    /// # Errors
    /// None is forgotten.
    pub(crate) async fn delete_offsets(
        &self,
        group_id: &Str,
        partitions: &[(Str, i32)],
    ) -> Result<Vec<ErrorCode>, ErrorCode> {
        let inner = &self.inner;
        let (codes, appended) = inner.with_shard(group_id, |slot, shard| {
            let cell = shard.cells.get_mut(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
            let subscribed = match cell.group.state() {
                State::Dead => return Err(ErrorCode::GROUP_ID_NOT_FOUND),
                State::Empty => None,
                _ => match subscribed_topics(&cell.group) {
                    None => return Err(ErrorCode::NON_EMPTY_GROUP),
                    topics => topics,
                },
            };
            let in_use = |topic: &Str| subscribed.as_ref().is_some_and(|t| t.contains(topic));
            let mut records = Vec::new();
            for (topic, partition) in partitions.iter().filter(|(topic, _)| !in_use(topic)) {
                let record = record::offset_record(group_id, topic, *partition, None);
                records.push(record.map_err(|_| ErrorCode::INVALID_REQUEST)?);
            }
            let code = |(topic, _): &(Str, i32)| {
                if in_use(topic) { ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC } else { ErrorCode::NONE }
            };
            let codes: Vec<ErrorCode> = partitions.iter().map(code).collect();
            if records.is_empty() {
                return Ok((codes, None));
            }
            let appended = inner.append(slot.partition, &records)?;
            for (topic, partition) in partitions.iter().filter(|(topic, _)| !in_use(topic)) {
                cell.offsets.remove(topic, *partition);
            }
            Ok((codes, Some(appended)))
        })??;
        if let Some(appended) = appended {
            appended.committed.await.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        }
        Ok(codes)
    }

    /// Deletes a group with its offsets; returns when that is durable.
    ///
    /// # Errors
    /// GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP, or this broker cannot say.
    pub(crate) async fn delete(&self, group_id: &Str) -> Result<(), ErrorCode> {
        let inner = &self.inner;
        let appended = inner.with_shard(group_id, |slot, shard| {
            let cell = shard.cells.get(group_id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
            if cell.group.state() != State::Empty || cell.commits_in_flight > 0 {
                return Err(ErrorCode::NON_EMPTY_GROUP);
            }
            let tombstones = shard.tombstones(group_id);
            let tombstones = tombstones.map_err(|_| ErrorCode::INVALID_REQUEST)?;
            let appended = inner.append(slot.partition, &tombstones)?;
            shard.remove(group_id, inner.now());
            Ok(appended)
        })??;
        appended.committed.await.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)
    }
}

fn committed(
    partition: &CommitPartition,
    committer: &Committer,
    now_ms: i64,
) -> (Str, i32, CommittedOffset) {
    let committed = CommittedOffset {
        offset: partition.offset,
        leader_epoch: partition.leader_epoch,
        metadata: Str::copy(&partition.metadata),
        commit_ms: now_ms,
        expire_ms: committer.retention_ms.map(|ms| now_ms.saturating_add(ms)),
        // Known when it is appended.
        log_offset: -1,
        topic_id: partition.topic_id,
    };
    (Str::copy(&partition.topic), partition.partition, committed)
}

impl Inner {
    /// Whether there is a topic for groups and offsets yet.
    pub(super) fn has_topic(&self) -> bool {
        self.image().topic(OFFSETS_TOPIC).is_some()
    }
}
