//! The real binary, as a person runs it. Ports are free ones, folders are temporary, nothing waits for a fixed time.

mod app;
mod bad_input;
mod edits;
mod examples;
mod plan;
mod process;
mod restarts;
mod tools;
