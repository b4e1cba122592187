//! The broker over real sockets.

mod admin;
mod cluster;
mod data;
mod errors;
mod groups;
mod idempotence;
mod long_poll;
mod recovery;
mod support;
mod versions;
mod wire;
