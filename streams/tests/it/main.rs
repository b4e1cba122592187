//! The worker against a real broker in this process.

mod crash;
mod support;
mod worker;
