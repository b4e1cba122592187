//! `vltava file`: text files where there is no shell, as in a pod of the image.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  kubectl exec -i demo-0 -- /vltava file append /var/lib/vltava/files/lines.txt < lines.txt
  kubectl exec demo-0 -- /vltava file cat /var/lib/vltava/files/counts.txt";

/// Read or append to a file where there is no shell
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FileArgs {
    #[command(subcommand)]
    command: FileCommand,
}

#[derive(Debug, Subcommand)]
enum FileCommand {
    /// Append standard input to a file, which is made with its folders if it is not there
    Append {
        /// The file
        path: PathBuf,
    },
    /// Write a file to standard output
    Cat {
        /// The file
        path: PathBuf,
    },
}

pub(crate) fn run(args: &FileArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        FileCommand::Append { path } => {
            let wrong = || format!("cannot append to {}", path.display());
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                std::fs::create_dir_all(folder).with_context(wrong)?;
            }
            let mut file =
                OpenOptions::new().append(true).create(true).open(path).with_context(wrong)?;
            io::copy(&mut io::stdin().lock(), &mut file).with_context(wrong)?;
            file.sync_all().with_context(wrong)?;
        }
        FileCommand::Cat { path } => {
            let mut file =
                File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            io::copy(&mut file, &mut io::stdout().lock())
                .context("cannot write to standard output")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
