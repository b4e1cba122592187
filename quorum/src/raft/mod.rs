//! The metadata quorum's Raft engine in pull form (KRaft: KIP-595, KIP-853, KIP-996), without I/O.
//!
//! | module | what |
//! |---|---|
//! | [`state`] | [`Raft`]: epoch, vote, role; every change of role |
//! | [`election`] | pre-votes, votes, candidates |
//! | [`lead`] | high watermark, check-quorum, handing over |
//! | [`serve`] | fetches of followers: frames, divergence, snapshots, waiting |
//! | [`follow`] | fetching, truncating, taking a snapshot |
//! | [`reconfigure`] | one voter joins or leaves |
//! | [`view`] | what the engine knows of the log, and who votes at which offset |
//! | [`message`], [`codec`] | what replicas say to each other, and its bytes |
//!
//! # How it works
//! Followers fetch from the leader. A fetch at an offset with the epoch of the frame before it says that everything before
//! it is durable at the sender, and whether the sender's log is the leader's. So the leader knows what a majority of voters
//! has (the high watermark: everything before it is committed), and tells it with its answers.
//!
//! # Invariants
//! - An epoch has one leader at most: a voter votes once an epoch, and its vote is durable before it is sent.
//! - A leader has everything that is committed: a voter votes only for a log that is not behind its own, and two majorities
//!   share a voter.
//! - A frame is committed when a majority of the voters of the newest set has it *and* a frame of the leader's own epoch is
//!   committed with it or was before; so every leader begins with a frame of its own.
//! - A leader appends only. A follower truncates only what is not committed.
//! - One voter joins or leaves at a time, and only after the change before is committed: old and new majorities share a voter.
//! - A voter is a node *and* its disk: an empty disk has another directory id and inherits neither votes nor fetches. While
//!   the set does not know a voter's directory id yet (a quorum that begins from node ids alone), an empty disk votes only
//!   for an empty log.
//! - Time costs availability only, never safety.

mod codec;
mod effect;
mod election;
mod follow;
mod lead;
mod message;
#[cfg(feature = "planted")]
mod planted;
mod random;
mod reconfigure;
mod serve;
mod state;
mod timing;
mod view;
mod voters;

pub use codec::{CodecError, MAX_MESSAGE_BYTES};
pub use effect::Effect;
pub use follow::NoAnswer;
pub use message::{Answer, Call, Fetched, Refusal, Request, Response};
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use state::{HardState, Raft, RaftConfig};
pub use timing::Timing;
pub use view::{LogView, VoterHistory};
pub use voters::{MAX_VOTERS, Voter, VoterSet};

/// The most bytes of frames in a fetch answer (one frame is always sent).
pub const MAX_FETCH_BYTES: usize = 1024 * 1024;
/// The most bytes of a snapshot in one answer.
pub const MAX_SNAPSHOT_CHUNK_BYTES: usize = 1024 * 1024;
/// The largest snapshot that a follower takes.
pub const MAX_SNAPSHOT_BYTES: u64 = 1024 * 1024 * 1024;
/// The most replicas that a leader keeps account of; beyond it the observer that was silent for longest is forgotten.
pub const MAX_REPLICAS: usize = 1000;
/// An observer that does not fetch for so long is forgotten (as in Kafka).
pub const OBSERVER_SESSION_MS: u64 = 300_000;
/// The most records that a node may be behind when it is to become a voter.
pub const MAX_NEW_VOTER_LAG: u64 = 1000;
