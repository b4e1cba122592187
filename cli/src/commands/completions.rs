//! `vltava completions`: what a shell needs to complete commands and flags.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::output;

const EXAMPLES: &str = "\
Examples:
  vltava completions bash > /etc/bash_completion.d/vltava
  vltava completions zsh > ~/.zfunc/_vltava
  vltava completions fish > ~/.config/fish/completions/vltava.fish";

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "vltava", &mut script);
    std::io::Write::write_all(&mut output::stdout(), &script)?;
    Ok(ExitCode::SUCCESS)
}
