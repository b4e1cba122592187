use std::time::Duration;

use bytes::Bytes;
use protocol::records::{BatchBuilder, Compression};

use super::*;

const ROOM: usize = 1000;

fn id(partition: i32) -> TopicPartition {
    TopicPartition::new("t", partition)
}

fn fetched(base_offset: i64, count: usize) -> Fetched {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.set_base_offset(base_offset);
    for _ in 0..count {
        builder.append(1, None, Some(b"value"), &[]).unwrap();
    }
    Fetched::new(builder.build().unwrap(), Vec::new())
}

/// Partitions 0, 1, … at offset 0.
fn partitions(count: i32) -> Partitions {
    let mut partitions = Partitions::default();
    partitions.set(&(0..count).map(id).collect::<Vec<_>>(), true);
    for (ticket, start) in partitions.take_lost(Instant::now()) {
        assert_eq!(start, Start::Committed);
        partitions.found(&ticket, 0);
    }
    partitions
}

fn fetch(partitions: &mut Partitions) -> Vec<Ticket> {
    let (tickets, _) = partitions.fetchable(ROOM, Instant::now());
    partitions.set_busy(&tickets);
    tickets
}

fn offsets(partitions: &mut Partitions, max: usize) -> Vec<(i32, i64)> {
    let records = partitions.take_records(max, &ConsumerConfig::default()).unwrap();
    records.iter().map(|r| (r.partition, r.offset)).collect()
}

#[test]
fn the_next_fetch_begins_behind_what_was_fetched_while_the_position_follows_the_caller() {
    let mut p = partitions(1);
    let tickets = fetch(&mut p);
    assert!(fetch(&mut p).is_empty(), "one fetch at a time");
    p.take_fetched(&tickets[0], fetched(0, 3));
    assert_eq!(fetch(&mut p)[0].offset, 3);
    assert_eq!(p.position(&id(0)), Some(0));
    assert_eq!(offsets(&mut p, 2), [(0, 0), (0, 1)]);
    assert_eq!(p.position(&id(0)), Some(2));
}

#[test]
fn an_answer_from_before_a_seek_or_another_assignment_is_not_taken() {
    let mut p = partitions(2);
    let tickets = fetch(&mut p);
    p.seek(&id(0), 10).unwrap();
    p.set(&[id(0)], true);
    p.set(&[id(0), id(1)], true);
    for ticket in &tickets {
        p.take_fetched(ticket, fetched(0, 3));
    }
    assert!(offsets(&mut p, 10).is_empty());
    assert_eq!((p.position(&id(0)), p.position(&id(1))), (Some(10), None));
    let next = fetch(&mut p);
    assert_eq!((next.len(), next[0].offset), (1, 10));
}

#[test]
fn a_full_partition_is_not_fetched_and_a_paused_one_is_not_given_out() {
    let mut p = partitions(2);
    for ticket in fetch(&mut p) {
        p.take_fetched(&ticket, fetched(0, 100));
    }
    let (tickets, full) = p.fetchable(ROOM, Instant::now());
    assert_eq!((tickets, full), (vec![], vec![id(0), id(1)]));
    p.set_paused(&[id(0)], true);
    assert!(offsets(&mut p, 1000).iter().all(|(partition, _)| *partition == 1));
    p.set_paused(&[id(0)], false);
    assert_eq!(offsets(&mut p, 1000).len(), 100);
}

#[test]
fn partitions_take_turns() {
    let mut p = partitions(3);
    for ticket in fetch(&mut p) {
        p.take_fetched(&ticket, fetched(0, 4));
    }
    let first: Vec<i32> = (0..3).map(|_| offsets(&mut p, 2)[0].0).collect();
    assert_eq!(first, [0, 1, 2]);
}

#[test]
fn what_was_fetched_is_given_out_before_a_lost_position_is_found_anew() {
    let mut p = partitions(1);
    let tickets = fetch(&mut p);
    p.take_fetched(&tickets[0], fetched(0, 2));
    let tickets = fetch(&mut p);
    p.out_of_range(&tickets[0]);
    assert!(p.take_lost(Instant::now()).is_empty());
    assert_eq!(offsets(&mut p, 10).len(), 2);
    assert_eq!(p.take_lost(Instant::now())[0].1, Start::OutOfRange);
}

#[test]
fn a_failed_fetch_waits() {
    let mut p = partitions(1);
    let now = Instant::now();
    let later = now + Duration::from_secs(5);
    let tickets = fetch(&mut p);
    p.delay(&tickets[0], Some(later));
    assert!(p.fetchable(ROOM, now).0.is_empty());
    assert_eq!(p.next_delay(now), Some(later));
    assert_eq!(p.fetchable(ROOM, later).0.len(), 1);
}

#[test]
fn nothing_is_taken_for_a_partition_that_is_not_assigned() {
    let mut p = partitions(1);
    assert!(matches!(p.seek(&id(7), 0), Err(ConsumeError::NotAssigned(_))));
    let ticket = Ticket { partition: id(7), offset: 0, version: 1 };
    p.take_fetched(&ticket, Fetched::new(Bytes::new(), Vec::new()));
    assert_eq!(p.ids(), [id(0)]);
}
