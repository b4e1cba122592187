//! Promise: a pod of the broker, of a Connect worker or of a Streams worker may go at any time, with or
//! without warning, and what was acknowledged is neither lost nor counted wrongly.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Namespace, repository};
use e2e::{text, wait};

use crate::{COUNTS, LINES, operator};

/// One part of the text for each deletion: each part is still on its way when a pod goes.
const PART_BYTES: usize = 1 << 19;
const COUNT_DEADLINE: Duration = Duration::from_secs(240);
/// SIGKILL at once, as when a node dies.
const WITHOUT_WARNING: &[&str] = &["--grace-period=0", "--force"];

#[test]
fn deleting_the_pods_one_by_one_while_data_flows_leaves_the_counts_right() -> Result<()> {
    counts_are_right_though_pods_go("pods-deleted", &[])
}

#[test]
fn killing_the_pods_one_by_one_while_data_flows_leaves_the_counts_right() -> Result<()> {
    counts_are_right_though_pods_go("pods-killed", WITHOUT_WARNING)
}

fn counts_are_right_though_pods_go(name: &str, how: &[&str]) -> Result<()> {
    operator::installed()?;
    Namespace::run(name, |namespace| {
        namespace.apply_folder(&repository("examples/wordcount"))?;
        namespace.wait_until_ready()?;
        let mut whole = String::new();
        for (seed, component) in ["broker", "connect", "streams"].into_iter().enumerate() {
            let part = text::book(PART_BYTES, seed as u64);
            namespace.exec("connect", &["file", "append", LINES], &part)?;
            whole.push_str(&part);
            namespace.replace_pod(component, how).with_context(|| component.to_owned())?;
        }
        // Whatever was unsettled by a pod's return settles without help.
        namespace.wait_until_ready()?;
        let expected = text::counts_by_unix_tools(&whole)?;
        wait::until("the counts", COUNT_DEADLINE, || {
            let difference = text::difference(&expected, &namespace.counts(COUNTS)?);
            ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
            Ok(())
        })
    })
}
