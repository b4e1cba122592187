//! The page that the runs write: `docs/failure-modes.md`.

use std::fmt::Write as _;

use crate::check::Rule;
use crate::command;
use crate::load;
use crate::run::Outcome;
use crate::scenario::Scenario;

/// A run in the report: its error, when it did not come to a verdict.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) brokers: usize,
    pub(crate) outcome: Result<Outcome, String>,
}

impl Row {
    /// Whether it came out as it should: clean, or with what a control breaks.
    pub(crate) fn is_good(&self) -> bool {
        let Ok(outcome) = &self.outcome else { return false };
        match self.scenario.breaks {
            Some(rule) => outcome.verdict.count(rule) > 0,
            None => {
                let failed = self.scenario.fails_no_write && !outcome.verdict.failed.is_empty();
                outcome.verdict.is_clean() && outcome.problems.is_empty() && !failed
            }
        }
    }

    /// What to print of it at once.
    pub(crate) fn summary(&self) -> String {
        let word = if self.is_good() { "good" } else { "BAD" };
        let mut text = format!("{word}: {}\n", self.cells().join(" | "));
        if let Ok(outcome) = &self.outcome {
            for line in outcome.verdict.describe() {
                let _ = writeln!(text, "  {line}");
            }
            for (error, count) in &outcome.verdict.failed {
                let _ = writeln!(text, "  {count} writes failed: {error}");
            }
            for line in outcome.problems.iter().chain(&outcome.notes) {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.scenario.name.to_owned(), self.brokers.to_string()];
        match &self.outcome {
            Err(error) => cells.push(format!("no verdict: {}", error.replace('\n', " "))),
            Ok(Outcome { verdict, .. }) => {
                let failed: usize = verdict.failed.values().sum();
                let gaps: Vec<String> =
                    verdict.longest_gap.values().rev().map(|&gap| seconds(gap)).collect();
                cells.extend([
                    verdict.acknowledged.to_string(),
                    verdict.count(Rule::Lost).to_string(),
                    verdict.count(Rule::Duplicated).to_string(),
                    others(self).to_string(),
                    failed.to_string(),
                    gaps.join(" / "),
                ]);
            }
        }
        cells
    }
}

/// Breaches of all other rules, and what else went wrong.
fn others(row: &Row) -> usize {
    const OTHERS: [Rule; 7] = [
        Rule::Inconsistent,
        Rule::Reordered,
        Rule::NotMonotonic,
        Rule::Skipped,
        Rule::CommittedUnread,
        Rule::CommitsWentBack,
        Rule::Unseen,
    ];
    row.outcome.as_ref().map_or(0, |outcome| {
        let breaches: usize = OTHERS.iter().map(|&rule| outcome.verdict.count(rule)).sum();
        breaches + outcome.problems.len()
    })
}

fn seconds(nanoseconds: u64) -> String {
    format!("{:.1} s", nanoseconds as f64 / 1e9)
}

/// The whole page.
pub(crate) fn markdown(rows: &[Row], seed: u64) -> String {
    let mut text = String::from(
        "# Failure modes\n\n\
         <!-- Written by `cargo xtask faults --out docs/failure-modes.md`. -->\n\n\
         Real broker processes, each in a network namespace of its own, are hurt while librdkafka and Java clients \
         write and read. A checker after the rules of Jepsen's Kafka workload judges what they saw. *Other breaches* \
         are offsets with two values, records out of order, polls or committed offsets that went back, records that \
         the group never read, brokers that did not end as asked. *Failed* are writes given up after all retries. \
         The *longest wait* is the longest time without an acknowledgement from a partition, for librdkafka / Java.\n\n\
         | scenario | brokers | acknowledged | lost | duplicated | other breaches | failed | longest wait |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text.push_str("\n## What happens, and what a user sees\n\n");
    for row in rows {
        let _ = writeln!(text, "- **{}**: {}", row.scenario.name, row.scenario.story);
        let notes = row.outcome.as_ref().map_or(&[][..], |outcome| &outcome.notes);
        for note in notes {
            let _ = writeln!(text, "  - {}", note.replace('\n', " "));
        }
    }
    let _ = write!(text, "\n## Settings\n\n{}\n", load::quoted());
    let mut sizes: Vec<usize> = rows.iter().map(|row| row.brokers).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for brokers in sizes {
        let _ = writeln!(
            text,
            "\n{brokers} broker{}: topic with replication factor {}; `{}`; everything else as shipped.",
            if brokers == 1 { "" } else { "s" },
            command::replication_factor(brokers),
            command::settings(brokers).join("`, `")
        );
    }
    let _ = write!(text, "\nSeed {seed}. {LIMITS}\n");
    text
}

/// What these runs do not show.
const LIMITS: &str = "\n\n## What these runs do not show\n\n\
    Processes die, the machine does not: what was not synced survives in the page cache. The simulation loses it. \
    A failing disk fails writes and syncs, not reads. A slow disk is one that the kernel throttles by operations. \
    Where the kernel has no `netem`, loss and delay are made by a program between two network interfaces.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::history::{Client, History};
    use crate::scenario;

    fn row(scenario: Scenario, lines: &str) -> Row {
        let history = History {
            producers: vec![Client::parse("java", lines).unwrap()],
            ..Default::default()
        };
        let (notes, problems) = (vec!["broker 0 ended".into()], Vec::new());
        let outcome = Outcome { verdict: check::check(&history), notes, problems };
        Row { scenario, brokers: 3, outcome: Ok(outcome) }
    }

    #[test]
    fn a_scenario_is_good_when_clean_and_a_control_when_broken() {
        let (clean, broken) = ("T\t0\t0\t1\n", "T\t0\t0\t1\nK\t0\t0\t0\t2000000001\n");
        let scenario = scenario::all()[0];
        assert!(row(scenario, clean).is_good());
        assert!(!row(scenario, broken).is_good());
        let control = scenario::controls()[0];
        assert!(!row(control, clean).is_good());
        assert!(row(control, broken).is_good());
    }

    #[test]
    fn a_controlled_restart_must_not_fail_a_write() {
        let all = scenario::all();
        let rolling = all.iter().find(|scenario| scenario.name == "rolling-restart").unwrap();
        assert!(!row(*rolling, "T\t0\t0\t1\nF\t0\t0\tX\t2\n").is_good());
        assert!(row(scenario::all()[0], "T\t0\t0\t1\nF\t0\t0\tX\t2\n").is_good());
    }

    #[test]
    fn the_page_has_a_line_with_figures_and_a_story_for_each_run() {
        let scenario = scenario::all()[0];
        let lines = "T\t0\t0\t1\nK\t0\t0\t0\t2000000001\nF\t1\t0\tX\t2000000002\n";
        let failed = Row { scenario, brokers: 1, outcome: Err("no\nway".into()) };
        let text = markdown(&[row(scenario, lines), failed], 7);
        assert!(text.contains("| kill-leader | 3 | 1 | 1 | 0 | 0 | 1 | 2.0 s |\n"), "{text}");
        assert!(text.contains("| kill-leader | 1 | no verdict: no way |\n"), "{text}");
        assert!(text.contains("- **kill-leader**: The leader"), "{text}");
        assert!(text.contains("  - broker 0 ended\n"), "{text}");
    }
}
