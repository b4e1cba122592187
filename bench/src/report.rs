//! The Markdown that goes into `docs/performance.md`.

use std::fmt::Write;

use crate::driver::Cost;
use crate::failover;
use crate::figures::{Figures, SUBJECTS, figure};
use crate::rows::{Load, PARTITIONS, Row};
use crate::stats::{ratios, spread};

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) runs: usize,
    pub(crate) image_size: Option<String>,
    pub(crate) single: Results,
    pub(crate) three: Results,
    pub(crate) latency: Figures,
    pub(crate) many: Figures,
    pub(crate) failover: Figures,
    pub(crate) moves: Figures,
}

/// The rows of one size of cluster: `[row][subject]` → one figure a run.
#[derive(Debug)]
pub(crate) struct Results {
    rows: Vec<Row>,
    costs: Vec<[Vec<Cost>; SUBJECTS]>,
    memory: Figures,
}

const MIB: f64 = 1024.0 * 1024.0;
/// What a row is to reach; one that does not is told the reason of.
const AIM: f64 = 2.0;

impl Results {
    pub(crate) fn new(rows: &[Row]) -> Self {
        let costs = rows.iter().map(|_| Default::default()).collect();
        Self { rows: rows.to_vec(), costs, memory: Figures::default() }
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn start(&mut self, subject: usize, seconds: f64, rss_bytes: u64) {
        let name = "start to first acknowledged record";
        self.memory.add(name, 1000.0, 0, " ms", subject, seconds);
        self.memory.add("RSS after start", 1.0 / MIB, 1, " MiB", subject, rss_bytes as f64);
    }

    pub(crate) fn row(&mut self, row: usize, subject: usize, cost: Cost) {
        self.costs[row][subject].push(cost);
    }

    pub(crate) fn end(&mut self, subject: usize, rss_bytes: u64) {
        self.memory.add("RSS after all rows", 1.0 / MIB, 1, " MiB", subject, rss_bytes as f64);
    }

    fn table(&self) -> String {
        let mut text =
            "\n| row | Vltava | Apache Kafka 4.3.1 | ratio | p99 ms, Vltava | p99 ms, Kafka |\n\
                        |---|---|---|---|---|---|\n"
                .to_owned();
        let mut misses = String::new();
        for (row, costs) in self.rows.iter().zip(&self.costs) {
            let rate = |subject: usize| -> Vec<f64> {
                costs[subject].iter().map(|cost| cost.records as f64 / cost.cpu_seconds).collect()
            };
            let latency = |subject: usize| -> String {
                let figures: Vec<f64> =
                    costs[subject].iter().filter_map(|cost| cost.p99_ms).collect();
                figure(&figures, 1.0, 0, "")
            };
            let note = match row.load {
                Load::Consume { written_by } => format!(" (what '{written_by}' wrote)"),
                Load::Produce { .. } => String::new(),
            };
            let ratio = ratios(&rate(0), &rate(1));
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "| {}{note} | {} | {} | **{}** | {} | {} |",
                row.name,
                thousands(&rate(0)),
                thousands(&rate(1)),
                figure(&ratio, 1.0, 2, "×"),
                latency(0),
                latency(1),
            );
            if spread(&ratio).is_some_and(|ratio| ratio.median < AIM) {
                let _ = writeln!(misses, "\n'{}' misses {AIM} ×: {}", row.name, row.dominated_by);
            }
        }
        text + &misses
    }
}

/// The page.
pub(crate) fn markdown(report: &Report) -> String {
    let (runs, cpus) = (report.runs, std::thread::available_parallelism().map_or(0, usize::from));
    let mut text = format!(
        "# Performance\n\nMade by `cargo xtask bench`; {runs} runs, the two subjects in turn, on one machine of {cpus} cores \
         that the client shares. No fsync before the answer (Kafka's default; `log.flush.before.ack=false` here, where the \
         default is to wait for the disk). The clients are Kafka's own `ProducerPerformance`, `ConsumerPerformance` and \
         `EndToEndLatency`; all brokers are warmed up before the rows. Figures are medians, with the smallest and largest \
         run; a ratio is taken pair by pair.\n"
    );
    // Writing to a String cannot fail.
    if !report.single.memory.is_empty() {
        let _ = write!(
            text,
            "\n## One broker\n\n{PARTITIONS} partitions, acks=all; records per broker CPU second.\n{}{}",
            report.single.table(),
            report.single.memory.table("start and memory"),
        );
    }
    if let Some(size) = &report.image_size {
        let _ = writeln!(text, "\nImage: {size}.");
    }
    if !report.three.memory.is_empty() {
        let _ = write!(
            text,
            "\n## Three brokers\n\nOn one host, each a voter of the metadata quorum as well (Kafka: combined nodes, 512 MiB of \
             heap each). {PARTITIONS} partitions, replication factor 3, acks=all, `min.insync.replicas=2`; records per CPU \
             second of all three brokers together.\n{}{}",
            report.three.table(),
            report.three.memory.table("start and memory, all three together"),
        );
    }
    if !report.latency.is_empty() {
        let _ = write!(
            text,
            "\n### Latency at half of the saturation rate\n\nThree brokers as above; 1 KiB, batch 16 KiB. Each at half of the \
             rate that it takes itself on this machine, so that the faster one carries more. The tool's resolution is 1 ms.\n{}",
            report.latency.table("latency"),
        );
    }
    if !report.many.is_empty() {
        let _ = write!(
            text,
            "\n## Many partitions\n\nBrokers × partitions, a replica on every broker; of all brokers together, without load.\n{}",
            report.many.table("partitions"),
        );
    }
    if !report.failover.is_empty() {
        let _ = write!(
            text,
            "\n## Failover\n\n`kill -9` of one of three brokers that leads {} partitions, until a survivor takes a record with \
             acks=all in each. `broker.session.timeout.ms={}`, `broker.heartbeat.interval.ms={}`, the rest as shipped.\n{}",
            failover::PARTITIONS,
            failover::SESSION_MS,
            failover::HEARTBEAT_MS,
            report.failover.table("failover"),
        );
    }
    if !report.moves.is_empty() {
        let _ = write!(
            text,
            "\n## Bytes that growing and shrinking copies\n\n30 partitions of equal size, no load. Three brokers become five by \
             `POST /safety/spread`, as the operator does it, then one old and one new broker are emptied by \
             `POST /safety/evacuate`. Of 3 replicas on three brokers every even placement copies the fewest; of 2 replicas a \
             plan may copy more. Bytes are those that the brokers have counted \
             (`vltava_broker_reassignment_bytes_in_total`); the fewest are the replicas that must move until all brokers have \
             equal shares, times a partition's bytes. On the right is what `kafka-reassign-partitions --generate` proposes for \
             the same brokers at the same moment, times a partition's bytes; it is not carried out. Bytes that are sent \
             twice count twice.\n{}",
            report.moves.table("growing and shrinking"),
        );
    }
    text
}

fn thousands(figures: &[f64]) -> String {
    figure(figures, 1.0 / 1000.0, 1, " k")
}
