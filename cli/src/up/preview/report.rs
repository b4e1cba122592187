//! Tells what would change, for people and for scripts.

use std::io::{self, Write};

use super::Outcome;

/// What would become of all objects.
#[derive(Debug, Default)]
pub(crate) struct Report {
    objects: Vec<(String, Outcome)>,
}

impl Report {
    pub(crate) fn add(&mut self, name: String, outcome: Outcome) {
        self.objects.push((name, outcome));
    }

    /// A document that does not say which object it is.
    pub(crate) fn add_nameless(&mut self, refusal: String) {
        self.objects.push(("a document".to_owned(), Outcome::Refused(refusal)));
    }

    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.objects.iter().filter(|(_, outcome)| is(outcome)).count()
    }

    /// Whether anything would be refused.
    pub(crate) fn is_refused(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Refused(_))) > 0
    }

    /// Whether anything would be made or changed.
    pub(crate) fn has_changes(&self) -> bool {
        self.count(|outcome| matches!(outcome, Outcome::Create(_) | Outcome::Change(_))) > 0
    }

    /// Writes it: `+` is made, `~` is changed, `!` is refused, `?` was not compared.
    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        for (name, outcome) in &self.objects {
            match outcome {
                Outcome::Same => {}
                Outcome::Create(lines) => block(to, '+', name, lines)?,
                Outcome::Change(lines) => block(to, '~', name, lines)?,
                Outcome::Refused(why) => block(to, '!', name, std::slice::from_ref(why))?,
                Outcome::NotCompared(why) => writeln!(to, "? {name} (not compared: {why})")?,
            }
        }
        let create = self.count(|outcome| matches!(outcome, Outcome::Create(_)));
        let change = self.count(|outcome| matches!(outcome, Outcome::Change(_)));
        let refused = self.count(|outcome| matches!(outcome, Outcome::Refused(_)));
        let same = self.count(|outcome| *outcome == Outcome::Same);
        writeln!(
            to,
            "{create} to create, {change} to change, {same} as described, {refused} refused; nothing is deleted"
        )
    }
}

fn block(to: &mut impl Write, sign: char, name: &str, lines: &[String]) -> io::Result<()> {
    writeln!(to, "{sign} {name}")?;
    lines.iter().try_for_each(|line| writeln!(to, "    {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_names_everything_that_is_not_as_described() {
        let mut report = Report::default();
        let topic = |name: &str| format!("Topic/{name}");
        report.add(topic("a"), Outcome::Same);
        assert!(!report.has_changes() && !report.is_refused());
        report.add(topic("b"), Outcome::Change(vec!["retention.ms: 1 -> 2".into()]));
        report.add(topic("c"), Outcome::Refused("t.yaml:3: no".into()));
        report.add("Cluster/d".into(), Outcome::NotCompared("nobody shows it".into()));
        assert!(report.has_changes() && report.is_refused());
        let mut text = Vec::new();
        report.write(&mut text).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "~ Topic/b\n    retention.ms: 1 -> 2\n! Topic/c\n    t.yaml:3: no\n\
             ? Cluster/d (not compared: nobody shows it)\n\
             0 to create, 1 to change, 1 as described, 1 refused; nothing is deleted\n"
        );
    }
}
