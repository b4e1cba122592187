//! Who writes what others read: the order in which a pipeline runs dry.

use std::collections::BTreeSet;

use super::object::ObjectKey;

/// A connector or an app with the topics that it reads and writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) key: ObjectKey,
    pub(crate) inputs: BTreeSet<String>,
    pub(crate) outputs: BTreeSet<String>,
}

/// `stages` with every writer before its readers; stages in a circle come last, by name.
///
/// Asking them in this order whether they are done makes one round enough: nothing can come any more to a stage
/// whose writers were done before it was asked.
pub(crate) fn downstream(mut stages: Vec<Stage>) -> Vec<Stage> {
    stages.sort_by(|a, b| a.key.cmp(&b.key));
    let mut ordered: Vec<Stage> = Vec::with_capacity(stages.len());
    while !stages.is_empty() {
        let waits = |stage: &Stage| {
            stages
                .iter()
                .any(|other| other.key != stage.key && !other.outputs.is_disjoint(&stage.inputs))
        };
        let next = stages.iter().position(|stage| !waits(stage)).unwrap_or(0);
        ordered.push(stages.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::object::Kind;

    fn stage(name: &str, inputs: &[&str], outputs: &[&str]) -> Stage {
        let set = |topics: &[&str]| topics.iter().map(|t| (*t).to_owned()).collect();
        Stage {
            key: ObjectKey::new(Kind::Connector, name),
            inputs: set(inputs),
            outputs: set(outputs),
        }
    }

    fn names(stages: Vec<Stage>) -> Vec<String> {
        downstream(stages).into_iter().map(|stage| stage.key.name).collect()
    }

    #[test]
    fn writers_come_before_readers() {
        let stages = vec![
            stage("a-sink", &["counts"], &[]),
            stage("b-app", &["lines"], &["counts"]),
            stage("c-source", &[], &["lines"]),
        ];
        assert_eq!(names(stages), ["c-source", "b-app", "a-sink"]);
    }

    #[test]
    fn a_circle_does_not_hang() {
        let stages =
            vec![stage("a", &["x"], &["y"]), stage("b", &["y"], &["x"]), stage("c", &[], &["z"])];
        assert_eq!(names(stages), ["c", "a", "b"]);
        assert_eq!(names(vec![stage("self", &["x"], &["x"])]), ["self"]);
    }
}
