//! Plans moves of partitions: off brokers that go ([`evacuate`]), on to brokers that have too few ([`spread`]),
//! and to another number of replicas ([`resize`]).
//!
//! Pure: from the image and what the brokers say of themselves ([`Survey`]: bytes of partitions, traffic, room on disks) to
//! reassignments, a bounded number at a time. What is under way is in the image, so planning again after any interruption
//! goes on where it was.
//!
//! Plans move as little as possible: a partition loses only replicas that must go, and replicas that are in the right place
//! stay there. No plan fills a disk: a broker gets nothing that would leave less than [`Disk::headroom`] of it free, and
//! nothing at all while it does not say how much there is.

mod board;
mod evacuate;
mod even;
mod leaders;
mod load;
mod resize;
mod spread;
mod survey;
#[cfg(test)]
mod testing;
mod traffic;

use protocol::Str;

pub use evacuate::{Remaining, evacuate, remaining};
pub use load::{bytes_under_way, under_way};
pub use resize::{Misfits, misfits, resize};
pub use spread::spread;
pub use survey::{Disk, Report, Sizes, Survey};
pub use traffic::{Rate, Traffic};

use crate::controller::Reassignment;
use crate::image::PartitionImage;

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
