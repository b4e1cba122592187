//! Promise: SIGKILL in the middle of the work loses nothing and counts nothing wrongly.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{text, wait};

use crate::project::Project;

const PART_BYTES: usize = 1 << 20;
const ROUNDS: u64 = 3;
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn killed_again_and_again_in_the_middle_the_counts_come_out_right() -> Result<()> {
    let project = Project::copy_of("wordcount")?;
    std::fs::write(project.path("lines.txt"), "")?;
    for round in 0..ROUNDS {
        project.append("lines.txt", &text::book(PART_BYTES, round))?;
        let before = project.size("counts.txt");
        let mut server = project.start()?;
        wait::until("the first counts of this round", DEADLINE, || {
            ensure!(server.runs(), "it ended:\n{}", server.log());
            ensure!(project.size("counts.txt") > before, "nothing was written");
            Ok(())
        })?;
        server.kill()?;
    }
    project.run_once()?;
    let difference =
        text::difference(&project.expected("lines.txt")?, &project.counts("counts.txt")?);
    ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
    Ok(())
}
