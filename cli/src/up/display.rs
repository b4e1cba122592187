//! Shows how the objects are doing: a table that stays up to date on a terminal, a line a change elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::object::ObjectKey;
use super::status::{State, Status};
use crate::console::Console;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";
/// From so many objects on the table is sorted by state.
const LONG_LIST: usize = 20;

/// What was shown, so that only news is written.
#[derive(Debug)]
pub(crate) struct Display {
    console: Console,
    header: String,
    shown: BTreeMap<ObjectKey, Status>,
    refused: BTreeSet<String>,
    settled: bool,
}

impl Display {
    pub(crate) fn new(console: Console) -> Self {
        Self {
            console,
            header: String::new(),
            shown: BTreeMap::new(),
            refused: BTreeSet::new(),
            settled: false,
        }
    }

    /// The platform is up; tells where.
    pub(crate) fn platform(&mut self, kafka: &str, connect: &str, data: &str) {
        let header = format!("Kafka {kafka}   Connect {connect}   data in {data}");
        if header != self.header {
            self.console.line(&header);
            self.header = header;
        }
    }

    pub(crate) fn note(&self, text: &str) {
        self.console.line(text);
    }

    /// Refusals of documents that name no object, told once each.
    pub(crate) fn refuse(&mut self, refusals: impl IntoIterator<Item = String>) {
        let now: BTreeSet<String> = refusals.into_iter().collect();
        for refusal in now.difference(&self.refused) {
            self.console.error(refusal);
        }
        self.refused = now;
    }

    /// The objects as they are now.
    pub(crate) fn update(&mut self, statuses: &BTreeMap<ObjectKey, Status>) {
        for (key, status) in statuses {
            let before = self.shown.get(key);
            match &status.state {
                State::Stalled(refusal) if before.map(|b| &b.state) != Some(&status.state) => {
                    self.console.error(&refusal.to_string());
                }
                _ => {}
            }
            if !self.console.is_terminal() && is_news(before, status) {
                self.console.line(&plain(key, status));
            }
        }
        if !self.console.is_terminal() {
            for key in self.shown.keys().filter(|key| !statuses.contains_key(*key)) {
                self.console.line(&format!("{key} removed"));
            }
        }
        self.shown.clone_from(statuses);
        self.console.show(table(statuses));
        self.settle(statuses);
    }

    fn settle(&mut self, statuses: &BTreeMap<ObjectKey, Status>) {
        let settled = !statuses.is_empty() && statuses.values().all(Status::is_ready);
        if settled && !self.settled && !self.console.is_terminal() {
            self.console.line(&format!(
                "all {} ready",
                super::status::count(statuses.len() as u64, "object")
            ));
        }
        self.settled = settled;
    }

    /// The last word; the table stays on the screen above it.
    pub(crate) fn finish(&mut self, text: &str) {
        if !self.console.is_terminal() {
            for (key, status) in &self.shown {
                self.console.line(&plain(key, status));
            }
        }
        self.console.release();
        self.console.line(text);
    }
}

/// Numbers change all the time; without a terminal only a change of state, or of what is being done, is news.
fn is_news(before: Option<&Status>, now: &Status) -> bool {
    match before {
        None => true,
        Some(before) if before.state != now.state => true,
        Some(before) => now.state == State::Reconciling && before.detail != now.detail,
    }
}

fn plain(key: &ObjectKey, status: &Status) -> String {
    match &status.state {
        // The refusal itself was told as an error.
        State::Stalled(refusal) => format!("{key} {}: see {}", status.state.word(), refusal.place),
        _ => format!("{key} {}: {}", status.state.word(), status.detail),
    }
}

fn table(statuses: &BTreeMap<ObjectKey, Status>) -> Vec<String> {
    let name_width = statuses.keys().map(|key| key.to_string().chars().count()).max().unwrap_or(0);
    let row = |(key, status): (&ObjectKey, &Status)| {
        let (colour, mark) = match status.state {
            State::Ready => (GREEN, "●"),
            State::Reconciling => (YELLOW, "◌"),
            State::Stalled(_) => (RED, "✗"),
        };
        let name = key.to_string();
        let word = status.state.word();
        let detail = status.detail.lines().next().unwrap_or_default();
        format!(
            "{colour}{mark}{RESET} {BOLD}{name:name_width$}{RESET}  {colour}{word:11}{RESET}  {DIM}{detail}{RESET}"
        )
    };
    // A screen may be too small for all: what needs attention must be on it.
    let mut rows: Vec<_> = statuses.iter().collect();
    if rows.len() > LONG_LIST {
        rows.sort_by_key(|(_, status)| match status.state {
            State::Stalled(_) => 0,
            State::Reconciling => 1,
            State::Ready => 2,
        });
    }
    rows.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::object::Kind;

    #[test]
    fn numbers_alone_are_no_news_without_a_terminal() {
        let ready = |detail: &str| Status::ready(detail);
        assert!(is_news(None, &ready("1 record")));
        assert!(!is_news(Some(&ready("1 record")), &ready("2 records")));
        assert!(is_news(Some(&Status::reconciling("starting")), &ready("1 record")));
        assert!(is_news(
            Some(&Status::reconciling("waiting for Topic/a")),
            &Status::reconciling("starting")
        ));
    }

    #[test]
    fn a_row_is_one_line() {
        let statuses = [
            (ObjectKey::new(Kind::Topic, "lines"), Status::ready("3 records, 1 partition")),
            (ObjectKey::new(Kind::StreamsApp, "word-count"), Status::reconciling("first\nsecond")),
        ];
        let rows = table(&statuses.into());
        let bare: Vec<String> = rows.iter().map(|row| strip(row)).collect();
        assert_eq!(
            bare,
            [
                "● Topic/lines            Ready        3 records, 1 partition",
                "◌ StreamsApp/word-count  Reconciling  first"
            ]
        );
    }

    fn strip(line: &str) -> String {
        let mut out = String::new();
        let mut in_escape = false;
        for c in line.chars() {
            match c {
                '\x1b' => in_escape = true,
                _ if in_escape => in_escape = !c.is_ascii_alphabetic(),
                _ => out.push(c),
            }
        }
        out
    }
}
