//! `cargo xtask kubernetes`: what may befall a cluster of brokers on a real three-node Kubernetes, and the table of what
//! its clients saw. The stage of `cargo xtask test` runs the short set among its other tests.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::cluster::{self, Cluster};
use crate::{dist, packages, process, workspace};

/// Environment variable with the file to which each scenario adds its line.
const TABLE_VARIABLE: &str = "VLTAVA_SCENARIOS";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which scenarios, and how long they last
    #[arg(long, value_enum, default_value_t = Set::Long)]
    set: Set,
    /// Only tests whose name has this in it
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The cluster to use; made if it is not there, and then removed
    #[arg(long, default_value = "vltava-scenarios")]
    name: String,
    /// Leave the cluster running
    #[arg(long)]
    keep_cluster: bool,
}

/// Which scenarios run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    /// Those of `cargo xtask test`
    Short,
    /// All of them, at full length
    Long,
}

/// Tests under load, by the modules that they are in.
const SCENARIOS: [&str; 3] = ["node_drain::", "scenarios::", "three_brokers::"];

pub(crate) fn run(args: &Args) -> Result<()> {
    packages::ensure(&cluster::needs())?;
    let cluster = Cluster::named(&args.name)?;
    let result = test(&cluster, args);
    if args.keep_cluster {
        return result;
    }
    result.and(cluster.down())
}

fn test(cluster: &Cluster, args: &Args) -> Result<()> {
    cluster.up()?;
    let image = cluster.load()?;
    let only: Vec<&str> = args.only.as_deref().map_or(SCENARIOS.to_vec(), |only| vec![only]);
    e2e(args.set == Set::Long, &only, &cluster.environment(&image)?)
}

/// Runs the tests on Kubernetes, those whose names have one of `only` in them or else all, and shows the table.
pub(crate) fn e2e(long: bool, only: &[&str], environment: &[(&str, OsString)]) -> Result<()> {
    let table = Table::fresh()?;
    let features = if long { "kubernetes,kubernetes-long" } else { "kubernetes" };
    let result = process::run(
        process::cargo()
            .args(["test", "--locked", "--package", "e2e", "--test", "kubernetes"])
            .args(["--features", features, "--", "--test-threads=1", "--nocapture"])
            .args(only)
            // What an error says is enough; where it was made is noise.
            .env("RUST_LIB_BACKTRACE", "0")
            .env(TABLE_VARIABLE, &table.0)
            .env("VLTAVA", dist::binary()?)
            .envs(environment.iter().map(|(name, value)| (name, value))),
    );
    println!("{}", table.text()?);
    result?;
    if table.is_empty()? {
        bail!(
            "no scenario ran: no test's name has one of {only:?} in it, see docs/kubernetes-faults.md"
        );
    }
    Ok(())
}

/// The file in which lines come together, one a scenario, columns apart by tabs.
struct Table(PathBuf);

impl Table {
    fn fresh() -> Result<Self> {
        let path = workspace::target_dir().join("scenarios.tsv");
        std::fs::write(&path, "").with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    /// Whether no scenario has written its line.
    fn is_empty(&self) -> Result<bool> {
        Ok(std::fs::read_to_string(&self.0)?.is_empty())
    }

    fn text(&self) -> Result<String> {
        Ok(aligned(&std::fs::read_to_string(&self.0)?))
    }
}

const HEADER: &str =
    "scenario\ttime s\tsent\tacknowledged\tfailed\tlost\tduplicated\tout of order\tlongest gap ms";

/// A table for people: the first column to the left, numbers to the right.
fn aligned(lines: &str) -> String {
    let rows: Vec<Vec<&str>> = std::iter::once(HEADER)
        .chain(lines.lines())
        .map(|line| line.split('\t').collect())
        .collect();
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.len()).max().unwrap_or(0)
    };
    let mut text = String::new();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            text.push_str(&match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_a_scenario() {
        let text = aligned(
            "trio\t90\t1000\t1000\t0\t0\t0\t0\t70\nnode-off\t200\t9\t9\t0\t0\t0\t0\t6000\n",
        );
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].starts_with("trio ") && lines[2].starts_with("node-off"), "{text}");
        assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{text}");
    }
}
