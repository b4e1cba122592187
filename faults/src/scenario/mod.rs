//! The scenarios, one file a family. Each is what happens to the brokers while the load runs; before it the cluster
//! is whole and the load works, after it everything is put in order again ([`crate::run`]).

mod clock;
mod control;
mod disk;
mod kill;
mod link;
mod partition;
mod pause;
mod restart;

use anyhow::Result;

use crate::check::Rule;
use crate::disk::Kind;
use crate::load::Care;
use crate::run::Run;

/// What happens, to which kind of cluster, and what its user sees of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What is done, and what a user of the cluster sees of it. For the report.
    pub(crate) story: &'static str,
    pub(crate) least_brokers: usize,
    pub(crate) disk: Kind,
    /// Whether brokers have a wall clock of their own.
    pub(crate) own_clock: bool,
    pub(crate) care: Care,
    /// Part of the short set.
    pub(crate) short: bool,
    /// Whether writes that are given up after all retries make it bad.
    pub(crate) fails_no_write: bool,
    /// A control: what the checker has to find.
    pub(crate) breaks: Option<Rule>,
    pub(crate) act: fn(&mut Run) -> Result<()>,
}

impl Scenario {
    /// On any number of brokers, with everything as users have it.
    const fn new(name: &'static str, act: fn(&mut Run) -> Result<()>, story: &'static str) -> Self {
        Self {
            name,
            story,
            least_brokers: 1,
            disk: Kind::Folder,
            own_clock: false,
            care: Care::Full,
            short: false,
            fails_no_write: false,
            breaks: None,
            act,
        }
    }

    const fn of_brokers(self, least_brokers: usize) -> Self {
        Self { least_brokers, ..self }
    }

    const fn on(self, disk: Kind) -> Self {
        Self { disk, ..self }
    }

    const fn in_short_set(self) -> Self {
        Self { short: true, ..self }
    }

    const fn that_fails_no_write(self) -> Self {
        Self { fails_no_write: true, ..self }
    }

    const fn that_breaks(self, rule: Rule, care: Care) -> Self {
        Self { breaks: Some(rule), care, ..self }
    }
}

/// All that must lose nothing.
pub(crate) fn all() -> Vec<Scenario> {
    let families =
        [kill::ALL, pause::ALL, restart::ALL, partition::ALL, link::ALL, disk::ALL, clock::ALL];
    families.concat()
}

/// Broken on purpose: they show that the checker can fail.
pub(crate) fn controls() -> Vec<Scenario> {
    control::ALL.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_stories_are_sentences() {
        let mut names: Vec<&str> =
            all().iter().chain(&controls()).map(|scenario| scenario.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for scenario in all().iter().chain(&controls()) {
            assert!(scenario.story.ends_with('.'), "{}", scenario.name);
        }
    }

    #[test]
    fn controls_say_what_they_break_and_nothing_else_does() {
        assert!(all().iter().all(|scenario| scenario.breaks.is_none()));
        assert!(controls().iter().all(|scenario| scenario.breaks.is_some()));
    }
}
