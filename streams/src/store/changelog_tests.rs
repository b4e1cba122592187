use super::*;
use crate::store::meta::Position;
use protocol::Uuid;

fn names() -> Vec<Str> {
    vec![Str::from("a"), Str::from("b")]
}

fn progress(commit: u64, incarnation: u64, next: i64) -> Progress {
    let mut progress = Progress { commit, incarnation, ..Progress::default() };
    let position = Position { topic_id: Uuid([9; 16]), next };
    progress.positions.insert((Str::from("lines"), 0), position);
    progress
}

fn change(store: usize, key: &'static str, value: &'static str) -> Change {
    let value = (!value.is_empty()).then(|| Bytes::from_static(value.as_bytes()));
    Change { store, key: Bytes::from_static(key.as_bytes()), value, timestamp_ms: 1 }
}

fn commit(
    commit: u64,
    incarnation: u64,
    changes: &[(usize, &'static str, &'static str)],
) -> Vec<ChangelogRecord> {
    let changes = changes.iter().map(|(s, k, v)| change(*s, k, v)).collect();
    let next = i64::try_from(commit).unwrap() * 10;
    commit_records(&names(), changes, &progress(commit, incarnation, next), None)
}

/// The state that the changelogs come to, and what else they say.
fn restore(records: &[ChangelogRecord]) -> (Vec<(usize, String, String)>, Restored) {
    let mut readers: Vec<ChangelogReader> =
        names().iter().map(|_| ChangelogReader::default()).collect();
    let mut state = std::collections::BTreeMap::new();
    let mut apply = |store: usize, (key, value, _): Row| {
        match value {
            Some(value) => state.insert((store, key), value),
            None => state.remove(&(store, key)),
        };
    };
    for record in records {
        let row = (record.key.clone(), record.value.clone(), record.timestamp_ms);
        for row in readers[record.store].read(row, Some(record.header.clone())) {
            apply(record.store, row);
        }
    }
    let restored = finish(&names(), readers);
    for (store, row) in restored.rows.clone() {
        apply(store, row);
    }
    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let state = state.iter().map(|((s, k), v)| (*s, text(k), text(v))).collect();
    (state, restored)
}

fn row(store: usize, key: &str, value: &str) -> (usize, String, String) {
    (store, key.to_owned(), value.to_owned())
}

#[test]
fn finished_commits_are_applied_in_order() {
    let mut log = commit(1, 7, &[(0, "x", "1"), (1, "y", "1")]);
    log.extend(commit(2, 7, &[(0, "x", "2"), (0, "z", "1")]));
    log.extend(commit(3, 7, &[(0, "z", ""), (1, "y", "3")]));
    let (state, restored) = restore(&log);
    assert_eq!(state, [row(0, "x", "2"), row(1, "y", "3")]);
    assert_eq!(restored.progress, Some(progress(3, 7, 30)));
    assert_eq!((restored.unfinished, restored.highest), (None, 3));
}

#[test]
fn a_commit_that_misses_any_of_its_records_is_not_applied() {
    let first = commit(1, 7, &[(0, "x", "1"), (1, "y", "1")]);
    let second = commit(2, 7, &[(0, "x", "2"), (0, "z", "2"), (1, "y", "2")]);
    // Each changelog may have any prefix of its own records.
    for (in_a, in_b) in [(0, 1), (1, 0), (1, 1), (2, 0)] {
        let mut log = first.clone();
        log.extend(second.iter().filter(|r| r.store == 0).take(in_a).cloned());
        log.extend(second.iter().filter(|r| r.store == 1).take(in_b).cloned());
        let (state, restored) = restore(&log);
        assert_eq!(state, [row(0, "x", "1"), row(1, "y", "1")], "{in_a} {in_b}");
        assert_eq!(restored.progress, Some(progress(1, 7, 10)));
        let (id, keys) = restored.unfinished.unwrap();
        assert_eq!((id, keys.len()), ((2, 7), in_a + in_b));
    }
    let all: Vec<_> = first.into_iter().chain(second).collect();
    assert_eq!(restore(&all).1.unfinished, None);
}

#[test]
fn a_compensation_takes_an_unfinished_commit_back() {
    let mut log = commit(1, 7, &[(0, "x", "1")]);
    log.extend(commit(2, 7, &[(0, "x", "2"), (0, "z", "2")]).into_iter().take(1));
    let undo = |incarnation, changes| {
        commit_records(&names(), changes, &progress(5, incarnation, 10), Some((2, 7)))
    };
    // One attempt at it is cut short as well.
    log.extend(undo(8, vec![change(0, "x", "1"), change(0, "z", "")]).into_iter().take(1));
    assert_eq!(restore(&log).0, [row(0, "x", "1")]);
    log.extend(undo(9, vec![change(0, "x", "1"), change(0, "z", "")]));
    let (state, restored) = restore(&log);
    assert_eq!(state, [row(0, "x", "1")]);
    assert_eq!(restored.unfinished, None);
    assert_eq!(restored.progress, Some(progress(5, 9, 10)));
    log.extend(commit(6, 9, &[(0, "z", "3")]));
    assert_eq!(restore(&log).0, [row(0, "x", "1"), row(0, "z", "3")]);
    // Compaction removes what was replaced: the compensation still stands.
    let compacted: Vec<_> = log.split_off(3);
    assert_eq!(restore(&compacted).0, [row(0, "x", "1"), row(0, "z", "3")]);
}

#[test]
fn records_of_other_writers_are_taken_as_they_are() {
    let mut reader = ChangelogReader::default();
    let row = (Bytes::from_static(b"k"), Some(Bytes::from_static(b"v")), 5);
    assert_eq!(reader.read(row.clone(), None), std::slice::from_ref(&row));
    assert_eq!(reader.read(row.clone(), Some(Bytes::from_static(b"\x01xx"))), [row]);
}

#[test]
fn a_header_from_the_network_may_be_anything() {
    let whole = commit(2, 7, &[(0, "x", "2")]).remove(0).header;
    assert!(Header::decode(whole.clone()).is_ok());
    for i in 0..whole.len() {
        assert!(Header::decode(whole.slice(..i)).is_err(), "cut at {i}");
    }
}
