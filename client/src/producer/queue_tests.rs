use super::super::ProducerRecord;
use super::*;
use protocol::records::Compression;

const FIRST: Identity = Identity { id: 7, epoch: 0 };
const SECOND: Identity = Identity { id: 8, epoch: 0 };

struct Fixture {
    queue: PartitionQueue,
    now: Instant,
}

/// A queue with complete batches 0, 1, … of one record each, of which batch 0 has been written.
fn fixture(batches: u64) -> Fixture {
    let mut f = new_queue(batches + 1);
    let first = f.take();
    f.settle(first, written());
    f
}

/// A queue with complete batches 0, 1, … of one record each.
fn new_queue(batches: u64) -> Fixture {
    let now = Instant::now();
    let mut queue = PartitionQueue::new(TopicPartition::new("t", 0));
    assert!(queue.set_identity(FIRST).is_empty());
    for number in 0..batches {
        let mut batch = Batch::new(number, Compression::None, now);
        batch.append(&ProducerRecord::new("t", "v"), 10).unwrap();
        queue.set_open(batch);
    }
    queue.close_open();
    Fixture { queue, now }
}

#[test]
fn nothing_overtakes_the_first_batch() {
    let mut f = new_queue(3);
    let first = f.take();
    assert!(!f.may_send());
    f.settle(first, refused(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    let first = f.take();
    assert_eq!((first.number, sequence(&first)), (0, 0));
    assert!(!f.may_send());
    f.settle(first, written());
    let (second, third) = (f.take(), f.take());
    assert_eq!((sequence(&second), sequence(&third)), (1, 2));
}

impl Fixture {
    fn may_send(&self) -> bool {
        self.queue.ready_at(Duration::ZERO, self.now).is_some_and(|at| at <= self.now)
    }

    fn take(&mut self) -> Batch {
        assert!(self.may_send());
        self.queue.take().unwrap()
    }

    fn settle(&mut self, batch: Batch, answer: Answer) -> Option<Finished> {
        self.queue.settle(batch, answer, self.now)
    }
}

fn written() -> Answer {
    Answer::Written { base_offset: 40, append_time_ms: None }
}

fn refused(code: ErrorCode) -> Answer {
    Answer::Refused(ApiError::new(code))
}

fn lost() -> Answer {
    Answer::Failed { error: "gone".to_owned(), maybe_written: true }
}

fn sequence(batch: &Batch) -> i32 {
    batch.stamp.unwrap().1
}

#[test]
fn batches_are_numbered_in_order_and_sent_ahead() {
    let mut f = fixture(3);
    let sent: Vec<Batch> = (0..3).map(|_| f.take()).collect();
    assert_eq!(sent.iter().map(sequence).collect::<Vec<_>>(), [1, 2, 3]);
    for batch in sent {
        assert!(f.settle(batch, written()).unwrap().1.is_ok());
    }
    assert!(!f.may_send());
}

#[test]
fn after_a_failure_everything_is_settled_first_and_order_is_kept() {
    let mut f = fixture(4);
    let (a, b, c) = (f.take(), f.take(), f.take());
    assert!(f.settle(b, lost()).is_none());
    assert!(!f.may_send(), "batch 4 must not overtake");
    assert!(f.settle(c, refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER)).is_none());
    assert!(f.settle(a, lost()).is_none());
    let again = f.take();
    assert_eq!((again.number, sequence(&again)), (1, 1));
    assert!(!f.may_send(), "one at a time until one is written");
    f.settle(again, written());
    let rest: Vec<_> = (0..3).map(|_| f.take()).map(|b| (b.number, sequence(&b))).collect();
    assert_eq!(rest, [(2, 2), (3, 3), (4, 4)]);
}

#[test]
fn a_repetition_that_the_broker_knows_is_written() {
    let mut f = fixture(1);
    let batch = f.take();
    f.settle(batch, lost());
    let batch = f.take();
    let (_, outcome) = f.settle(batch, refused(ErrorCode::DUPLICATE_SEQUENCE_NUMBER)).unwrap();
    assert_eq!(outcome.unwrap().base_offset, -1);
}

#[test]
fn a_refused_batch_that_was_last_frees_its_numbers() {
    let mut f = fixture(2);
    let batch = f.take();
    let (_, outcome) = f.settle(batch, refused(ErrorCode::MESSAGE_TOO_LARGE)).unwrap();
    assert!(matches!(outcome, Err(ProduceError::Refused { .. })));
    assert!(!f.queue.needs_identity());
    assert_eq!(sequence(&f.take()), 1);
}

#[test]
fn a_gap_in_the_numbers_leads_to_a_new_identity_and_doubt_is_reported() {
    let mut f = fixture(4);
    let (a, b, c) = (f.take(), f.take(), f.take());
    assert!(f.settle(a, refused(ErrorCode::MESSAGE_TOO_LARGE)).unwrap().1.is_err());
    f.settle(b, refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    f.settle(c, lost());
    assert!(f.queue.needs_identity());
    assert_eq!(f.queue.spoiled_identity(), Some(FIRST));
    let failed = f.queue.set_identity(SECOND);
    assert_eq!(failed.len(), 1, "only the batch that may have been written");
    assert!(matches!(failed[0], (ref b, Err(ProduceError::Unknown { .. })) if b.number == 3));
    let b = f.take();
    assert_eq!((b.number, b.stamp), (2, Some((SECOND, 0))));
    f.settle(b, written());
    assert_eq!(f.take().stamp, Some((SECOND, 1)));
}

#[test]
fn a_forgotten_producer_starts_again_without_loss() {
    let mut f = fixture(1);
    let batch = f.take();
    assert!(f.settle(batch, refused(ErrorCode::UNKNOWN_PRODUCER_ID)).is_none());
    assert!(f.queue.set_identity(SECOND).is_empty());
    assert_eq!(f.take().stamp, Some((SECOND, 0)));
}

#[test]
fn what_waits_too_long_fails() {
    let mut f = fixture(2);
    let batch = f.take();
    f.settle(batch, lost());
    let late = f.now + Duration::from_secs(10);
    let expired = f.queue.expire(Duration::from_secs(10), late);
    let doubts: Vec<bool> = expired
        .iter()
        .map(|(_, o)| matches!(o, Err(ProduceError::TimedOut { maybe_written: true, .. })))
        .collect();
    assert_eq!(doubts, [true, false]);
    assert!(f.queue.needs_identity(), "the first batch's numbers may be used");
}
