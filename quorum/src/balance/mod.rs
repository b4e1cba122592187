//! Plans moves of partitions: off brokers that go ([`evacuate`]), on to brokers that have too few ([`spread`]),
//! and to another number of replicas ([`resize`]).
//!
//! Pure: from the image and what is known of partitions' sizes to reassignments, a bounded number at a time. What is under
//! way is in the image, so planning again after any interruption goes on where it was.
//!
//! Plans move as little as possible: a partition loses only replicas that must go, and replicas that are in the right place
//! stay there.

mod evacuate;
mod load;
mod resize;
mod spread;
#[cfg(test)]
mod testing;

use std::collections::HashMap;

use protocol::{Str, Uuid};

pub use evacuate::{Remaining, evacuate, remaining};
pub use load::{bytes_under_way, under_way};
pub use resize::{Misfits, misfits, resize};
pub use spread::spread;

use crate::controller::Reassignment;
use crate::image::PartitionImage;

/// Bytes of partitions, by topic id and index; those that are missing count as empty.
pub type Sizes = HashMap<(Uuid, i32), u64>;

/// What shall be moved next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// To be asked for.
    pub moves: Vec<Reassignment>,
    /// Bytes that will be copied.
    pub bytes: u64,
    /// What cannot be moved.
    pub blocked: Vec<Blocked>,
}

impl Plan {
    /// Adds a move of a partition of `bytes`; those are copied to each broker that does not hold it yet.
    fn add(
        &mut self,
        (topic, index): (&str, i32),
        before: &PartitionImage,
        replicas: Vec<i32>,
        bytes: u64,
    ) {
        let new = replicas.iter().filter(|id| !before.replicas.contains(id)).count();
        self.bytes += bytes * new as u64;
        let topic = topic.to_owned();
        self.moves.push(Reassignment { topic, partition: index, replicas: Some(replicas) });
    }
}

/// A partition that cannot be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// The topic.
    pub topic: Str,
    /// Why, and what to do.
    pub why: String,
}
