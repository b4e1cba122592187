//! An example as a fresh clone has it, also in a folder in which somebody has run it.

use std::fs;
use std::path::Path;

use anyhow::Result;

/// Copies a folder and those in it, without what is hidden or named in its `.gitignore`: results of an earlier run would
/// pass for those of the test.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let ignored = fs::read_to_string(from.join(".gitignore")).unwrap_or_default();
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_result(&name.to_string_lossy(), &ignored) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

fn is_result(name: &str, ignored: &str) -> bool {
    let is = |line: &str| match line.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == line,
    };
    name.starts_with('.') || ignored.lines().any(is)
}

#[test]
fn results_of_an_earlier_run_are_no_inputs() -> Result<()> {
    let (from, to) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let inner = from.path().join("example");
    fs::create_dir(&inner)?;
    fs::write(inner.join(".gitignore"), "counts.txt\ncounts.txt.*\n")?;
    for name in ["lines.txt", "counts.txt", "counts.txt.1", ".counts.txt.journal"] {
        fs::write(inner.join(name), name)?;
    }
    copy(from.path(), to.path())?;
    let copied = fs::read_dir(to.path().join("example"))?;
    let names: Result<Vec<_>, _> = copied.map(|entry| entry.map(|e| e.file_name())).collect();
    anyhow::ensure!(names? == ["lines.txt"]);
    Ok(())
}
