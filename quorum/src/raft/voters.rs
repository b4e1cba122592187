//! Who votes: [`Voter`], [`VoterSet`].

use std::collections::BTreeMap;

use protocol::Uuid;
use serde::{Deserialize, Serialize};

use crate::uuid_text;

/// The most voters that a set may have: bounds messages and the leader's state. Seven survive three failures.
pub const MAX_VOTERS: usize = 15;

/// A replica of the metadata log: a node together with the disk that it stands on (KIP-853).
///
/// A node that comes back with an empty disk has another directory id, so it is another replica: what the old one had
/// promised (a vote, a fetched frame) does not hold for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Voter {
    /// Node id, from 0.
    pub id: i32,
    /// The data folder's id; [`Uuid::ZERO`] in a set: not known yet, filled in when the node fetches for the first time.
    #[serde(with = "uuid_text")]
    pub directory_id: Uuid,
}

/// The voters at some offset of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoterSet {
    by_id: BTreeMap<i32, Uuid>,
}

impl VoterSet {
    /// A set; of several voters with the same node id the last one counts, what is beyond [`MAX_VOTERS`] does not.
    pub fn new(voters: impl IntoIterator<Item = Voter>) -> Self {
        let by_id = voters.into_iter().take(MAX_VOTERS).map(|v| (v.id, v.directory_id)).collect();
        Self { by_id }
    }

    /// How many voters there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nobody votes.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many of them are a majority.
    pub fn majority(&self) -> usize {
        self.by_id.len() / 2 + 1
    }

    /// All voters, by node id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Voter> {
        self.by_id.iter().map(|(&id, &directory_id)| Voter { id, directory_id })
    }

    /// The directory id that the set has for a node id.
    pub fn directory(&self, id: i32) -> Option<Uuid> {
        self.by_id.get(&id).copied()
    }

    /// Whether this replica votes: the node is in the set, and with this directory id or with none yet.
    pub fn contains(&self, replica: Voter) -> bool {
        self.directory(replica.id).is_some_and(|id| id.is_zero() || id == replica.directory_id)
    }

    /// This set with one more voter, or with a voter's directory id.
    pub fn with(&self, voter: Voter) -> Self {
        let mut next = self.clone();
        next.by_id.insert(voter.id, voter.directory_id);
        next
    }

    /// This set without a voter.
    pub fn without(&self, id: i32) -> Self {
        let mut next = self.clone();
        next.by_id.remove(&id);
        next
    }
}
