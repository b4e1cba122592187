//! This broker as one of a cluster.
//!
//! | module | what |
//! |---|---|
//! | [`quorum_thread`] | runs `quorum`'s node on a thread of its own; [`QuorumHandle`] is how others talk to it |
//! | [`messages`] | the quorum's messages to and from other nodes |
//! | [`metadata`] | brings each committed image to this broker's partitions, then to its handlers |
//! | [`to_controller`] | requests of this broker to the active controller, wherever that is |
//! | [`forward`] | clients' administrative requests, passed on to the active controller |
//! | [`lifecycle`] | registers, sends heartbeats, gives leaderships away before a stop |
//! | [`duties`] | what the active controller's node does by the clock |
//! | [`isr`] | leaders' proposals of in-sync replicas on their way to the controller |
//! | [`roles`] | broker, controller, or both |
//! | [`bootstrap`] | finds the controllers by some addresses |
//! | [`voters`] | who votes, from the configuration |
//! | [`watchdog`] | notices dead brokers before their sessions end |

pub(crate) mod bootstrap;
pub(crate) mod duties;
pub(crate) mod forward;
pub(crate) mod isr;
pub(crate) mod lifecycle;
pub(crate) mod messages;
pub(crate) mod metadata;
pub(crate) mod quorum_thread;
pub(crate) mod roles;
pub(crate) mod to_controller;
pub(crate) mod voters;
pub(crate) mod watchdog;

pub(crate) use lifecycle::Lifecycle;
pub(crate) use quorum_thread::{QuorumHandle, SubmitError};
pub(crate) use roles::Roles;
