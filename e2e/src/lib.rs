//! End-to-end tests: the `vltava` binary as it is shipped, run as users run it, judged from outside.
//!
//! The tests lie in `tests/<stage>`, one folder a stage of `cargo xtask test`, one file a promise. Each
//! stage is a feature of this crate, so that a plain `cargo test` passes on a machine that has neither a
//! cluster nor other people's clients. This library is what they share:
//!
//! - [`process`]: running programs to their end, with a deadline;
//! - [`vltava`]: the binary under test, as a command and as a server that is ended with the test;
//! - [`wait`]: waiting for something that takes its time;
//! - [`text`]: book-sized texts, and word counts by `tr`, `sort` and `uniq`;
//! - [`kubectl`]: a namespace of a real cluster;
//! - [`brokers`]: a Cluster in it and its pods; [`admin`]: what its brokers say;
//! - [`volume`]: a broker's volume, and its loss; [`placement`]: which brokers hold what;
//! - [`node`]: nodes and the API server, switched off and on, and another zone;
//! - [`verify`]: load on a Cluster, and [`report`]: the verdict on what it kept;
//! - [`witness`]: somebody who looks on; [`scenario`]: all of these together.
//!
//! `cluster/` holds the scripts that make that cluster. This crate must not depend on any other crate of
//! the workspace: what it sees is what a user sees.

pub mod admin;
pub mod brokers;
pub mod kubectl;
pub mod node;
pub mod placement;
pub mod process;
pub mod report;
pub mod scenario;
pub mod text;
pub mod verify;
pub mod vltava;
pub mod volume;
pub mod wait;
pub mod witness;
