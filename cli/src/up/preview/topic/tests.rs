use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::up::desired::Desired;
use crate::up::files::Content;
use crate::up::load::load;

fn declared(spec: &str) -> Declared<TopicSpec> {
    let text = format!(
        "apiVersion: vltava.dev/v1alpha1\nkind: Topic\nmetadata: {{name: lines}}\nspec:\n  clusterRef: {{name: demo}}\n{spec}"
    );
    let content: Content = Ok(Arc::from(text));
    let desired = Desired::resolve(load(&[(PathBuf::from("t.yaml"), content)].into()));
    assert!(desired.refused.is_empty(), "{:?}", desired.refused);
    desired.topics.into_values().next().unwrap()
}

fn seen(replicas: &[usize], config: &[(&str, &str)]) -> SeenTopic {
    let partition = |replicas: &usize| SeenPartition { replicas: *replicas, bytes: Some(1 << 20) };
    SeenTopic {
        partitions: replicas.iter().map(partition).collect(),
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn change(spec: &str, seen: &SeenTopic) -> Vec<String> {
    match compare(&declared(spec), Some(seen), 3) {
        Outcome::Change(lines) => lines,
        other => panic!("no change: {other:?}"),
    }
}

#[test]
fn a_topic_that_is_missing_is_made_and_one_that_is_as_described_is_left_alone() {
    let spec = "  partitions: 2\n  replicas: 3\n  config: {retention.ms: 5}\n";
    let made = Outcome::Create(
        ["partitions: 2", "replicas: 3", "retention.ms: 5"].map(str::to_owned).to_vec(),
    );
    assert_eq!(compare(&declared(spec), None, 3), made);
    let there = seen(&[3, 3], &[("retention.ms", "5")]);
    assert_eq!(compare(&declared(spec), Some(&there), 3), Outcome::Same);
}

#[test]
fn every_change_is_told_with_what_it_costs() {
    let there = seen(&[1, 1], &[("retention.ms", "5"), ("cleanup.policy", "compact")]);
    let spec = "  partitions: 4\n  replicas: 3\n  config: {retention.ms: 6, segment.bytes: 9}\n";
    assert_eq!(
        change(spec, &there),
        [
            "partitions: 2 -> 4 (records with a key may go to another partition than before)",
            "retention.ms: 5 -> 6",
            "segment.bytes: the cluster's default -> 9",
            "cleanup.policy: compact -> the cluster's default",
            "replicas: 1 -> 3 (2 partitions to change, 4.0 MiB are copied)",
        ]
    );
}

#[test]
fn partitions_that_fit_already_do_not_move_and_unknown_sizes_are_not_zero() {
    let mut there = seen(&[3, 1, 3], &[]);
    let spec = "  partitions: 3\n  replicas: 3\n";
    assert_eq!(
        change(spec, &there),
        ["replicas: 1 -> 3 (1 partition to change, 2.0 MiB are copied)"]
    );
    there.partitions[1].bytes = None;
    assert!(change(spec, &there)[0].contains("not known"), "{:?}", change(spec, &there));
    let fewer = change("  partitions: 3\n  replicas: 1\n", &seen(&[3, 3, 3], &[]));
    assert_eq!(fewer, ["replicas: 3 -> 1 (3 partitions to change, nothing is copied)"]);
}

#[test]
fn what_would_be_refused_is_told_with_its_line() {
    for (spec, line, word) in [
        ("  partitions: 1\n", 6, "cannot remove"),
        ("  partitions: 2\n  replicas: 4\n", 7, "there are 3"),
        ("  partitions: 2\n  replicas: 1\n  config: {min.insync.replicas: 2}\n", 7, "acks=all"),
    ] {
        match compare(&declared(spec), Some(&seen(&[1, 1], &[])), 3) {
            Outcome::Refused(why) => {
                assert!(why.starts_with(&format!("t.yaml:{line}: ")), "{why}");
                assert!(why.contains(word), "{why}");
            }
            other => panic!("not refused: {other:?}"),
        }
    }
}
