//! A worker against a real broker, over real sockets and real files.

mod crash;
mod errors;
mod offsets;
mod pipeline;
mod rest;
mod support;
