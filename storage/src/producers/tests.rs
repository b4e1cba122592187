use protocol::records::{Batch, BatchBuilder, BatchHeader, Compression};

use super::*;

fn batch(id: i64, epoch: i16, sequence: i32, records: i32, offset: i64) -> BatchHeader {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.set_producer(id, epoch, sequence);
    builder.set_base_offset(offset);
    for _ in 0..records {
        builder.append(1, None, None, &[]).unwrap();
    }
    *Batch::parse(&builder.build().unwrap()).unwrap().header()
}

fn seen(headers: &[BatchHeader]) -> Producers {
    let mut producers = Producers::default();
    for header in headers {
        assert_eq!(producers.check(header), Ok(SequenceCheck::Append));
        producers.update(header, 0);
    }
    producers
}

#[test]
fn the_last_five_batches_are_recognised() {
    let headers: Vec<_> = (0..7).map(|i| batch(1, 0, i * 2, 2, i64::from(i) * 2)).collect();
    let producers = seen(&headers);
    for header in &headers[2..] {
        let duplicate = SequenceCheck::Duplicate { base_offset: header.base_offset, timestamp: 1 };
        assert_eq!(producers.check(header), Ok(duplicate));
    }
    let forgotten = producers.check(&headers[1]);
    assert_eq!(forgotten, Err(SequenceError::OutOfOrder { producer_id: 1, got: 2, expected: 14 }));
}

#[test]
fn a_gap_is_refused_and_the_next_passes() {
    let producers = seen(&[batch(1, 0, 0, 3, 0)]);
    assert_eq!(producers.check(&batch(1, 0, 3, 1, 0)), Ok(SequenceCheck::Append));
    let gap = SequenceError::OutOfOrder { producer_id: 1, got: 4, expected: 3 };
    assert_eq!(producers.check(&batch(1, 0, 4, 1, 0)), Err(gap));
}

#[test]
fn an_old_epoch_is_fenced_and_a_new_one_starts_at_zero() {
    let producers = seen(&[batch(1, 3, 0, 1, 0)]);
    let old = SequenceError::OldEpoch { producer_id: 1, got: 2, current: 3 };
    assert_eq!(producers.check(&batch(1, 2, 1, 1, 0)), Err(old));
    assert_eq!(producers.check(&batch(1, 4, 0, 1, 0)), Ok(SequenceCheck::Append));
    assert!(producers.check(&batch(1, 4, 1, 1, 0)).is_err());
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    assert_eq!(seen(&[]).check(&batch(9, 5, 77, 1, 0)), Ok(SequenceCheck::Append));
}

#[test]
fn sequences_wrap() {
    let producers = seen(&[batch(1, 0, i32::MAX, 1, 0)]);
    assert_eq!(producers.check(&batch(1, 0, 0, 1, 1)), Ok(SequenceCheck::Append));
    let across = batch(2, 0, i32::MAX, 3, 0);
    let producers = seen(&[across]);
    let duplicate = SequenceCheck::Duplicate { base_offset: 0, timestamp: 1 };
    assert_eq!(producers.check(&across), Ok(duplicate));
    assert_eq!(producers.check(&batch(2, 0, 2, 1, 3)), Ok(SequenceCheck::Append));
}

/// By the broker's clock: the batch's own timestamp may be of any time.
#[test]
fn silent_producers_are_forgotten() {
    let mut producers = seen(&[batch(1, 0, 0, 1, 0)]);
    producers.expire(1_000, 2_000);
    assert_eq!(producers.len(), 1);
    producers.expire(2_000, 2_000);
    assert!(producers.is_empty());
}
