//! The connectors that come with every worker. Those with heavy dependencies are crates of their own.

pub mod file;
