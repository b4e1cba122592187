use std::sync::Arc;

/// A topic's list of throttled replicas, as its configs write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThrottledReplicas {
    /// `*`.
    All,
    /// Partition and broker; usually none.
    Listed(Vec<(i32, i32)>),
}

impl ThrottledReplicas {
    /// Reads `*`, or `partition:broker,…`. Values are checked when they are set; what cannot be read is none.
    pub fn parse(text: &str) -> Self {
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

/// Which limits a transfer keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Kafka's, because a topic config lists the replica.
    pub listed: bool,
    /// That of reassignments, because one adds the replica.
    pub adding: bool,
}

impl Limits {
    /// Whether there is one.
    pub fn any(self) -> bool {
        self.listed || self.adding
    }
}

/// Which replication of one partition is limited on this broker, as of the metadata.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// This broker is listed as a leader.
    leader: bool,
    /// This broker is listed as a follower.
    follower: bool,
    /// Replicas that a reassignment is adding.
    adding: Arc<[i32]>,
}

impl Marks {
    /// For partition `index` on broker `node_id`; the lists are the topic's for leaders and followers.
    pub fn of(
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
    pub fn any(&self) -> bool {
        self.leader || self.follower || !self.adding.is_empty()
    }

    /// What limits what is sent to a follower: nothing when it is in sync.
    pub fn sending(&self, follower: i32, isr: &[i32]) -> Limits {
        if isr.contains(&follower) {
            return Limits::default();
        }
        Limits { listed: self.leader, adding: self.adding.contains(&follower) }
    }

    /// What limits what this broker takes as a follower: nothing when it is in sync.
    pub fn taking(&self, node_id: i32, isr: &[i32]) -> Limits {
        if isr.contains(&node_id) {
            return Limits::default();
        }
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
        assert_eq!(marks.sending(5, &[1]), Limits { listed: true, adding: true });
        assert_eq!(marks.sending(4, &[1]), Limits { listed: true, adding: false });
        assert_eq!(marks.taking(1, &[]), Limits::default());
        assert_eq!(marks.sending(5, &[1, 5]), Limits::default(), "it is in sync");
        assert!(marks.any());
        assert!(!Marks::of((1, 1), (&list, &none), &Arc::from([])).any());
    }
}
