//! What `vltava verify` says at its end, and one line of it in the table of scenarios.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// Environment variable with the file that collects one line a scenario; `cargo xtask` prints it at the end.
pub const TABLE_VARIABLE: &str = "VLTAVA_SCENARIOS";

/// The checker's verdict on one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    numbers: BTreeMap<String, u64>,
    text: String,
}

/// Names of the numbers, in the order of the table.
const NUMBERS: [&str; 7] =
    ["sent", "acknowledged", "failed", "lost", "duplicated", "out-of-order", "longest-gap-ms"];

impl Report {
    /// Reads it out of what the checker wrote; other lines may stand around it.
    pub fn read(text: &str) -> Result<Self> {
        let line = text.lines().find(|line| line.starts_with("sent "));
        let line = line.with_context(|| format!("the checker gave no report: {text}"))?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut numbers = BTreeMap::new();
        for pair in words.chunks_exact(2) {
            let number = pair[1].parse().with_context(|| format!("no number in {pair:?}"))?;
            numbers.insert(pair[0].to_owned(), number);
        }
        for name in NUMBERS {
            ensure!(numbers.contains_key(name), "no {name} in the report: {line}");
        }
        Ok(Self { numbers, text: text.trim().to_owned() })
    }

    fn number(&self, name: &str) -> u64 {
        self.numbers.get(name).copied().unwrap_or_default()
    }

    /// Fails unless all that was acknowledged is there, once and in order, and every write was acknowledged in the end.
    pub fn is_well(&self) -> Result<()> {
        let bad = ["failed", "lost", "duplicated", "out-of-order"];
        ensure!(bad.iter().all(|name| self.number(name) == 0), "{}", self.text);
        ensure!(self.number("acknowledged") > 0, "nothing was written: {}", self.text);
        Ok(())
    }

    /// Adds a line to the table, if somebody collects one, and shows it anyway.
    pub fn note(&self, scenario: &str, took: Duration) -> Result<()> {
        let mut line = format!("{scenario}\t{:.0}", took.as_secs_f64());
        for name in NUMBERS {
            line.push_str(&format!("\t{}", self.number(name)));
        }
        eprintln!("{scenario}: {:.0} s; {}", took.as_secs_f64(), self.text);
        if let Some(path) = std::env::var_os(TABLE_VARIABLE) {
            let file = std::fs::File::options().create(true).append(true).open(path);
            writeln!(file.context("no file for the table of scenarios")?, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: &str =
        "sent 9 acknowledged 9 failed 0 lost 0 duplicated 0 out-of-order 0 longest-gap-ms 70";

    #[test]
    fn a_report_is_read_and_judged() {
        assert!(Report::read(&format!("warning\n{WELL}\n")).unwrap().is_well().is_ok());
        for bad in ["failed 1", "lost 1", "duplicated 1", "out-of-order 1", "acknowledged 0"] {
            let name = bad.split(' ').next().unwrap();
            let fine = WELL.split_once(&format!("{name} ")).unwrap().1;
            let value = fine.split(' ').next().unwrap();
            let text = WELL.replace(&format!("{name} {value}"), bad);
            assert!(Report::read(&text).unwrap().is_well().is_err(), "{text}");
        }
    }

    #[test]
    fn half_a_report_is_none() {
        assert!(Report::read("sent 9 acknowledged 9").is_err());
        assert!(Report::read("").is_err());
    }
}
