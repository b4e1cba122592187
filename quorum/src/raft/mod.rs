//! The metadata quorum's Raft engine in pull form (KRaft: KIP-595, KIP-853, KIP-996), without I/O.

mod codec;
mod message;
mod timing;
mod voters;

pub use codec::{CodecError, MAX_MESSAGE_BYTES};
pub use message::{Answer, Call, Fetched, Refusal, Request, Response};
pub use timing::Timing;
pub use voters::{MAX_VOTERS, Voter, VoterSet};
