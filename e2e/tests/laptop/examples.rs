//! Promise: every example runs as it is, and its embedded tests pass.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Result, ensure};
use e2e::kubectl::repository;
use e2e::text::{self, Counts};
use e2e::vltava;

use crate::project::Project;

#[test]
fn wordcount_counts_its_text() -> Result<()> {
    let project = Project::copy_of("wordcount")?;
    let output = project.run_once()?;
    let difference =
        text::difference(&project.expected("lines.txt")?, &project.counts("counts.txt")?);
    ensure!(difference.is_none(), "{}\n{output}", difference.unwrap_or_default());
    Ok(())
}

#[test]
fn users_per_region_follows_moves() -> Result<()> {
    let project = Project::copy_of("users-per-region")?;
    let output = project.run_once()?;
    let mut region_of = BTreeMap::new();
    for line in fs::read_to_string(project.path("moves.txt"))?.lines() {
        if let [user, region] = line.split(' ').collect::<Vec<_>>()[..] {
            region_of.insert(user.to_owned(), region.to_owned());
        }
    }
    let mut expected = Counts::new();
    for region in region_of.values() {
        *expected.entry(region.clone()).or_default() += 1;
    }
    let mut found = project.counts("regions.txt")?;
    // A region that all have left has a last line too: 0.
    found.retain(|_, count| *count > 0);
    let difference = text::difference(&expected, &found);
    ensure!(difference.is_none(), "{}\n{output}", difference.unwrap_or_default());
    Ok(())
}

#[test]
fn embedded_tests_pass() -> Result<()> {
    for entry in fs::read_dir(repository("examples"))? {
        let app = entry?.path().join("app.yaml");
        if app.exists() {
            vltava::run(&["app", "test", &app.to_string_lossy()], "")?;
        }
    }
    Ok(())
}

#[test]
fn appended_lines_flow_through_and_ctrl_c_resumes_where_it_was() -> Result<()> {
    let project = Project::copy_of("wordcount")?;
    let server = project.start()?;
    project.wait_for_counts("counts.txt", &project.expected("lines.txt")?)?;
    project.append("lines.txt", "Vltava vltava\n")?;
    project.wait_for_counts("counts.txt", &project.expected("lines.txt")?)?;
    server.terminate()?;

    let before = project.size("counts.txt");
    project.append("lines.txt", "and once more: Vltava\n")?;
    project.run_once()?;
    let difference =
        text::difference(&project.expected("lines.txt")?, &project.counts("counts.txt")?);
    ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
    // Four words were new, not the whole text again.
    let written = project.size("counts.txt") - before;
    ensure!(written < 200, "{written} bytes were written for one line");
    Ok(())
}
