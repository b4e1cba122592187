//! Three brokers under the short set of faults; and one run that is broken on purpose, so that a checker which finds
//! nothing is found out.

use anyhow::Result;

use crate::faults;

pub(crate) fn run() -> Result<()> {
    harness("--brokers 1 --control --scenario control-truncated")?;
    harness("--brokers 3 --set short")
}

fn harness(arguments: &str) -> Result<()> {
    let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
    faults::harness(&arguments)
}
