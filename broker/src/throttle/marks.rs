use std::sync::Arc;

use super::Limits;

/// A topic's list of throttled replicas, as its configs write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ThrottledReplicas {
    /// `*`.
    All,
    /// Partition and broker; usually none.
    Listed(Vec<(i32, i32)>),
}

impl ThrottledReplicas {
    /// Reads `*`, or `partition:broker,…`. Values are checked when they are set; what cannot be read is none.
    pub(crate) fn parse(text: &str) -> Self {
        if text.trim() == "*" {
            return Self::All;
        }
        let replica = |item: &str| {
            let (partition, broker) = item.trim().split_once(':')?;
            Some((partition.parse().ok()?, broker.parse().ok()?))
        };
        Self::Listed(text.split(',').filter_map(replica).collect())
    }

    fn has(&self, partition: i32, broker: i32) -> bool {
        match self {
            Self::All => true,
            Self::Listed(replicas) => replicas.contains(&(partition, broker)),
        }
    }
}

/// Which replication of one partition is limited on this broker, as of the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Marks {
    /// This broker is listed as a leader.
    leader: bool,
    /// This broker is listed as a follower.
    follower: bool,
    /// Replicas that a reassignment is adding.
    adding: Arc<[i32]>,
}

impl Marks {
    /// For partition `index` on broker `node_id`; the lists are the topic's for leaders and followers.
    pub(crate) fn of(
        (node_id, index): (i32, i32),
        (leaders, followers): (&ThrottledReplicas, &ThrottledReplicas),
        adding: &Arc<[i32]>,
    ) -> Self {
        Self {
            leader: leaders.has(index, node_id),
            follower: followers.has(index, node_id),
            adding: Arc::clone(adding),
        }
    }

    /// Whether there is anything to look at.
    pub(crate) fn any(&self) -> bool {
        self.leader || self.follower || !self.adding.is_empty()
    }

    /// What is sent to a follower, if it is not in sync.
    pub(crate) fn sending(&self, follower: i32) -> Limits {
        Limits { listed: self.leader, adding: self.adding.contains(&follower) }
    }

    /// What this broker takes as a follower, if it is not in sync.
    pub(crate) fn taking(&self, node_id: i32) -> Limits {
        Limits { listed: self.follower, adding: self.adding.contains(&node_id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_partitions_and_brokers() {
        let list = ThrottledReplicas::parse("0:1, 2:3");
        assert!(list.has(0, 1) && list.has(2, 3) && !list.has(0, 3) && !list.has(1, 1));
        assert!(ThrottledReplicas::parse("*").has(7, 7));
        let none = ThrottledReplicas::parse("");
        assert_eq!(none, ThrottledReplicas::Listed(Vec::new()));
        let marks = Marks::of((1, 0), (&list, &none), &Arc::from([5]));
        assert_eq!(marks.sending(5), Limits { listed: true, adding: true });
        assert_eq!(marks.sending(4), Limits { listed: true, adding: false });
        assert_eq!(marks.taking(1), Limits::default());
        assert!(marks.any());
        assert!(!Marks::of((1, 1), (&list, &none), &Arc::from([])).any());
    }
}
