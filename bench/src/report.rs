//! The Markdown that goes into `docs/performance.md`.

use std::fmt::Write;

use crate::driver::Cost;
use crate::rows::{Load, PARTITIONS, Row};
use crate::stats::{ratios, spread};

/// Figures of all runs: `[row][subject]` → one figure a run.
#[derive(Debug)]
pub(crate) struct Results {
    costs: Vec<Vec<Vec<Cost>>>,
    start_seconds: Vec<Vec<f64>>,
    idle_rss: Vec<Vec<f64>>,
    end_rss: Vec<Vec<f64>>,
}

impl Results {
    pub(crate) fn new(rows: &[Row], subjects: usize) -> Self {
        let empty = || vec![Vec::new(); subjects];
        Self {
            costs: rows.iter().map(|_| vec![Vec::new(); subjects]).collect(),
            start_seconds: empty(),
            idle_rss: empty(),
            end_rss: empty(),
        }
    }

    pub(crate) fn start(&mut self, subject: usize, seconds: f64, rss_bytes: u64) {
        self.start_seconds[subject].push(seconds);
        self.idle_rss[subject].push(rss_bytes as f64);
    }

    pub(crate) fn row(&mut self, row: usize, subject: usize, cost: Cost) {
        self.costs[row][subject].push(cost);
    }

    pub(crate) fn end(&mut self, subject: usize, rss_bytes: u64) {
        self.end_rss[subject].push(rss_bytes as f64);
    }
}

const MIB: f64 = 1024.0 * 1024.0;

/// The tables. Subject 0 is Vltava, subject 1 Apache Kafka.
pub(crate) fn markdown(results: &Results, rows: &[Row], image_size: &Option<String>) -> String {
    let mut text = String::new();
    let runs = results.start_seconds.first().map_or(0, Vec::len);
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "# Performance\n\nMade by `cargo xtask bench`; {runs} runs, the two brokers in turn, on one \
         machine of {} cores that the client shares. One broker each, {PARTITIONS} partitions, no \
         fsync before the answer (Kafka's default; `log.flush.before.ack=false` here, where the \
         default is to wait for the disk). The client is Kafka's own `ProducerPerformance` and \
         `ConsumerPerformance`; both brokers are warmed up before the rows. Figures are medians, with the smallest and largest run; the ratio is \
         taken pair by pair.\n\n## Records per broker CPU second\n\n\
         | row | Vltava | Apache Kafka 4.3.1 | ratio | p99 ms, Vltava | p99 ms, Kafka |\n\
         |---|---|---|---|---|---|",
        std::thread::available_parallelism().map_or(0, usize::from),
    );
    for (row, costs) in rows.iter().zip(&results.costs) {
        let rate = |subject: usize| -> Vec<f64> {
            costs[subject].iter().map(|cost| cost.records as f64 / cost.cpu_seconds).collect()
        };
        let latency = |subject: usize| -> String {
            let figures: Vec<f64> = costs[subject].iter().filter_map(|cost| cost.p99_ms).collect();
            spread(&figures).map_or_else(|| "–".to_owned(), |s| format!("{:.0}", s.median))
        };
        let note = match row.load {
            Load::Consume { written_by } => format!(" (what '{written_by}' wrote)"),
            Load::Produce { .. } => String::new(),
        };
        let _ = writeln!(
            text,
            "| {}{note} | {} | {} | **{}** | {} | {} |",
            row.name,
            thousands(&rate(0)),
            thousands(&rate(1)),
            figure(&ratios(&rate(0), &rate(1)), 1.0, 2, "×"),
            latency(0),
            latency(1),
        );
    }
    let _ = writeln!(
        text,
        "\n## Start and memory\n\n| | Vltava | Apache Kafka 4.3.1 |\n|---|---|---|\n\
         | start to first acknowledged record | {} | {} |\n| RSS after start | {} | {} |\n| RSS after all rows | {} | {} |",
        figure(&results.start_seconds[0], 1000.0, 0, " ms"),
        figure(&results.start_seconds[1], 1000.0, 0, " ms"),
        figure(&results.idle_rss[0], 1.0 / MIB, 1, " MiB"),
        figure(&results.idle_rss[1], 1.0 / MIB, 1, " MiB"),
        figure(&results.end_rss[0], 1.0 / MIB, 1, " MiB"),
        figure(&results.end_rss[1], 1.0 / MIB, 1, " MiB"),
    );
    if let Some(size) = image_size {
        let _ = writeln!(text, "| image | {size} | – |");
    }
    text
}

fn thousands(figures: &[f64]) -> String {
    figure(figures, 1.0 / 1000.0, 1, " k")
}

/// `median unit (min–max)` of the figures times `factor`.
fn figure(figures: &[f64], factor: f64, digits: usize, unit: &str) -> String {
    spread(figures).map_or_else(
        || "–".to_owned(),
        |s| {
            let [median, min, max] = [s.median, s.min, s.max].map(|figure| figure * factor);
            format!("{median:.digits$}{unit} ({min:.digits$}–{max:.digits$})")
        },
    )
}
