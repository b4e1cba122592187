//! `cargo xtask …`: everything the project does to itself. One module a command; what several need
//! lies in [`workspace`], [`process`], [`packages`] and [`tools`].
//!
//! Nothing is installed into the clone: tools, images and the Kubernetes binaries are kept by content
//! under [`workspace::cache_dir`], so that a second run is quick and a new clone starts warm.
#![allow(clippy::print_stdout)] // a command line tool prints

mod bench;
mod chart;
mod cluster;
mod codegen;
mod crds;
mod dist;
mod docs;
mod faults;
mod generated;
mod kubernetes;
mod packages;
mod peers;
mod process;
mod sim;
mod test;
mod tools;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, generates, checks and tests Vltava")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate Kafka's messages in `protocol/src/generated` out of `protocol/schemas`
    Codegen(generated::Args),
    /// Write all generated files anew (or, with --check, say which ones are out of date)
    Generate(generated::Args),
    /// Write the custom resource definitions in crds/
    Crds(generated::Args),
    /// Write the reference pages in docs/reference
    Docs(generated::Args),
    /// Measure against Apache Kafka, side by side, into docs/performance.md
    Bench(bench::Args),
    /// Hurt real brokers under load and judge what their clients saw, into docs/failure-modes.md
    Faults(faults::Args),
    /// Simulate quorums and whole clusters from any number of seeds
    Sim(sim::Args),
    /// Write the Helm chart's copies of the definitions and render the chart
    Chart(generated::Args),
    /// A Kubernetes cluster of three nodes on this machine, as the end-to-end tests use it
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Hurt clusters of brokers on a real Kubernetes under load, and show what their clients saw
    Kubernetes(kubernetes::Args),
    /// Install what is needed and run every test, stage by stage
    Test(test::Args),
    /// The same as `test`: what continuous integration runs
    Ci(test::Args),
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Codegen(args) => codegen::run(args.check),
        Command::Generate(args) => generated::run(&args),
        Command::Crds(args) => crds::run(args.check),
        Command::Docs(args) => docs::run(args.check),
        Command::Bench(args) => bench::run_bench(&args),
        Command::Faults(args) => faults::run_faults(&args),
        Command::Sim(args) => sim::run_sim(&args),
        Command::Chart(args) => chart::run(args.check),
        Command::Cluster(command) => cluster::run(&command),
        Command::Kubernetes(args) => kubernetes::run(&args),
        Command::Test(args) | Command::Ci(args) => test::run(&args),
    }
}
