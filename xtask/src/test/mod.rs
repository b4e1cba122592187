//! `cargo xtask test`: all tests in stages. It stops at the first stage that fails, and closes with a
//! table of what ran, how long it took, and what was left out.

mod clients;
mod faults;
mod install;
mod kubernetes;
mod laptop;
mod lint;
mod unit;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::process;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave a stage out (may be given several times)
    #[arg(long, value_enum, value_name = "STAGE")]
    skip: Vec<Stage>,

    /// Run these stages only (may be given several times)
    #[arg(long, value_enum, value_name = "STAGE", conflicts_with = "skip")]
    only: Vec<Stage>,

    /// Leave the Kubernetes cluster running for a look around afterwards
    #[arg(long)]
    pub(crate) keep_cluster: bool,
}

/// The stages in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Install the programs that the other stages need
    Install,
    /// Format, clippy, generated files, licences and sources of dependencies
    Lint,
    /// Unit tests, property tests and in-process tests of every crate
    Unit,
    /// `vltava up` with the examples, a big file, and a kill in the middle
    Laptop,
    /// kcat, Kafka's Java console clients and kafka-python against the broker
    Clients,
    /// Three brokers killed, cut off and restarted under load, with a checker
    Faults,
    /// The operator and the examples on a three-node Kubernetes cluster
    Kubernetes,
}

/// How one stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed(Duration),
    Failed(Duration),
    Skipped,
    NotReached,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut report = Vec::new();
    let mut failure = None;
    let mut background = kubernetes::Preparation::default();
    for &stage in Stage::value_variants() {
        let outcome = if failure.is_some() {
            Outcome::NotReached
        } else if !args.wants(stage) {
            Outcome::Skipped
        } else {
            println!("\n=== {} ===", stage.name());
            let start = Instant::now();
            match run_stage(stage, args, &mut background) {
                Ok(()) => Outcome::Passed(start.elapsed()),
                Err(error) => {
                    failure = Some((stage, error));
                    Outcome::Failed(start.elapsed())
                }
            }
        };
        report.push((stage, outcome));
    }
    background.stop();
    print!("{}", table(&report));
    if let Some((stage, error)) = failure {
        println!("{}", totals(&report));
        bail!("stage `{}` failed: {error:#}", stage.name());
    }
    println!("{}", totals(&report));
    Ok(())
}

fn run_stage(stage: Stage, args: &Args, background: &mut kubernetes::Preparation) -> Result<()> {
    match stage {
        Stage::Install => {
            install::run(args)?;
            // Kubernetes is compiled while the Rust stages run: they leave cores idle when they link.
            if args.wants(Stage::Kubernetes) { background.start() } else { Ok(()) }
        }
        Stage::Lint => lint::run(),
        Stage::Unit => unit::run(),
        Stage::Laptop => laptop::run(),
        Stage::Clients => clients::run(),
        Stage::Faults => faults::run(),
        Stage::Kubernetes => kubernetes::run(background, args.keep_cluster),
    }
}

/// The e2e crate's features: each turns on the tests of one stage, so that a plain `cargo test` passes
/// on a machine that has none of what they need.
const E2E_FEATURES: &str = "e2e/laptop,e2e/clients,e2e/kubernetes,e2e/kubernetes-long";

/// Runs the e2e tests of one stage, one after the other: they share a machine or a cluster.
fn e2e(stage: &str, environment: &[(&str, OsString)]) -> Result<()> {
    process::run(
        process::cargo()
            .args(["test", "--locked", "--package", "e2e", "--test", stage, "--features", stage])
            .args(["--", "--test-threads=1", "--nocapture"])
            // What an error says is enough; where it was made is noise.
            .env("RUST_LIB_BACKTRACE", "0")
            .envs(environment.iter().map(|(name, value)| (name, value))),
    )
}

impl Args {
    pub(crate) fn wants(&self, stage: Stage) -> bool {
        if self.only.is_empty() { !self.skip.contains(&stage) } else { self.only.contains(&stage) }
    }
}

impl Stage {
    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

fn table(report: &[(Stage, Outcome)]) -> String {
    let mut text = String::from("\nstage       result        time\n");
    for (stage, outcome) in report {
        let (result, time) = match outcome {
            Outcome::Passed(time) => ("passed", Some(time)),
            Outcome::Failed(time) => ("FAILED", Some(time)),
            Outcome::Skipped => ("skipped", None),
            Outcome::NotReached => ("not reached", None),
        };
        let time = time.map_or_else(String::new, |time| format!("{:5.1} s", time.as_secs_f64()));
        text.push_str(&format!("{:<11} {result:<11} {time:>8}\n", stage.name()));
    }
    text
}

/// The closing line, in the form that programs which run tests look for.
fn totals(report: &[(Stage, Outcome)]) -> String {
    let count =
        |wanted: fn(&Outcome) -> bool| report.iter().filter(|(_, outcome)| wanted(outcome)).count();
    format!(
        "stages: {} passed, {} failed, {} skipped",
        count(|outcome| matches!(outcome, Outcome::Passed(_))),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::Skipped | Outcome::NotReached)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Vec<(Stage, Outcome)> {
        vec![
            (Stage::Install, Outcome::Passed(Duration::from_millis(1500))),
            (Stage::Lint, Outcome::Failed(Duration::from_secs(70))),
            (Stage::Unit, Outcome::NotReached),
            (Stage::Laptop, Outcome::Skipped),
        ]
    }

    #[test]
    fn the_table_has_a_line_for_every_stage_with_its_time() {
        let text = table(&report());
        assert!(text.contains("install     passed         1.5 s\n"), "{text}");
        assert!(text.contains("lint        FAILED        70.0 s\n"), "{text}");
        assert!(text.contains("unit        not reached"), "{text}");
    }

    #[test]
    fn the_closing_line_counts_stages() {
        assert_eq!(totals(&report()), "stages: 1 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn only_and_skip_choose_stages() {
        let all = Args { skip: vec![], only: vec![], keep_cluster: false };
        assert!(Stage::value_variants().iter().all(|&stage| all.wants(stage)));
        let skip = Args { skip: vec![Stage::Kubernetes], only: vec![], keep_cluster: false };
        assert!(!skip.wants(Stage::Kubernetes) && skip.wants(Stage::Unit));
        let only = Args { skip: vec![], only: vec![Stage::Unit], keep_cluster: false };
        assert!(!only.wants(Stage::Kubernetes) && only.wants(Stage::Unit));
    }
}
