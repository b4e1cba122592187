//! The cluster's metadata: what is in it, who may change it, and where it is kept.
//!
//! | module | what |
//! |---|---|
//! | [`record`] | [`MetadataRecord`]: the smallest change; how records are written as bytes |
//! | [`image`] | [`MetadataImage`]: everything that the records applied so far say; cheap to clone, never changed in place |
//! | [`controller`] | [`Controller`]: decides requests (create a topic, alter a config, …): image + command → records and an answer, or a typed refusal |
//! | [`safety`] | which brokers may stop now, and what says no |
//! | [`balance`] | which partitions should move where: off brokers that go, on to brokers that came |
//! | [`features`] | which features and levels this version supports |
//! | [`log`] | [`MetadataLog`]: keeps the records durably on a [`storage::disk::Disk`], replays, cuts and compacts them |
//! | [`raft`] | [`raft::Raft`]: who leads, and what of the log is committed; without I/O |
//! | [`node`] | [`QuorumNode`]: joins them all; what the broker and the simulation run |
//! | [`identity`] | cluster id and node id of a data folder, so that a node never joins the wrong cluster |
//!
//! # What it must not know
//! Clients, sockets, threads, the wall clock. Randomness enters as a parameter ([`controller::Entropy`]).
//!
//! # Invariants
//! - The image is a function of the records alone: replaying the log gives the same image, on every node.
//! - The records of one command are one frame of the log: after a crash all of them are there, or none; a follower has all
//!   of them, or none.
//! - Nothing is answered before its records are committed, and the image with them is published ([`node`]).
//! - An epoch has one leader at most, a leader has everything that is committed, and nothing that is committed is ever cut
//!   off ([`raft`] says why).
//! - An offset counts records since the cluster began, the quorum's own among them.
//! - A deleted topic's id is never given again; producer id blocks are never given twice.

pub mod balance;
pub mod controller;
pub mod features;
pub mod identity;
pub mod image;
pub mod log;
pub mod node;
pub mod raft;
pub mod record;
pub mod safety;
mod uuid_text;

pub use controller::{Command, Controller, Decision};
pub use image::MetadataImage;
pub use log::MetadataLog;
pub use node::QuorumNode;
pub use record::MetadataRecord;
