//! Promise: a book is counted as `tr`, `sort` and `uniq -c` count it.

use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::text;

use crate::project::Project;

const BOOK_BYTES: usize = 3 << 19; // 1.5 MB

#[test]
fn a_book_is_counted_as_unix_tools_count_it() -> Result<()> {
    let project = Project::copy_of("wordcount")?;
    std::fs::write(project.path("lines.txt"), text::book(BOOK_BYTES, 1))?;
    let start = Instant::now();
    project.run_once()?;
    let seconds = start.elapsed().as_secs_f64();
    let expected = project.expected("lines.txt")?;
    let words: u64 = expected.values().sum();
    eprintln!(
        "{BOOK_BYTES} bytes, {words} words of which {} differ: {seconds:.1} s",
        expected.len()
    );
    let difference = text::difference(&expected, &project.counts("counts.txt")?);
    ensure!(difference.is_none(), "{}", difference.unwrap_or_default());
    Ok(())
}
