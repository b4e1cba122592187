use std::collections::BTreeMap;

use protocol::{Str, Uuid};

/// A committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: i64,
    /// -1 when the client did not say.
    pub leader_epoch: i32,
    pub metadata: Str,
    /// When it was committed, milliseconds since 1970.
    pub commit_ms: i64,
    /// When the client wanted it forgotten (OffsetCommit v2 to v4 with a retention time).
    pub expire_ms: Option<i64>,
    /// Where in the log it was written: of two commits, the later one counts, in whichever order they became durable.
    pub log_offset: i64,
    /// The topic that it was committed for: another one of the same name, made after that was deleted, has no use for it. Zero when
    /// it is not known (a record from before there were ids).
    pub topic_id: Uuid,
}

impl CommittedOffset {
    /// Whether it says anything about the topic that has this id now; `None`: there is no such topic.
    pub fn is_of(&self, topic_id: Option<&Uuid>) -> bool {
        self.topic_id.is_zero() || topic_id.is_none_or(|id| *id == self.topic_id)
    }
}

/// The committed offsets of a group: topic → partition → offset.
#[derive(Debug, Default)]
pub struct Offsets {
    topics: BTreeMap<Str, BTreeMap<i32, CommittedOffset>>,
}

/// When offsets may be forgotten.
#[derive(Debug, Clone, Copy)]
pub struct Expiry<'a> {
    pub now_ms: i64,
    /// `offsets.retention.minutes`, in milliseconds.
    pub retention_ms: i64,
    /// An empty group's offsets age from when it became empty; else from the commit.
    pub empty_since_ms: Option<i64>,
    /// Topics that members of a consumer group consume: their offsets stay. `None`: not known, all stay.
    pub subscribed: Subscribed<'a>,
}

/// Which topics a group still needs.
#[derive(Debug, Clone, Copy)]
pub enum Subscribed<'a> {
    /// None: the group has no members.
    None,
    /// These.
    Topics(&'a std::collections::BTreeSet<Str>),
    /// Not known: all of them.
    All,
}

impl Offsets {
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    pub fn get(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.topics.get(topic)?.get(&partition)
    }

    /// Topics with their partitions.
    pub fn iter(&self) -> impl Iterator<Item = (&Str, &BTreeMap<i32, CommittedOffset>)> {
        self.topics.iter()
    }

    /// Takes a durable commit, unless a later one is known already.
    pub fn put(&mut self, topic: &Str, partition: i32, committed: CommittedOffset) {
        if !self.topics.contains_key(topic) {
            self.topics.insert(Str::copy(topic), BTreeMap::new());
        }
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        if partitions.get(&partition).is_none_or(|old| old.log_offset <= committed.log_offset) {
            partitions.insert(partition, committed);
        }
    }

    /// Forgets an offset; whether there was one.
    pub fn remove(&mut self, topic: &str, partition: i32) -> bool {
        let Some(partitions) = self.topics.get_mut(topic) else { return false };
        let removed = partitions.remove(&partition).is_some();
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
        removed
    }

    /// All partitions that have an offset.
    pub fn partitions(&self) -> Vec<(Str, i32)> {
        let topics = self.topics.iter();
        topics.flat_map(|(topic, p)| p.keys().map(|p| (topic.clone(), *p))).collect()
    }

    /// The partitions whose offsets may be forgotten now.
    pub fn expired(&self, expiry: Expiry<'_>) -> Vec<(Str, i32)> {
        let needed = |topic: &Str| match expiry.subscribed {
            Subscribed::None => false,
            Subscribed::Topics(topics) => topics.contains(topic),
            Subscribed::All => true,
        };
        let over = |committed: &CommittedOffset| match committed.expire_ms {
            Some(expire_ms) => expiry.now_ms >= expire_ms,
            None => {
                let from = expiry.empty_since_ms.unwrap_or(committed.commit_ms);
                expiry.now_ms.saturating_sub(from.max(committed.commit_ms)) >= expiry.retention_ms
            }
        };
        self.topics
            .iter()
            .filter(|(topic, _)| !needed(topic))
            .flat_map(|(topic, partitions)| partitions.iter().map(move |(p, c)| (topic, *p, c)))
            .filter(|(_, _, committed)| over(committed))
            .map(|(topic, partition, _)| (topic.clone(), partition))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn committed(commit_ms: i64, log_offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset: log_offset * 10,
            leader_epoch: -1,
            metadata: Str::EMPTY,
            commit_ms,
            expire_ms: None,
            log_offset,
            topic_id: Uuid::ZERO,
        }
    }

    #[test]
    fn the_later_commit_in_the_log_counts() {
        let mut offsets = Offsets::default();
        let t = Str::from("t");
        offsets.put(&t, 0, committed(0, 5));
        offsets.put(&t, 0, committed(0, 4));
        assert_eq!(offsets.get("t", 0).unwrap().offset, 50);
        offsets.put(&t, 0, committed(0, 6));
        assert_eq!(offsets.get("t", 0).unwrap().offset, 60);
        assert!(offsets.remove("t", 0) && !offsets.remove("t", 0) && offsets.is_empty());
    }

    #[test]
    fn expiry() {
        let mut offsets = Offsets::default();
        offsets.put(&"a".into(), 0, committed(0, 0));
        offsets.put(&"b".into(), 1, committed(50, 1));
        offsets.put(&"c".into(), 2, CommittedOffset { expire_ms: Some(20), ..committed(0, 2) });
        let only_a = BTreeSet::from([Str::from("a")]);
        let all = ["a", "b", "c"];
        let table: [(i64, Option<i64>, Subscribed<'_>, &[&str]); 7] = [
            (10, None, Subscribed::None, &[]),
            (20, None, Subscribed::None, &["c"]),
            (100, None, Subscribed::None, &["a", "c"]),
            (150, None, Subscribed::None, &all),
            (150, Some(100), Subscribed::None, &["c"]),
            (150, None, Subscribed::Topics(&only_a), &["b", "c"]),
            (150, None, Subscribed::All, &[]),
        ];
        for (now_ms, empty_since_ms, subscribed, want) in table {
            let expiry = Expiry { now_ms, retention_ms: 100, empty_since_ms, subscribed };
            let got: Vec<String> =
                offsets.expired(expiry).into_iter().map(|(topic, _)| topic.to_string()).collect();
            assert_eq!(got, want, "now {now_ms}, empty since {empty_since_ms:?}, {subscribed:?}");
        }
    }
}
