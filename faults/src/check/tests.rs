//! Each rule is broken once, and only that rule.

use super::*;
use crate::history::Client;

fn client(name: &str, lines: &[&str]) -> Client {
    // Times are the numbers of the lines, in units that make gaps easy to read.
    let text: String = lines
        .iter()
        .enumerate()
        .map(|(i, line)| format!("{}\t{}\n", line.replace(' ', "\t"), (i + 1) * 10))
        .collect();
    Client::parse(name, &text).unwrap()
}

/// Two records of `p`, acknowledged at 0@0 and 0@1, read by `c` and committed.
fn healthy() -> History {
    History {
        producers: vec![client("p", &["T 0 0", "T 1 0", "K 0 0 0", "K 1 0 1", "E"])],
        consumers: vec![client("c", &["A 0", "P 0 0 p:0", "P 0 1 p:1", "C 0 2", "E"])],
        last_read: client("last", &["L 0 0 2", "P 0 0 p:0", "P 0 1 p:1", "E"]),
        group_offsets: [(0, 2)].into(),
    }
}

fn broken(history: &History) -> Vec<(Rule, usize)> {
    check(history).breaches.iter().map(|(rule, (count, _))| (*rule, *count)).collect()
}

#[test]
fn a_healthy_run_is_clean() {
    let verdict = check(&healthy());
    assert!(verdict.is_clean(), "{:?}", verdict.describe());
    assert_eq!((verdict.attempted, verdict.acknowledged), (2, 2));
    assert_eq!(unseen(&healthy()), 0);
}

#[test]
fn an_acknowledged_record_that_is_gone_is_lost() {
    let mut history = healthy();
    history.consumers = vec![client("c", &["A 0", "P 0 0 p:0", "C 0 1"])];
    history.group_offsets = [(0, 1)].into();
    history.last_read = client("last", &["P 0 0 p:0"]);
    assert_eq!(broken(&history), [(Rule::Lost, 1)]);
}

#[test]
fn what_was_read_and_is_gone_is_inconsistent_also_if_nobody_was_told_that_it_was_written() {
    let mut history = healthy();
    history.producers = vec![client("p", &["T 0 0", "T 1 0", "K 0 0 0", "F 1 0 TIMED_OUT"])];
    history.last_read = client("last", &["P 0 0 p:0"]);
    assert_eq!(broken(&history), [(Rule::Inconsistent, 1)]);
    assert_eq!(check(&history).failed, [("TIMED_OUT".to_owned(), 1)].into());
}

#[test]
fn a_value_that_is_there_twice_is_duplicated() {
    let mut history = healthy();
    history.last_read = client("last", &["P 0 0 p:0", "P 0 1 p:1", "P 0 2 p:1"]);
    assert_eq!(broken(&history), [(Rule::Duplicated, 1)]);
}

#[test]
fn a_record_elsewhere_than_its_producer_was_told_is_inconsistent() {
    let mut history = healthy();
    history.producers = vec![client("p", &["T 0 0", "T 1 0", "K 0 0 0", "K 1 0 7"])];
    assert_eq!(broken(&history), [(Rule::Inconsistent, 1)]);
    // A client that was answered "you have sent this before" is told no offset.
    history.producers = vec![client("p", &["T 0 0", "T 1 0", "K 0 0 0", "K 1 0 -1"])];
    assert_eq!(broken(&history), []);
}

#[test]
fn two_readers_that_differ_are_inconsistent() {
    let mut history = healthy();
    history.consumers.push(client("d", &["A 0", "P 0 0 p:1"]));
    assert_eq!(broken(&history), [(Rule::Inconsistent, 1)]);
}

#[test]
fn a_producers_order_is_kept() {
    let mut history = healthy();
    history.producers = vec![client("p", &["T 0 0", "T 1 0", "K 0 0 1", "K 1 0 0"])];
    history.consumers = vec![client("c", &["A 0", "P 0 0 p:1", "P 0 1 p:0", "C 0 2"])];
    history.last_read = client("last", &["P 0 0 p:1", "P 0 1 p:0"]);
    assert_eq!(broken(&history), [(Rule::Reordered, 1)]);
}

#[test]
fn polls_neither_go_back_nor_leave_anything_out() {
    let mut history = healthy();
    history.consumers = vec![client("c", &["A 0", "P 0 0 p:0", "P 0 1 p:1", "P 0 0 p:0", "C 0 2"])];
    assert_eq!(broken(&history), [(Rule::NotMonotonic, 1)]);

    let mut history = healthy();
    history.last_read = client("last", &["P 0 0 p:0", "P 0 1 q:0", "P 0 2 p:1"]);
    history.producers = vec![client("p", &["T 0 0", "T 1 0", "K 0 0 0", "K 1 0 2"])];
    history.consumers = vec![client("c", &["A 0", "P 0 0 p:0", "P 0 2 p:1", "C 0 3"])];
    history.group_offsets = [(0, 3)].into();
    assert_eq!(broken(&history), [(Rule::Skipped, 1)]);
}

#[test]
fn after_a_new_assignment_a_consumer_may_read_again_what_was_not_committed() {
    let mut history = healthy();
    history.consumers = vec![client(
        "c",
        &["A 0", "P 0 0 p:0", "C 0 1", "P 0 1 p:1", "V 0", "A 0", "P 0 1 p:1", "C 0 2"],
    )];
    assert_eq!(broken(&history), []);
}

#[test]
fn a_commit_of_what_was_not_read_is_found() {
    let mut history = healthy();
    history.consumers = vec![client("c", &["A 0", "P 0 0 p:0", "P 0 1 p:1", "C 0 3"])];
    history.group_offsets = [(0, 3)].into();
    assert_eq!(broken(&history), [(Rule::CommittedUnread, 1)]);
}

#[test]
fn a_commit_that_is_forgotten_is_found_at_the_next_assignment_and_at_the_end() {
    let mut history = healthy();
    history.consumers = vec![client(
        "c",
        &["A 0", "P 0 0 p:0", "P 0 1 p:1", "C 0 2", "V 0", "A 0", "P 0 0 p:0", "P 0 1 p:1"],
    )];
    assert_eq!(broken(&history), [(Rule::CommitsWentBack, 1)]);

    let mut history = healthy();
    history.group_offsets = [(0, 1)].into();
    assert_eq!(broken(&history), [(Rule::CommitsWentBack, 1)]);
}

#[test]
fn what_the_group_never_read_is_unseen() {
    let mut history = healthy();
    history.consumers = vec![client("c", &["A 0", "P 0 0 p:0", "C 0 1"])];
    history.group_offsets.clear();
    assert_eq!(broken(&history), [(Rule::Unseen, 1)]);
    assert_eq!(unseen(&history), 1);
}

#[test]
fn the_longest_time_without_an_acknowledgement_is_measured_for_each_partition() {
    let mut history = healthy();
    // 0 is acknowledged at 30 and 70; 1 is tried at 20 and never answered until the end at 80.
    history.producers =
        vec![client("p", &["T 0 0", "T 1 1", "K 0 0 0", "T 2 0", "N x", "N x", "K 2 0 1", "E"])];
    assert_eq!(check(&history).longest_gap["p"], 60);
    history.producers =
        vec![client("p", &["T 0 0", "N x", "K 0 0 0", "T 2 0", "N x", "N x", "K 2 0 1", "E"])];
    assert_eq!(check(&history).longest_gap["p"], 40);
}

#[test]
fn breaches_are_counted_and_the_first_few_told() {
    let mut history = healthy();
    let lines: Vec<String> = (0..20).map(|i| format!("K {i} 0 {i}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    history.producers = vec![client("p", &lines)];
    let verdict = check(&history);
    assert_eq!(verdict.count(Rule::Lost), 18);
    let told = verdict.describe();
    assert_eq!(told.len(), 1 + EXAMPLES);
    assert!(told[0].contains("18 acknowledged records lost"), "{told:?}");
}
