//! A table of named figures, one a run, of both subjects.

use std::fmt::Write;

use crate::stats::{ratios, spread};

/// How many subjects there are: Vltava, Apache Kafka.
pub(crate) const SUBJECTS: usize = 2;

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    lines: Vec<Line>,
    /// What a subject did not get through, and why.
    failures: Vec<String>,
}

#[derive(Debug)]
struct Line {
    name: String,
    factor: f64,
    digits: usize,
    unit: &'static str,
    figures: [Vec<f64>; SUBJECTS],
}

impl Figures {
    /// Adds a run's figure to the line of this name. `factor`, `digits` and `unit` say how it is shown.
    pub(crate) fn add(
        &mut self,
        name: impl Into<String>,
        factor: f64,
        digits: usize,
        unit: &'static str,
        subject: usize,
        figure: f64,
    ) {
        let name = name.into();
        eprintln!("  {name}: {:.digits$}{unit}", figure * factor);
        let at = self.lines.iter().position(|line| line.name == name).unwrap_or_else(|| {
            let figures = Default::default();
            self.lines.push(Line { name, factor, digits, unit, figures });
            self.lines.len() - 1
        });
        self.lines[at].figures[subject].push(figure);
    }

    /// Notes that a subject has no (further) figures of something, and why: a line of dashes says too little.
    pub(crate) fn failed(&mut self, what: &str, subject: &str, error: &anyhow::Error) {
        self.failures.push(format!("{subject} did not get through {what}: {error:#}."));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.failures.is_empty()
    }

    /// The table with a ratio Kafka : Vltava, for figures of which less is better.
    pub(crate) fn table(&self, heading: &str) -> String {
        let mut text = format!(
            "\n| {heading} | Vltava | Apache Kafka 4.3.1 | Kafka : Vltava |\n|---|---|---|---|\n"
        );
        for line in &self.lines {
            let shown = |subject: usize| {
                figure(&line.figures[subject], line.factor, line.digits, line.unit)
            };
            let ratio = figure(&ratios(&line.figures[1], &line.figures[0]), 1.0, 2, "×");
            // Writing to a String cannot fail.
            let _ = writeln!(text, "| {} | {} | {} | {ratio} |", line.name, shown(0), shown(1));
        }
        for failure in &self.failures {
            let _ = writeln!(text, "\n{failure}");
        }
        text
    }
}

/// `median unit (min–max)` of the figures times `factor`.
pub(crate) fn figure(figures: &[f64], factor: f64, digits: usize, unit: &str) -> String {
    spread(figures).map_or_else(
        || "–".to_owned(),
        |s| {
            let [median, min, max] = [s.median, s.min, s.max].map(|figure| figure * factor);
            format!("{median:.digits$}{unit} ({min:.digits$}–{max:.digits$})")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_is_named_and_the_others_figures_stay() {
        let mut figures = Figures::default();
        figures.add("1 × 10 partitions: created", 1e3, 0, " ms", 0, 0.5);
        figures.failed("1 × 10 partitions", "Apache Kafka", &anyhow::anyhow!("no descriptors"));
        let table = figures.table("many partitions");
        assert!(table.contains("| 500 ms (500–500) | – | – |"), "{table}");
        let said = "Apache Kafka did not get through 1 × 10 partitions: no descriptors.";
        assert!(table.ends_with(&format!("\n\n{said}\n")), "{table}");
    }
}
