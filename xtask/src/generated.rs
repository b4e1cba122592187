//! All committed files that a program writes. Each generator takes `check`: when true it writes
//! nothing and fails, naming the files that are out of date.

use anyhow::{Context, Result};

use crate::{chart, codegen, crds, docs};

/// A generator: its name on the command line, and the function that runs it.
type Generator = (&'static str, fn(check: bool) -> Result<()>);

/// Every generator, in the order in which they run (later ones may read what earlier ones wrote).
const GENERATORS: &[Generator] =
    &[("codegen", codegen::run), ("crds", crds::run), ("chart", chart::run), ("docs", docs::run)];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail if a generated file is out of date
    #[arg(long)]
    pub(crate) check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    for (name, generate) in GENERATORS {
        generate(args.check).with_context(|| {
            format!("generated files of `{name}`: run `cargo xtask {name}` and commit the result")
        })?;
    }
    Ok(())
}

/// Fails if any generated file is out of date.
pub(crate) fn check() -> Result<()> {
    run(&Args { check: true })
}
