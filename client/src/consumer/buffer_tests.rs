use super::super::config::Isolation;
use super::*;
use protocol::records::{BatchBuilder, Compression};

/// A batch of records with these values.
fn batch(base_offset: i64, values: &[&str]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.set_base_offset(base_offset);
    for value in values {
        builder.append(1, None, Some(value.as_bytes()), &[]).unwrap();
    }
    builder
}

fn transactional(base_offset: i64, producer: i64, values: &[&str]) -> BatchBuilder {
    let mut builder = batch(base_offset, values);
    builder.set_producer(producer, 0, 0);
    builder.set_transactional(true);
    builder
}

fn marker(offset: i64, producer: i64) -> BatchBuilder {
    let mut builder = transactional(offset, producer, &["marker"]);
    builder.set_control(true);
    builder
}

fn bytes(builders: Vec<BatchBuilder>) -> Bytes {
    let batches = builders.into_iter().map(|b| b.build().unwrap());
    Bytes::from(batches.flat_map(|b| b.to_vec()).collect::<Vec<_>>())
}

struct Reader {
    buffer: Buffer,
    position: i64,
    config: ConsumerConfig,
}

impl Reader {
    fn new(position: i64, fetched: Fetched, isolation: Isolation) -> Self {
        let mut buffer = Buffer::default();
        buffer.push(fetched);
        let config = ConsumerConfig { isolation, ..Default::default() };
        Self { buffer, position, config }
    }

    fn take(&mut self, max: usize) -> Result<Vec<String>, RecordsError> {
        let mut values = Vec::new();
        self.buffer.take(&mut self.position, max, &self.config, |r| {
            values.push(String::from_utf8(r.value.unwrap().to_vec()).unwrap());
        })?;
        Ok(values)
    }
}

#[test]
fn records_before_the_position_are_passed_over_and_the_position_moves() {
    let fetched = Fetched::new(bytes(vec![batch(5, &["a", "b", "c"]), batch(8, &["d"])]), vec![]);
    assert_eq!(fetched.next_offset(), Some(9));
    let mut reader = Reader::new(6, fetched, Isolation::ReadUncommitted);
    assert_eq!(reader.take(1).unwrap(), ["b"]);
    assert_eq!(reader.position, 7);
    assert_eq!(reader.take(10).unwrap(), ["c", "d"]);
    assert_eq!(reader.position, 9);
    assert!(reader.buffer.is_empty() && reader.buffer.bytes() == 0);
}

#[test]
fn aborted_transactions_and_markers_are_hidden() {
    let log = || {
        bytes(vec![
            transactional(0, 1, &["committed"]),
            transactional(1, 2, &["aborted"]),
            batch(2, &["plain"]),
            marker(3, 2),
            transactional(4, 2, &["committed later"]),
            marker(5, 1),
            marker(6, 2),
        ])
    };
    let aborted = AbortedTransaction { producer_id: 2, first_offset: 1 };
    let fetched = Fetched::new(log(), vec![aborted]);
    let mut reader = Reader::new(0, fetched, Isolation::ReadCommitted);
    assert_eq!(reader.take(10).unwrap(), ["committed", "plain", "committed later"]);
    assert_eq!(reader.position, 7, "beyond the last marker");
    let mut reader = Reader::new(0, Fetched::new(log(), vec![]), Isolation::ReadUncommitted);
    let all = ["committed", "aborted", "plain", "committed later"];
    assert_eq!(reader.take(10).unwrap(), all);
}

#[test]
fn a_broken_batch_stops_behind_what_is_before_it() {
    let mut log = bytes(vec![batch(0, &["good"]), batch(1, &["bad"])]).to_vec();
    let last = log.len() - 1;
    log[last] ^= 1;
    let mut reader = Reader::new(0, Fetched::new(log.into(), vec![]), Isolation::ReadUncommitted);
    assert_eq!(reader.take(1).unwrap(), ["good"]);
    assert!(matches!(reader.take(1), Err(RecordsError::Crc { .. })));
    assert!(matches!(reader.take(1), Err(RecordsError::Crc { .. })), "until a seek");
    assert_eq!(reader.position, 1);
}

#[test]
fn a_batch_that_is_cut_off_is_left_for_the_next_fetch() {
    let log = bytes(vec![batch(0, &["whole"]), batch(1, &["cut off"])]);
    let fetched = Fetched::new(log.slice(..log.len() - 3), vec![]);
    assert_eq!(fetched.next_offset(), Some(1));
    let mut reader = Reader::new(0, fetched, Isolation::ReadUncommitted);
    assert_eq!(reader.take(10).unwrap(), ["whole"]);
}
