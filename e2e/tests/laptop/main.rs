//! `vltava up` as somebody at a desk runs it, judged by exit codes, files and what other tools count.

mod big_file;
mod examples;
mod inputs;
mod killed;
mod project;
mod readme;
