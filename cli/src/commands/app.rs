//! `vltava app`: checks StreamsApps and runs the tests that they carry, without a broker.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::console::Console;
use crate::output;
use crate::up::apps::{self, Apps, DesiredApp};

const EXAMPLES: &str = "\
Examples:
  vltava app test examples/wordcount/app.yaml
  vltava app check examples/

Exit codes: 0 all is well, 1 an app does not compile or a test failed, 2 wrong usage.";

/// Check StreamsApps and run their tests without a broker
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct AppArgs {
    #[command(subcommand)]
    command: AppCommand,
}

#[derive(Debug, Subcommand)]
enum AppCommand {
    /// Run the tests that the apps carry
    Test {
        /// Files or folders with StreamsApps
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
    },
    /// Check types and names down to the expressions
    Check {
        /// Files or folders with StreamsApps
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
    },
}

pub(crate) fn run(args: AppArgs, console: &Console) -> anyhow::Result<ExitCode> {
    let (files, with_tests) = match args.command {
        AppCommand::Test { files } => (files, true),
        AppCommand::Check { files } => (files, false),
    };
    let Apps { apps, refusals } = apps::read(files);
    for refusal in &refusals {
        console.error(refusal);
    }
    if apps.is_empty() && refusals.is_empty() {
        anyhow::bail!("there is no StreamsApp in these files");
    }
    let mut well = refusals.is_empty();
    let mut out = output::stdout();
    for app in &apps {
        if with_tests {
            well &= test(app, &mut out)?;
        } else {
            writeln!(out, "{}: well typed", app.declared.name)?;
        }
    }
    out.flush()?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs the tests of one app and prints what came of them.
fn test(app: &DesiredApp, out: &mut impl Write) -> anyhow::Result<bool> {
    let report = ::streams::app::run_tests(&app.spec);
    writeln!(out, "{}", app.declared.name)?;
    for test in &report.tests {
        if test.passed() {
            writeln!(out, "  ok      {}", test.name)?;
            continue;
        }
        writeln!(out, "  FAILED  {} ({})", test.name, app.place(&test.path))?;
        for failure in &test.failures {
            writeln!(out, "          {failure}")?;
        }
        for note in &test.notes {
            writeln!(out, "          note: {note}")?;
        }
    }
    let failed = report.tests.iter().filter(|test| !test.passed()).count();
    writeln!(out, "  {} passed, {failed} failed", report.tests.len() - failed)?;
    Ok(report.passed())
}
