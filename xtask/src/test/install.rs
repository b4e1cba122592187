//! The programs that the stages need. Which ones depends on the stages that will run, so that
//! somebody without root can leave out the stage that asks for too much.

use anyhow::Result;

use super::{Args, Stage};
use crate::cluster;
use crate::faults;
use crate::packages::{self, Need};
use crate::{peers, tools};

const COMPILER: &[Need] = &[
    Need::debian("cc", "build-essential", "linking, and zstd's C code"),
    Need::debian("git", "git", "the checkout"),
];

pub(crate) fn run(args: &Args) -> Result<()> {
    packages::ensure(COMPILER)?;
    if args.wants(Stage::Lint) {
        packages::ensure(&[Need::debian("shellcheck", "shellcheck", "checking scripts")])?;
        tools::cargo_deny()?;
    }
    if args.wants(Stage::Clients) {
        packages::ensure(peers::NEEDS)?;
    }
    if args.wants(Stage::Faults) {
        packages::ensure(faults::NEEDS)?;
    }
    if args.wants(Stage::Kubernetes) {
        packages::ensure(&cluster::needs())?;
    }
    Ok(())
}
