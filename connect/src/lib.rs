//! Kafka Connect.

pub mod api;
pub mod config;
pub mod connectors;
pub mod converters;
pub mod herder;
pub mod plugins;
