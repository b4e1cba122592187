//! Which brokers hold which partitions, and how few replicas must be copied for another placement.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

/// Brokers by topic and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement(BTreeMap<(String, i32), BTreeSet<i32>>);

impl Placement {
    /// Adds a topic as `vltava topic describe` prints it.
    pub fn add(&mut self, topic: &str, described: &str) -> Result<()> {
        let table = described.lines().skip_while(|line| !line.starts_with("PARTITION")).skip(1);
        for line in table.take_while(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
            let mut words = line.split_whitespace();
            let partition = words.next().context("a line without a partition")?.parse()?;
            let replicas = words.nth(1).context("a line without replicas")?.split(',');
            let replicas: Result<BTreeSet<i32>, _> = replicas.map(str::parse).collect();
            self.insert(topic, partition, replicas?);
        }
        Ok(())
    }

    /// Says which brokers hold a partition.
    pub fn insert(&mut self, topic: &str, partition: i32, brokers: BTreeSet<i32>) {
        self.0.insert((topic.to_owned(), partition), brokers);
    }

    /// Replicas of all partitions.
    pub fn replicas(&self) -> usize {
        self.0.values().map(BTreeSet::len).sum()
    }

    /// Replicas on this broker.
    pub fn share(&self, id: i32) -> usize {
        self.0.values().filter(|brokers| brokers.contains(&id)).count()
    }

    /// Whether these brokers have all replicas, and none of them two more than another one.
    pub fn is_even(&self, brokers: &[i32]) -> bool {
        let shares: Vec<usize> = brokers.iter().map(|id| self.share(*id)).collect();
        let (least, most) = (shares.iter().min(), shares.iter().max());
        shares.iter().sum::<usize>() == self.replicas()
            && most.zip(least).is_some_and(|(most, least)| most - least < 2)
    }

    /// Replicas in `after` that are on brokers where they are not here. A partition that is not here is new and not copied.
    pub fn copies_to(&self, after: &Self) -> usize {
        let new = |(key, brokers): (&(String, i32), &BTreeSet<i32>)| {
            self.0.get(key).map_or(0, |before| brokers.difference(before).count())
        };
        after.0.iter().map(new).sum()
    }

    /// The fewest replicas that must be copied until these brokers alone have all, in shares that differ by one at most: a
    /// broker that has more than its share gives the rest away, and whoever is not among them everything.
    pub fn fewest_copies(&self, brokers: &[i32]) -> usize {
        let all = self.replicas();
        let mut shares: Vec<usize> = brokers.iter().map(|id| self.share(*id)).collect();
        // Those that have most keep one more, where the shares do not come out even.
        shares.sort_by(|a, b| b.cmp(a));
        let (share, rest) = (all / shares.len().max(1), all % shares.len().max(1));
        let kept = |(at, has): (usize, &usize)| *has.min(&(share + usize::from(at < rest)));
        all - shares.iter().enumerate().map(kept).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(partitions: &[&str]) -> Placement {
        let mut text =
            "topic t  id abc\nPARTITION  LEADER  REPLICAS  IN-SYNC  START  END\n".to_owned();
        for (index, replicas) in partitions.iter().enumerate() {
            text.push_str(&format!("{index}          1       {replicas}     1      0      10\n"));
        }
        text.push_str("SETTING  VALUE\n0  1  9,9\n");
        let mut placement = Placement::default();
        placement.add("t", &text).unwrap();
        placement
    }

    #[test]
    fn shares_and_copies_are_counted_by_broker() {
        let (before, after) = (placement(&["1,2,10", "2,1"]), placement(&["3,2,10", "1,2", "7"]));
        let of = |id: i32| (before.share(id), after.share(id));
        assert_eq!([1, 2, 3, 7, 9, 10].map(of), [(2, 1), (2, 2), (0, 1), (0, 1), (0, 0), (1, 1)]);
        assert_eq!((before.copies_to(&after), before.copies_to(&before)), (1, 0));
        assert!(before.is_even(&[1, 2, 10]) && !before.is_even(&[1, 2]));
        assert!(!after.is_even(&[1, 2, 3, 4, 7, 10]), "2 has two, 4 none");
    }

    #[test]
    fn the_fewest_copies_fill_shares_and_nothing_else() {
        let five = placement(&["0,1,2"; 5]);
        assert_eq!(five.fewest_copies(&[0, 1, 2, 3, 4]), 6);
        assert_eq!(placement(&["0,1,2"; 6]).fewest_copies(&[0, 1, 2, 3, 4]), 6);
        let four = placement(&["1,2", "3,4", "1,3"]);
        assert_eq!((four.fewest_copies(&[1, 2]), four.fewest_copies(&[1, 2, 3, 4])), (3, 0));
    }
}
