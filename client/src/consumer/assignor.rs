//! How partitions are spread over a group's members: Kafka's range and round-robin assignors. Pure.

use std::collections::BTreeMap;

use protocol::Str;

use super::config::Assignor;
use crate::TopicPartition;

/// A member and what it subscribes to.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) id: Str,
    pub(super) instance_id: Option<Str>,
    pub(super) topics: Vec<Str>,
}

impl Assignor {
    /// Its name in the group protocol.
    pub(super) fn name(self) -> Str {
        Str::from_static(match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
        })
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Range, Self::RoundRobin].into_iter().find(|a| a.name() == name)
    }

    /// The partitions of each member, in the order of `members`. `counts`: partitions of each topic that exists.
    pub(super) fn assign(
        self,
        members: &[Member],
        counts: &BTreeMap<Str, i32>,
    ) -> Vec<Vec<TopicPartition>> {
        // Kafka's order of members: static ones by their own names, before the others by their ids.
        let mut order: Vec<usize> = (0..members.len()).collect();
        order.sort_by(|a, b| key(&members[*a]).cmp(&key(&members[*b])));
        let mut assigned = vec![Vec::new(); members.len()];
        match self {
            Self::Range => range(members, &order, counts, &mut assigned),
            Self::RoundRobin => round_robin(members, &order, counts, &mut assigned),
        }
        assigned
    }
}

fn key(member: &Member) -> (bool, &Str) {
    match &member.instance_id {
        Some(id) => (false, id),
        None => (true, &member.id),
    }
}

fn range(
    members: &[Member],
    order: &[usize],
    counts: &BTreeMap<Str, i32>,
    assigned: &mut [Vec<TopicPartition>],
) {
    for (topic, count) in counts {
        let takers: Vec<usize> =
            order.iter().copied().filter(|m| members[*m].topics.contains(topic)).collect();
        let Ok(len) = i32::try_from(takers.len()) else { continue };
        if len == 0 {
            continue;
        }
        let (each, extra) = (count / len, count % len);
        let mut next = 0;
        for (i, member) in takers.into_iter().enumerate() {
            let take = each + i32::from((i as i32) < extra);
            let partitions = next..next + take;
            assigned[member].extend(partitions.map(|p| TopicPartition::new(topic.clone(), p)));
            next += take;
        }
    }
}

fn round_robin(
    members: &[Member],
    order: &[usize],
    counts: &BTreeMap<Str, i32>,
    assigned: &mut [Vec<TopicPartition>],
) {
    let mut turn = order.iter().copied().cycle().peekable();
    for (topic, count) in counts {
        let wanted = members.iter().any(|m| m.topics.contains(topic));
        for partition in 0..if wanted { *count } else { 0 } {
            while turn.peek().is_some_and(|m| !members[*m].topics.contains(topic)) {
                turn.next();
            }
            if let Some(member) = turn.next() {
                assigned[member].push(TopicPartition::new(topic.clone(), partition));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &'static str, topics: &[&'static str]) -> Member {
        let topics = topics.iter().map(|t| Str::from_static(t)).collect();
        Member { id: id.into(), instance_id: None, topics }
    }

    fn counts(of: &[(&'static str, i32)]) -> BTreeMap<Str, i32> {
        of.iter().map(|(t, n)| (Str::from_static(t), *n)).collect()
    }

    fn names(assigned: &[Vec<TopicPartition>]) -> Vec<String> {
        let name = |p: &Vec<TopicPartition>| {
            p.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assigned.iter().map(name).collect()
    }

    #[test]
    fn range_is_that_of_kafka() {
        // The example in RangeAssignor's documentation.
        let members = [member("C1", &["t0", "t1"]), member("C0", &["t0", "t1"])];
        let assigned = Assignor::Range.assign(&members, &counts(&[("t0", 3), ("t1", 3)]));
        assert_eq!(names(&assigned), ["t0-2 t1-2", "t0-0 t0-1 t1-0 t1-1"]);
    }

    #[test]
    fn round_robin_is_that_of_kafka() {
        // The examples in RoundRobinAssignor's documentation.
        let members = [member("C0", &["t0", "t1"]), member("C1", &["t0", "t1"])];
        let assigned = Assignor::RoundRobin.assign(&members, &counts(&[("t0", 3), ("t1", 3)]));
        assert_eq!(names(&assigned), ["t0-0 t0-2 t1-1", "t0-1 t1-0 t1-2"]);
        let members =
            [member("C0", &["t0"]), member("C1", &["t0", "t1"]), member("C2", &["t0", "t1", "t2"])];
        let topics = counts(&[("t0", 1), ("t1", 2), ("t2", 3)]);
        let assigned = Assignor::RoundRobin.assign(&members, &topics);
        assert_eq!(names(&assigned), ["t0-0", "t1-0", "t1-1 t2-0 t2-1 t2-2"]);
    }

    #[test]
    fn static_members_come_first_by_their_own_names() {
        let mut last = member("A", &["t"]);
        last.id = "Z".into();
        last.instance_id = Some("i".into());
        let members = [member("A", &["t"]), last];
        let assigned = Assignor::Range.assign(&members, &counts(&[("t", 3)]));
        assert_eq!(names(&assigned), ["t-2", "t-0 t-1"]);
    }

    #[test]
    fn nobody_wants_a_topic() {
        let members = [member("A", &[])];
        for assignor in [Assignor::Range, Assignor::RoundRobin] {
            assert_eq!(names(&assignor.assign(&members, &counts(&[("t", 3)]))), [""]);
            assert!(assignor.assign(&[], &counts(&[("t", 3)])).is_empty());
        }
    }
}
