//! A table of named figures, one a run, of both subjects.

use std::fmt::Write;

use crate::stats::{ratios, spread};

/// How many subjects there are: Vltava, Apache Kafka.
pub(crate) const SUBJECTS: usize = 2;

/// A table.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    lines: Vec<Line>,
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

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
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
