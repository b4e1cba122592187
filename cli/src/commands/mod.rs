//! One file a command: its flags, its help, what it does.

pub(crate) mod app;
pub(crate) mod broker;
mod cluster;
pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod consume;
pub(crate) mod file;
pub(crate) mod group;
pub(crate) mod operator;
pub(crate) mod plan;
pub(crate) mod produce;
pub(crate) mod streams;
pub(crate) mod topic;
pub(crate) mod up;
pub(crate) mod verify;

use std::process::ExitCode;

use crate::args::Command;
use crate::console::Console;

/// Runs the command.
///
/// # Errors
/// One clear sentence; the process then ends with exit code 1.
pub(crate) async fn run(command: Command, console: &Console) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => up::run(args, console).await,
        Command::Plan(args) => plan::run(args).await,
        Command::Topic(args) => topic::run(args).await,
        Command::Produce(args) => produce::run(args).await,
        Command::Consume(args) => consume::run(args).await,
        Command::Group(args) => group::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::App(args) => app::run(args, console),
        Command::Broker(args) => broker::run(args).await,
        Command::Connect(args) => connect::run(args).await,
        Command::Streams(args) => streams::run(args).await,
        Command::Operator(args) => operator::run(args).await,
        Command::File(args) => file::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}
