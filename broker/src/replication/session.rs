//! What the leader knows of one fetcher's partitions (KIP-227): a request names only what has changed since.

use std::collections::HashMap;
use std::sync::Arc;

use protocol::Uuid;
use protocol::messages::FetchRequest;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use replica::FetchPosition;

use super::fetcher::Key;
use crate::partition::Partition;

/// A partition and where it is fetched from now on.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) key: Key,
    pub(super) partition: Arc<Partition>,
    pub(super) position: FetchPosition,
    /// Most bytes of it in one response.
    pub(super) max_bytes: i32,
}

/// The follower's end of a fetch session.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// 0: there is none yet, the next request begins one.
    id: i32,
    epoch: i32,
    /// What the leader has been told, or is being told by the request under way.
    known: HashMap<Key, Known>,
}

#[derive(Debug)]
struct Known {
    partition: Arc<Partition>,
    position: FetchPosition,
    /// The leader has answered with something to do: it is told the outcome in any case.
    stale: bool,
}

impl Session {
    /// Forgets the session, but not its id: the next request ends it.
    pub(super) fn abandon(&mut self) {
        self.epoch = 0;
        self.known.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.known.keys()
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.known.contains_key(key)
    }

    /// Whether the leader need not be told this position.
    pub(super) fn knows(&self, key: &Key, of: &Arc<Partition>, position: &FetchPosition) -> bool {
        self.known.get(key).is_some_and(|known| {
            !known.stale && known.position == *position && Arc::ptr_eq(&known.partition, of)
        })
    }

    /// The leader is about to be told.
    pub(super) fn name(&mut self, named: &[Named], forgotten: &[Key]) {
        for key in forgotten {
            self.known.remove(key);
        }
        for Named { key, partition, position, .. } in named {
            let partition = Arc::clone(partition);
            self.known.insert(*key, Known { partition, position: *position, stale: false });
        }
    }

    /// The request that tells it.
    pub(super) fn fill(
        &self,
        mut request: FetchRequest,
        named: &[Named],
        forgotten: &[Key],
    ) -> FetchRequest {
        (request.session_id, request.session_epoch) = (self.id, self.epoch);
        for Named { key: (topic_id, partition), position, max_bytes, .. } in named {
            let wanted = FetchPartition {
                partition: *partition,
                current_leader_epoch: position.leader_epoch,
                fetch_offset: position.offset,
                last_fetched_epoch: position.last_fetched_epoch,
                log_start_offset: position.log_start_offset,
                partition_max_bytes: *max_bytes,
                ..FetchPartition::default()
            };
            match request.topics.last_mut().filter(|topic| topic.topic_id == *topic_id) {
                Some(topic) => topic.partitions.push(wanted),
                None => request.topics.push(FetchTopic {
                    topic_id: *topic_id,
                    partitions: vec![wanted],
                    ..FetchTopic::default()
                }),
            }
        }
        let mut topics: HashMap<Uuid, Vec<i32>> = HashMap::new();
        // A session that begins has nothing to forget.
        for (topic_id, partition) in forgotten.iter().filter(|_| self.epoch > 0) {
            topics.entry(*topic_id).or_default().push(*partition);
        }
        request.forgotten_topics_data = topics
            .into_iter()
            .map(|(topic_id, partitions)| ForgottenTopic {
                topic_id,
                partitions,
                ..ForgottenTopic::default()
            })
            .collect();
        request
    }

    /// The leader has taken the request. Returns whether it keeps a session: everything is named each time otherwise.
    pub(super) fn answered(&mut self, session_id: i32) -> bool {
        if self.epoch == 0 {
            self.id = session_id;
        }
        let kept = self.id != 0;
        if kept {
            self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        } else {
            self.known.values_mut().for_each(|known| known.stale = true);
        }
        kept
    }

    /// The partition of an answer, and the position that it is an answer to. `brings_work`: see `stale`.
    pub(super) fn take(
        &mut self,
        key: &Key,
        brings_work: bool,
    ) -> Option<(Arc<Partition>, FetchPosition)> {
        let known = self.known.get_mut(key)?;
        known.stale |= brings_work;
        Some((Arc::clone(&known.partition), known.position))
    }

    /// The leader no longer knows it, or is told anew.
    pub(super) fn drop(&mut self, key: &Key) {
        self.known.remove(key);
    }
}
