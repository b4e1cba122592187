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
//! | [`log`] | [`MetadataLog`]: keeps the records durably on a [`storage::disk::Disk`], replays and compacts them |
//! | [`identity`] | cluster id and node id of a data folder, so that a node never joins the wrong cluster |
//!
//! # What it must not know
//! Clients, sockets, threads, the wall clock. Randomness enters as a parameter ([`controller::Entropy`]).
//!
//! # Invariants
//! - The image is a function of the records alone: replaying the log gives the same image, on every node.
//! - The records of one command are one frame of the log: after a crash all of them are there, or none.
//! - Nothing is answered before its records are durable (the executor's part: `append`, then publish, then answer).
//! - A deleted topic's id is never given again; producer id blocks are never given twice.
//!
//! Raft comes under this crate: it will carry the frames of [`log`] between controllers; records, image and controller
//! stay as they are.

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
pub use record::MetadataRecord;
