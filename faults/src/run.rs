//! One scenario from an empty cluster to its verdict.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::check::{self, Verdict};
use crate::cluster::{Cluster, PARTITIONS};
use crate::command::Subject;
use crate::load::{Drivers, Load};
use crate::scenario::Scenario;

/// Load before the fault, and after everything is whole again.
const CALM: u64 = 3;

/// What all runs have in common.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) subject: Subject,
    pub(crate) drivers: Drivers,
    pub(crate) brokers: usize,
    pub(crate) seed: u64,
}

/// A run under way, as the scenarios see it.
#[derive(Debug)]
pub(crate) struct Run {
    // Dropped before the cluster: clients end before the namespaces that they live in.
    load: Load,
    pub(crate) cluster: Cluster,
    pub(crate) random: fastrand::Rng,
    notes: Vec<String>,
    problems: Vec<String>,
}

/// How a run came out.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    /// Worth telling.
    pub(crate) notes: Vec<String>,
    /// Wrong, though no record suffered.
    pub(crate) problems: Vec<String>,
}

impl Run {
    /// Runs the scenario with its files in `folder`.
    pub(crate) fn of(scenario: &Scenario, setup: &Setup, folder: &Path) -> Result<Outcome> {
        let mut cluster = Cluster::new(&setup.subject, setup.brokers, scenario.disk, folder)?;
        if scenario.own_clock {
            for broker in &mut cluster.brokers {
                broker.with_clock(folder)?;
            }
        }
        cluster.start_missing()?;
        cluster.wait_until_ready().context("before any fault")?;
        let load = Load::start(&cluster, &setup.drivers, folder, scenario.care)?;
        let random = fastrand::Rng::with_seed(setup.seed);
        let mut run = Self { load, cluster, random, notes: Vec::new(), problems: Vec::new() };
        run.load_for(CALM)?;
        (scenario.act)(&mut run)?;
        run.start_missing()?;
        if let Err(error) = run.cluster.wait_until_whole() {
            run.problem(format!("after the fault: {error:#}"));
        }
        run.load_for(CALM)?;
        run.judge()
    }

    fn judge(mut self) -> Result<Outcome> {
        let history = self.load.finish(&self.cluster)?;
        let verdict = check::check(&history);
        // The last two of three have no majority any more, and must end all the same.
        for id in 0..self.cluster.size() {
            if let Err(error) = self.cluster.terminate(id) {
                self.problems.push(format!("at the end: {error:#}"));
            }
        }
        Ok(Outcome { verdict, notes: self.notes, problems: self.problems })
    }

    /// Lets the load go on.
    pub(crate) fn load_for(&mut self, seconds: u64) -> Result<()> {
        std::thread::sleep(Duration::from_secs(seconds));
        self.load.check_alive()
    }

    /// The leader of any partition.
    pub(crate) fn a_leader(&mut self) -> Result<usize> {
        let partition = self.random.usize(..usize::try_from(PARTITIONS)?);
        self.cluster.leader(partition)
    }

    /// So many brokers, in any order.
    pub(crate) fn some_brokers(&mut self, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.cluster.size()).collect();
        self.random.shuffle(&mut all);
        all.truncate(count);
        all
    }

    /// All brokers but these.
    pub(crate) fn others(&self, these: &[usize]) -> Vec<usize> {
        (0..self.cluster.size()).filter(|id| !these.contains(id)).collect()
    }

    /// Starts what does not run, as a service manager would, and notes what ended by itself.
    pub(crate) fn start_missing(&mut self) -> Result<()> {
        let said = self.cluster.start_missing()?;
        self.notes.extend(said);
        Ok(())
    }

    /// Notes what has ended by itself.
    pub(crate) fn note_ended(&mut self) -> Result<()> {
        for broker in &mut self.cluster.brokers {
            self.notes.extend(broker.ended()?);
        }
        Ok(())
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(crate) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }
}
