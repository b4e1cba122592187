//! `cargo xtask faults`: real brokers under faults, into docs/failure-modes.md. The short set is a stage of `test`.

use std::path::PathBuf;

use anyhow::Result;

use crate::packages::{self, Need};
use crate::peers;
use crate::process::{cargo, command, run};
use crate::workspace;

/// What hurts brokers, and what watches; the clients are [`peers`].
pub(crate) const NEEDS: &[Need] = &[
    Need::debian("ip", "iproute2", "network namespaces"),
    Need::debian("nsenter", "util-linux", "running programs in them"),
    Need::debian("setpriv", "util-linux", "ending them with the harness"),
    Need::debian("mount", "mount", "disks that fill up and fail"),
    Need::debian("nft", "nftables", "cutting connections"),
    Need::debian("mkfs.ext4", "e2fsprogs", "disks that fail"),
    Need::debian("faketime", "faketime", "clocks that jump"),
    Need::debian("java", "default-jre-headless", "the Java load"),
    Need::debian("javac", "default-jdk-headless", "compiling the Java load"),
    Need::debian("mvn", "maven", "fetching Kafka's own clients"),
    Need::debian("python3", "python3", "the load by librdkafka"),
];

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A scenario by name (may be given several times); without it those of the set
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Which scenarios: short or long
    #[arg(long, default_value = "long")]
    set: String,
    /// Brokers of the cluster: 1, 3 or 5 (may be given several times)
    #[arg(long, value_name = "N", default_value = "3")]
    brokers: Vec<usize>,
    /// What the choice of victims follows from
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Where the report goes, such as docs/failure-modes.md; standard output when absent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Run what is broken on purpose: the checker has to find it
    #[arg(long)]
    control: bool,
    /// Put Apache Kafka under the same faults instead: a second opinion on the harness
    #[arg(long)]
    against_kafka: bool,
    /// Name all scenarios, and run none
    #[arg(long)]
    list: bool,
}

pub(crate) fn run_faults(args: &Args) -> Result<()> {
    if args.list {
        return run(cargo().args(["run", "--locked", "--quiet", "--package", "faults", "list"]));
    }
    packages::ensure(NEEDS)?;
    let mut more =
        vec!["--set".to_owned(), args.set.clone(), "--seed".into(), args.seed.to_string()];
    for brokers in &args.brokers {
        more.extend(["--brokers".into(), brokers.to_string()]);
    }
    for scenario in &args.scenario {
        more.extend(["--scenario".into(), scenario.clone()]);
    }
    if let Some(out) = &args.out {
        more.extend(["--out".into(), workspace::root().join(out).display().to_string()]);
    }
    for (flag, given) in [("--control", args.control), ("--against-kafka", args.against_kafka)] {
        more.extend(given.then(|| flag.to_owned()));
    }
    harness(&more)
}

/// Builds the broker and the harness, and runs it with these arguments.
pub(crate) fn harness(arguments: &[String]) -> Result<()> {
    let kafka = peers::kafka::install()?;
    let python = peers::python::install_librdkafka()?;
    run(cargo().args(["build", "--locked", "--package", "vltava", "--package", "faults"]))?;
    let built = workspace::target_dir().join("debug");
    run(command(built.join("faults"))
        .arg("run")
        .arg("--vltava")
        .arg(built.join("vltava"))
        .args(["--kafka-classpath", &kafka.classpath()])
        .arg("--python")
        .arg(python)
        .arg("--work")
        .arg(workspace::target_dir().join("faults"))
        .args(arguments)
        .env("RUST_LIB_BACKTRACE", "0"))
}
