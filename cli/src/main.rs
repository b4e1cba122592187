//! The `vltava` binary: one command a file in [`commands`], the laptop's engine in [`up`], plans for Kubernetes in
//! [`kubernetes`].
//!
//! Invariants: only this crate prints to standard output (records and reports; never logs); standard error carries
//! logs, refusals and the state of `up`; a closed pipe ends a command quietly; SIGINT and SIGTERM stop every
//! long-running command cleanly.

mod args;
mod commands;
mod connect_topics;
mod console;
mod format;
mod kubernetes;
mod logging;
mod output;
mod properties;
mod rack;
mod shutdown;
mod up;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let console = console::Console::new();
    logging::init(&cli.logging, cli.command.default_log_level(), &console);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console.error(&format!("cannot start worker threads: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(commands::run(cli.command, &console));
    // A thread that reads a terminal cannot be interrupted; waiting for it would hang the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
