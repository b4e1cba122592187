//! The broker over real sockets.

mod admin;
mod cluster;
mod cluster_protocol;
mod data;
mod delete_records;
mod errors;
mod groups;
mod idempotence;
mod long_poll;
mod lost_volume;
mod many_partitions;
mod recovery;
mod roles;
mod support;
mod three;
mod throttle;
mod versions;
mod wire;
