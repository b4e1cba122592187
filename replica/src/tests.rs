//! The rules one by one; what they give together is checked by the model in `tests/`.

use std::sync::Arc;

use protocol::records::{Batch, BatchBuilder, Compression};
use storage::log::{HotBudget, OpenState};
use storage::{Disk, Log, LogConfig, OsDisk};

use super::*;

const LAG_MS: i64 = 100;

struct Fixture {
    _dir: tempfile::TempDir,
    replica: Replica,
}

fn rules() -> Rules {
    Rules { min_insync_replicas: 1, flush_before_ack: true, max_lag_ms: LAG_MS, compacted: false }
}

fn assignment(leader: i32, epoch: i32, partition_epoch: i32, isr: &[i32]) -> Assignment {
    Assignment {
        leader,
        leader_epoch: epoch,
        partition_epoch,
        replicas: [1, 2, 3].into(),
        isr: isr.into(),
    }
}

fn open(rules: Rules, assignment: Assignment) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let state = OpenState::default();
    let config = LogConfig::default();
    let (log, _) = Log::open(disk, dir.path(), config, state, HotBudget::new(0), 0).unwrap();
    Fixture { _dir: dir, replica: Replica::new(1, log, rules, assignment, None, 0) }
}

fn leader(rules: Rules, isr: &[i32]) -> Fixture {
    open(rules, assignment(1, 5, 0, isr))
}

fn batch(records: usize) -> Batch {
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..records {
        builder.append(1, None, Some(b"v"), &[]).unwrap();
    }
    Batch::parse(&builder.build().unwrap()).unwrap()
}

impl Fixture {
    fn append(&mut self, records: usize) -> Changed {
        self.replica.append(&batch(records), None, 0).unwrap().1
    }

    fn flush(&mut self) -> Changed {
        let plan = self.replica.log_mut().plan_flush();
        plan.run().unwrap();
        self.replica.flushed(&plan)
    }

    fn fetch(&mut self, id: i32, offset: i64, now_ms: i64) -> Result<Noted, ServeError> {
        let epoch = self.replica.assignment().leader_epoch;
        let fetch = FollowerFetch {
            id,
            broker_epoch: 7,
            leader_epoch: epoch,
            offset,
            last_fetched_epoch: -1,
            log_start_offset: 0,
        };
        let registered = Some(Registration { epoch: 7, in_service: true });
        self.replica.note_fetch(&fetch, registered, now_ms)
    }

    fn mark(&self) -> i64 {
        self.replica.high_watermark().offset
    }
}

#[test]
fn what_is_not_on_disk_is_not_committed() {
    let mut f = leader(rules(), &[1]);
    assert!(!f.append(3).committed);
    assert!(f.flush().committed);
    assert_eq!(f.mark(), 3);
    let mut f = leader(Rules { flush_before_ack: false, ..rules() }, &[1]);
    assert!(f.append(3).committed);
}

#[test]
fn turning_the_rule_off_commits_what_waits() {
    let mut f = leader(rules(), &[1]);
    let _ = f.append(3);
    let changed = f.replica.set_rules(Rules { flush_before_ack: false, ..rules() });
    assert!(changed.committed);
}

#[test]
fn the_watermark_is_the_least_of_the_in_sync() {
    let mut f = leader(rules(), &[1, 2, 3]);
    let _ = (f.append(5), f.flush());
    assert!(!f.fetch(2, 5, 1).unwrap().changed.committed);
    assert!(f.fetch(3, 2, 1).unwrap().changed.committed);
    assert_eq!(f.mark(), 2);
    // A fetch further back (a follower that lost its disk) takes nothing back.
    let _ = f.fetch(3, 0, 2).unwrap();
    assert_eq!(f.mark(), 2);
}

#[test]
fn the_watermark_stands_still_below_min_isr() {
    let mut f = leader(Rules { min_insync_replicas: 2, ..rules() }, &[1]);
    let _ = (f.append(5), f.flush());
    assert_eq!(f.mark(), 0);
    assert_eq!(f.replica.admit(-1), Err(ServeError::NotEnoughReplicas));
    assert_eq!(f.replica.admit(1), Ok(()));
}

#[test]
fn a_pending_member_counts_until_the_controller_has_decided() {
    let mut f = leader(rules(), &[1, 2]);
    let _ = (f.append(5), f.flush());
    let _ = f.fetch(2, 5, 1).unwrap();
    assert_eq!(f.mark(), 5);
    assert!(f.fetch(3, 5, 1).unwrap().may_join);
    let proposal = f.replica.propose(1, |_, _| true).unwrap();
    assert_eq!(proposal.isr, [(1, -1), (2, 7), (3, 7)]);
    assert_eq!(f.replica.propose(1, |_, _| true), None, "one at a time");
    let _ = (f.append(2), f.flush());
    let _ = f.fetch(2, 7, 2).unwrap();
    assert_eq!(f.mark(), 5, "3 may be in sync already");
    // No answer: it still counts, and is proposed again.
    let _ = f.replica.isr_answered(&proposal, IsrOutcome::Unknown, 3);
    let late = 3 + 2 * LAG_MS;
    let _ = f.fetch(2, 7, late).unwrap();
    let _ = f.replica.tick(late);
    assert_eq!(f.mark(), 5);
    let decided =
        IsrOutcome::Decided { leader: 1, leader_epoch: 5, partition_epoch: 1, isr: vec![1, 2] };
    assert!(f.replica.isr_answered(&proposal, decided, late).committed);
    assert_eq!(f.mark(), 7);
}

#[test]
fn who_lags_is_proposed_to_leave_and_who_idles_at_the_end_is_not() {
    let mut f = leader(rules(), &[1, 2, 3]);
    let _ = f.fetch(2, 0, 1).unwrap();
    assert_eq!(f.replica.propose(LAG_MS, |_, _| true), None, "all get the lag time first");
    let proposal = f.replica.propose(LAG_MS + 1, |_, _| true).unwrap();
    assert_eq!(proposal.isr, [(1, -1), (2, 7)], "2 has all there is, 3 was never heard of");
}

#[test]
fn joining_asks_for_all_that_is_committed_and_for_fitness() {
    let mut f = leader(rules(), &[1]);
    let _ = (f.append(5), f.flush());
    assert_eq!(f.mark(), 5);
    assert!(!f.fetch(2, 4, 1).unwrap().may_join);
    assert_eq!(f.replica.propose(1, |_, _| true), None);
    assert!(f.fetch(2, 5, 1).unwrap().may_join);
    assert_eq!(f.replica.propose(1, |_, _| false), None, "fenced, or another registration");
    assert!(f.replica.propose(1, |id, epoch| (id, epoch) == (2, 7)).is_some());
}

#[test]
fn progress_survives_metadata_of_the_same_leader_epoch() {
    let mut f = leader(rules(), &[1]);
    let _ = (f.append(5), f.flush());
    let _ = f.fetch(2, 5, 1).unwrap();
    let _ = f.replica.assign(assignment(1, 5, 1, &[1]), 2);
    assert!(f.replica.propose(2, |_, _| true).is_some());
}

/// A reassignment may take a replica away and give it back, with an empty log, while the leader sees neither: that somebody has left
/// is in the epoch.
#[test]
fn under_a_newer_epoch_who_is_not_in_sync_shows_what_it_holds() {
    let mut f = leader(rules(), &[1, 3]);
    let _ = (f.append(5), f.flush());
    let _ = (f.fetch(2, 5, 1).unwrap(), f.fetch(3, 5, 1).unwrap());
    assert!(f.replica.propose(1, |_, _| true).is_some());
    let _ = f.replica.assign(assignment(1, 6, 2, &[1, 3]), 2);
    assert_eq!(f.replica.propose(2, |_, _| true), None);
    assert_eq!(f.mark(), 5, "what is known of those in sync stays");
    assert!(!f.fetch(2, 0, 3).unwrap().may_join);
    assert!(f.fetch(2, 5, 4).unwrap().may_join);
    assert!(f.replica.propose(4, |_, _| true).is_some());
}

/// Seed 5000657 of power-loss: 2 led in epoch 6, with a shorter log, which 3 was cut to; 1 slept through that.
#[test]
fn who_slept_through_the_leadership_of_another_knows_nothing_of_its_followers() {
    let mut f = leader(rules(), &[1, 2, 3]);
    let _ = (f.append(5), f.flush(), f.fetch(2, 2, 1), f.fetch(3, 5, 1));
    assert_eq!(f.mark(), 2);
    let _ = f.replica.assign(assignment(1, 7, 2, &[1, 3]), 2);
    assert_eq!(f.mark(), 2, "3 may have no more than 2 had");
    let _ = f.fetch(3, 5, 3).unwrap();
    assert_eq!(f.mark(), 5);
}

#[test]
fn the_low_watermark_is_where_the_last_log_that_counts_starts() {
    let mut f = leader(rules(), &[1, 2, 3]);
    let _ = f.append(5);
    assert_eq!(f.replica.low_watermark(|_| true), Some(-1), "nobody has said anything");
    assert_eq!(f.replica.low_watermark(|_| false), Some(0));
    f.replica.log_mut().advance_start(3);
    let registered = Some(Registration { epoch: 7, in_service: true });
    for (id, start, moved) in [(2, 0, true), (2, 0, false), (2, 3, true), (3, 2, true)] {
        let fetch = FollowerFetch {
            id,
            broker_epoch: 7,
            leader_epoch: f.replica.assignment().leader_epoch,
            offset: 5,
            last_fetched_epoch: -1,
            log_start_offset: start,
        };
        assert_eq!(f.replica.note_fetch(&fetch, registered, 0).unwrap().start_moved, moved);
    }
    assert_eq!(f.replica.low_watermark(|_| true), Some(2));
    assert_eq!(f.replica.low_watermark(|id| id == 2), Some(3));
}

#[test]
fn stale_metadata_and_stale_brokers_are_refused() {
    let mut f = leader(rules(), &[1, 2]);
    let _ = f.replica.assign(assignment(2, 4, 9, &[2]), 0);
    let _ = f.replica.assign(assignment(2, 5, -1, &[2]), 0);
    assert!(f.replica.is_leader());
    assert_eq!(f.fetch(9, 0, 0), Err(ServeError::NotReplica));
    let fetch = FollowerFetch {
        id: 2,
        broker_epoch: 6,
        leader_epoch: 5,
        offset: 0,
        last_fetched_epoch: -1,
        log_start_offset: 0,
    };
    let registered = Some(Registration { epoch: 7, in_service: true });
    let noted = f.replica.note_fetch(&fetch, registered, 0);
    assert_eq!(noted, Err(ServeError::StaleBrokerEpoch));
    assert_eq!(f.replica.note_fetch(&fetch, None, 0), Err(ServeError::StaleBrokerEpoch));
    let old = FollowerFetch { broker_epoch: 7, leader_epoch: 4, ..fetch };
    assert_eq!(f.replica.note_fetch(&old, registered, 0), Err(ServeError::FencedEpoch));
    let new = FollowerFetch { broker_epoch: 7, leader_epoch: 6, ..fetch };
    assert_eq!(f.replica.note_fetch(&new, registered, 0), Err(ServeError::UnknownEpoch));
}

#[test]
fn a_new_leader_does_not_say_what_is_committed_before_it_knows() {
    let mut f = leader(rules(), &[1, 2]);
    let _ = (f.append(5), f.flush());
    let changed = f.replica.assign(assignment(2, 6, 1, &[1, 2]), 1);
    assert!(changed.lost && changed.role);
    assert_eq!(f.replica.admit(1), Err(ServeError::NotLeader));
    let _ = f.replica.assign(assignment(1, 7, 2, &[1, 2]), 2);
    assert_eq!(f.replica.committed_end(-1), Err(ServeError::OffsetNotAvailable));
    let _ = f.fetch(2, 5, 3).unwrap();
    assert_eq!(f.replica.committed_end(-1), Ok(5));
}

#[test]
fn a_follower_takes_what_fits_and_nothing_else() {
    let mut source = leader(Rules { flush_before_ack: false, ..rules() }, &[1]);
    let _ = (source.append(2), source.append(3));
    let range = ReadRange { offset: 0, max_bytes: 9_999, min_one: true };
    let storage::log::Read::Cold(cold) = source.replica.read_all(&range).unwrap() else {
        panic!("nothing is kept in memory here")
    };
    let slice = cold.run(false).unwrap().unwrap();
    let [protocol::Segment::Bytes(records)] = &slice.segments[..] else { panic!("one piece") };

    let mut f = open(rules(), assignment(2, 5, 0, &[1, 2]));
    let NextFetch::From(position) = f.replica.next_fetch() else { panic!("it follows") };
    let answer = |records: bytes::Bytes, position| FromLeader {
        position,
        high_watermark: 4,
        log_start_offset: 0,
        records,
    };
    let stale = FetchPosition { leader_epoch: 4, ..position };
    assert_eq!(f.replica.take(&answer(records.clone(), stale), 0).unwrap(), Changed::default());
    let mut torn = records.to_vec();
    torn[70] ^= 1;
    let error = f.replica.take(&answer(torn.into(), position), 0).unwrap_err();
    assert!(matches!(error, TakeError::Corrupt { offset: 0, .. }), "{error}");
    // A batch cut off by the response's bound is asked for again.
    let cut = records.slice(..records.len() - 1);
    assert!(f.replica.take(&answer(cut, position), 0).unwrap().committed);
    assert_eq!((f.replica.log().end_offset(), f.mark()), (2, 2));
    assert_eq!(f.replica.next_fetch(), NextFetch::AfterFlush);
    let _ = f.flush();
    let NextFetch::From(position) = f.replica.next_fetch() else { panic!("it follows") };
    assert_eq!((position.offset, position.last_fetched_epoch), (2, 5));
    let error = f.replica.take(&answer(records.clone(), position), 0).unwrap_err();
    assert!(matches!(error, TakeError::Gap { got: 0, expected: 2 }), "{error}");
}

#[test]
fn a_removed_replica_serves_nobody() {
    let mut f = leader(rules(), &[1]);
    assert!(f.replica.remove().lost);
    assert_eq!(f.replica.serve(-1), Err(ServeError::Removed));
    assert_eq!(f.replica.next_fetch(), NextFetch::None);
}

#[test]
fn who_had_all_at_an_append_does_not_lag_by_the_silence_before() {
    let mut f = leader(rules(), &[1, 2]);
    let _ = (f.append(5), f.flush());
    let _ = f.fetch(2, 5, 1).unwrap();
    // Nothing happens for long: a session's follower has nothing to ask.
    let late = 1 + 10 * LAG_MS;
    let _ = f.replica.tick(late);
    assert_eq!(f.replica.propose(late, |_, _| true), None);
    let _ = f.append(1);
    assert_eq!(f.replica.propose(late + 1, |_, _| true), None);
    let later = late + LAG_MS + 2;
    assert_eq!(f.replica.propose(later, |_, _| true).unwrap().isr, [(1, -1)]);
}

#[test]
fn the_watermark_does_not_wait_for_who_was_fenced() {
    let mut f = leader(rules(), &[1, 2, 3]);
    let _ = (f.append(5), f.flush());
    let _ = (f.fetch(2, 5, 1).unwrap(), f.fetch(3, 5, 1).unwrap());
    let _ = f.replica.assign(assignment(1, 5, 1, &[1, 2]), 2);
    let _ = (f.append(1), f.flush());
    let _ = f.fetch(2, 6, 3).unwrap();
    assert_eq!(f.mark(), 6, "3 is gone");
}

/// The segment that held the high watermark's place goes with the truncation; the next record lies in the one before.
#[test]
fn what_is_appended_after_a_truncation_is_not_read_as_committed() {
    let mut node = leader(rules(), &[1, 2]);
    let _ = node.append(1);
    node.replica.log_mut().roll(0).unwrap();
    let _ = node.append(1);
    let _ = node.flush();
    node.fetch(2, 1, 1).unwrap();
    assert_eq!(node.replica.high_watermark().offset, 1);
    let _ = node.replica.assign(assignment(2, 6, 1, &[1, 2]), 2);
    let NextFetch::From(position) = node.replica.next_fetch() else { panic!("it follows") };
    let told = Divergence { epoch: 5, end_offset: 1 };
    let truncation = node.replica.diverged(&position, told).unwrap();
    assert!(node.replica.prepare(&truncation) && node.replica.truncate(&truncation, 0).unwrap());
    let _ = node.replica.assign(assignment(1, 7, 2, &[1, 2]), 3);
    let _ = node.append(1);
    let range = ReadRange { offset: 0, max_bytes: 1_000, min_one: true };
    let storage::log::Read::Cold(read) = node.replica.read_committed(&range).unwrap() else {
        panic!("nothing is kept in memory here")
    };
    assert_eq!(read.run(false).unwrap().unwrap().len, batch(1).bytes().len());
}
