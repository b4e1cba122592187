//! Promise: a pod of the broker, of a Connect worker or of a Streams worker may go at any time, with or
//! without warning, and nothing is lost. With a warning nothing is counted twice either; without one, a Connect worker reads
//! again what it had not committed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::kubectl::{Namespace, repository};
use e2e::text::Counts;
use e2e::{text, wait};

use crate::{COUNTS, LINES, operator};

/// One part of the text for each deletion: each part is still on its way when a pod goes.
const PART_BYTES: usize = 1 << 19;
const COUNT_DEADLINE: Duration = Duration::from_secs(240);
/// SIGKILL at once, as when a node dies.
const WITHOUT_WARNING: &[&str] = &["--grace-period=0", "--force"];

#[test]
fn deleting_the_pods_one_by_one_while_data_flows_leaves_the_counts_right() -> Result<()> {
    pods_go("pods-deleted", &[], |expected, _, found| text::difference(expected, found))
}

/// A Connect worker that is killed reads again what it had not committed, which is at most what was there when it went
/// (`offset.flush.interval.ms`).
#[test]
fn killing_the_pods_one_by_one_while_data_flows_loses_nothing() -> Result<()> {
    pods_go("pods-killed", WITHOUT_WARNING, text::outside)
}

/// What is wrong with the counts found, given those of the whole text and those of what was there when the Connect worker
/// went.
type Judge = fn(&Counts, &Counts, &Counts) -> Option<String>;

fn pods_go(name: &str, how: &[&str], judge: Judge) -> Result<()> {
    operator::installed()?;
    Namespace::run(name, |namespace| {
        namespace.apply_folder(&repository("examples/wordcount"))?;
        namespace.wait_until_ready()?;
        let (mut whole, mut again) = (String::new(), Counts::new());
        for (seed, component) in ["broker", "connect", "streams"].into_iter().enumerate() {
            let part = text::book(PART_BYTES, seed as u64);
            namespace.exec("connect", &["file", "append", LINES], &part)?;
            whole.push_str(&part);
            if component == "connect" {
                again = text::counts_by_unix_tools(&whole)?;
            }
            namespace.replace_pod(component, how).with_context(|| component.to_owned())?;
        }
        // Whatever was unsettled by a pod's return settles without help.
        namespace.wait_until_ready()?;
        let expected = text::counts_by_unix_tools(&whole)?;
        wait::until("the counts", COUNT_DEADLINE, || {
            let wrong = judge(&expected, &again, &namespace.counts(COUNTS)?);
            ensure!(wrong.is_none(), "{}", wrong.unwrap_or_default());
            Ok(())
        })
    })
}
