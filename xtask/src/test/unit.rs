//! Every test that needs nothing but the clone.

use anyhow::Result;

use crate::process;

pub(crate) fn run() -> Result<()> {
    process::run(process::cargo().args(["test", "--workspace", "--locked"]))
}
