//! One partition's replica on this node, as leader or follower: decisions over the storage log, without sockets, threads, clock
//! or metadata image. Whoever owns a [`Replica`] holds it under a short lock, tells it what has come, and does what it says.
//!
//! | file | what |
//! |---|---|
//! | `replica` | [`Replica`]: log, role, watermark; taking a new assignment |
//! | `assignment` | [`Assignment`], [`Rules`]: what metadata and configs say |
//! | `admit` | who may write and read here: epochs fence ([`ServeError`]) |
//! | `append` | taking records as leader; what is on disk |
//! | `leader` | what a leader knows of its followers |
//! | `watermark` | how far records are committed |
//! | `isr` | [`IsrProposal`]: who leaves and who joins the in-sync replicas |
//! | `fetch` | reading: consumers up to the high watermark, followers up to the end; where a follower diverges |
//! | `follower` | the next fetch; taking records from the leader |
//! | [`throttle`] | how fast replicas that are not in sync are filled |
//! | `truncation` | cutting off what the leader does not have |
//!
//! Must not know: tokio, requests and responses, other partitions, who asks.
//!
//! Invariants
//! - The high watermark is the least of what the *maximal* ISR holds: the committed one and whoever an undecided proposal
//!   would add. It never goes back under one leader.
//! - Under `log.flush.before.ack` a replica holds what it has on disk, and a follower fetches from there only.
//! - A truncation is by leader epoch, never by high watermark (KIP-101, KIP-279, KIP-595).
//! - A new assignment of the same leader epoch changes nothing of what is known of the followers.
//!
//! Time: `now_ms` is by a clock that never goes back, unless it is called `wall_ms` (since 1970; what records carry).

mod admit;
mod append;
mod assignment;
mod fetch;
mod follower;
mod isr;
mod leader;
#[cfg(feature = "planted")]
mod planted;
mod replica;
pub mod throttle;
mod truncation;
mod watermark;

pub use admit::ServeError;
pub use assignment::{Assignment, Rules};
pub use fetch::{Divergence, FollowerFetch, Noted, ReadRange, Registration};
pub use follower::{FetchPosition, FromLeader, NextFetch, TakeError};
pub use isr::{IsrOutcome, IsrProposal};
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use replica::{Changed, Replica};
pub use truncation::Truncation;

#[cfg(test)]
mod tests;
