//! The broker.
#![allow(dead_code, unused_imports, unreachable_pub)]

mod connection;
mod listener;
mod metrics;
