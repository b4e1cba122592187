use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::varint::{Cursor, put_varint, put_varlong, varint_len, varlong_len};
use super::*;
use crate::Str;

const ALL: [Compression; 5] = [
    Compression::None,
    Compression::Gzip,
    Compression::Snappy,
    Compression::Lz4,
    Compression::Zstd,
];

type Input = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

fn input() -> impl Strategy<Value = Input> {
    let bytes = || option::of(vec(any::<u8>(), 0..200));
    (any::<i64>(), bytes(), bytes(), vec((".{0,8}", bytes()), 0..3))
}

fn compression() -> impl Strategy<Value = Compression> {
    (0..ALL.len()).prop_map(|i| ALL[i])
}

fn build(compression: Compression, records: &[Input]) -> Bytes {
    let mut builder = BatchBuilder::new(compression);
    for (timestamp, key, value, headers) in records {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (Str::copy(name), value.clone().map(Bytes::from)))
            .collect();
        let before = builder.len();
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
        let bound = BatchBuilder::record_bound(key.as_deref(), value.as_deref(), &headers);
        assert!(builder.len() - before <= bound);
    }
    builder.build().unwrap()
}

proptest! {
    #[test]
    fn records_come_back_as_they_went_in(
        compression in compression(), records in vec(input(), 1..20),
    ) {
        let bytes = build(compression, &records);
        let batch = Batch::parse(&bytes).unwrap();
        batch.verify_crc().unwrap();
        prop_assert_eq!(batch.header().compression().unwrap(), compression);
        prop_assert_eq!(batch.header().record_count as usize, records.len());
        prop_assert_eq!(batch.header().max_timestamp, records.iter().map(|r| r.0).max().unwrap());
        let decoded: Vec<_> = batch.records().unwrap().collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(decoded.len(), records.len());
        for (i, (record, (timestamp, key, value, headers))) in decoded.iter().zip(&records).enumerate() {
            prop_assert_eq!(record.offset, i as i64);
            prop_assert_eq!(record.timestamp, *timestamp);
            prop_assert_eq!(record.key.as_deref(), key.as_deref());
            prop_assert_eq!(record.value.as_deref(), value.as_deref());
            prop_assert_eq!(record.headers.len(), headers.len());
            for ((name, value), (want_name, want_value)) in record.headers.iter().zip(headers) {
                prop_assert_eq!(name.as_str(), want_name.as_str());
                prop_assert_eq!(value.as_deref(), want_value.as_deref());
            }
        }
        let body = record_body(batch.header(), &bytes, usize::MAX - 1).unwrap();
        let lean: Vec<_> = LeanRecords::new(batch.header(), &body).collect::<Result<_, _>>().unwrap();
        for (i, (lean, record)) in lean.iter().zip(&decoded).enumerate() {
            prop_assert_eq!(lean.offset_delta as usize, i);
            prop_assert_eq!(lean.timestamp, record.timestamp);
            prop_assert_eq!(lean.key_len, record.key.as_ref().map(Bytes::len));
            prop_assert_eq!(lean.value_len, record.value.as_ref().map(Bytes::len));
        }
    }

    #[test]
    fn mutated_batches_give_errors_not_panics(
        compression in compression(),
        records in vec(input(), 1..8),
        mutations in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = build(compression, &records).to_vec();
        for (at, byte) in mutations {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        for batch in batches(Bytes::from(bytes)).flatten() {
            let Ok(body) = record_body(batch.header(), batch.bytes(), 1 << 20) else { continue };
            let lean = LeanRecords::new(batch.header(), &body).all(|r| r.is_ok());
            if let Ok(records) = batch.records_within(1 << 20) {
                let full = records.collect::<Result<Vec<_>, _>>();
                // What the lean walk accepts decodes, but for header names that are not UTF-8.
                let excused = full.as_ref().is_err_and(|e| e.to_string().ends_with("is not UTF-8"));
                prop_assert!(!lean || full.is_ok() || excused, "{:?}", full);
            }
        }
    }

    #[test]
    fn varints_round_trip_in_the_length_foretold(int in any::<i32>(), long in any::<i64>()) {
        let mut out = Vec::new();
        put_varint(&mut out, int);
        prop_assert_eq!(out.len(), varint_len(int));
        put_varlong(&mut out, long);
        prop_assert_eq!(out.len(), varint_len(int) + varlong_len(long));
        let mut c = Cursor::new(&out, 0);
        prop_assert_eq!(c.varint(), Some(int));
        prop_assert_eq!(c.varlong(), Some(long));
        prop_assert_eq!(c.remaining(), 0);
    }

    #[test]
    fn random_bytes_give_errors_not_panics(bytes in vec(any::<u8>(), 0..300)) {
        for codec in ALL {
            let _ = codec.decompress(&Bytes::from(bytes.clone()), 1 << 16);
        }
        let _ = batches(Bytes::from(bytes)).count();
    }
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    for compression in ALL.into_iter().skip(1) {
        let zeros = vec![0; 4 << 20];
        let bytes = build(compression, &[(0, None, Some(zeros), vec![])]);
        assert!(bytes.len() < 1 << 20);
        let error = Batch::parse(&bytes).unwrap().records_within(1 << 20).unwrap_err();
        assert_eq!(error, RecordsError::TooLarge { limit: 1 << 20 }, "{compression}");
    }
}

#[test]
fn raw_snappy_is_read_too() {
    let raw = snap::raw::Encoder::new().compress_vec(b"hello hello hello").unwrap();
    let out = Compression::Snappy.decompress(&Bytes::from(raw), 100).unwrap();
    assert_eq!(&out[..], b"hello hello hello");
}

#[test]
fn patches_leave_a_valid_batch() {
    let bytes = build(Compression::Lz4, &[(5, None, Some(b"v".to_vec()), vec![])]);
    let mut patched = BytesMut::from(&bytes[..]);
    let (head, _) = patched.split_first_chunk_mut::<BATCH_OVERHEAD>().unwrap();
    patch_base_offset(head, 42);
    patch_partition_leader_epoch(head, 7);
    let batch = Batch::parse(&patched.clone().freeze()).unwrap();
    batch.verify_crc().unwrap();
    assert_eq!((batch.header().base_offset, batch.header().partition_leader_epoch), (42, 7));

    let (head, _) = patched.split_first_chunk_mut::<BATCH_OVERHEAD>().unwrap();
    let records: Vec<u8> = bytes[BATCH_OVERHEAD..].to_vec();
    patch_log_append_time(head, &records, 1_000);
    let batch = Batch::parse(&patched.freeze()).unwrap();
    batch.verify_crc().unwrap();
    assert_eq!(batch.header().timestamp_type(), TimestampType::LogAppendTime);
    assert_eq!(batch.records().unwrap().next().unwrap().unwrap().timestamp, 1_000);
}

#[test]
fn sequences_wrap_to_zero() {
    let mut builder = BatchBuilder::new(Compression::None);
    builder.set_producer(1, 0, i32::MAX);
    for _ in 0..2 {
        builder.append(0, None, None, &[]).unwrap();
    }
    let batch = Batch::parse(&builder.build().unwrap()).unwrap();
    assert_eq!(batch.header().last_sequence(), 0);
}

#[test]
fn a_batch_that_is_cut_off_ends_the_iteration() {
    let one = build(Compression::None, &[(0, None, Some(b"a".to_vec()), vec![])]);
    let mut two = one.to_vec();
    two.extend_from_slice(&one[..one.len() - 1]);
    assert_eq!(batches(Bytes::from(two)).map(Result::unwrap).count(), 1);
}

/// Bytes that the Java producer of Kafka writes for one record without key: value "hello", one header.
#[test]
fn the_layout_is_kafkas() {
    let mut builder = BatchBuilder::new(Compression::None);
    let headers = [(Str::from("h"), Some(Bytes::from_static(b"x")))];
    builder.append(1_000, None, Some(b"hello"), &headers).unwrap();
    let bytes = builder.build().unwrap();
    let record = &bytes[BATCH_OVERHEAD..];
    assert_eq!(record, [&[30, 0, 0, 0, 1, 10][..], b"hello", &[2, 2, b'h', 2, b'x']].concat());
    assert_eq!(bytes[16], 2);
    assert_eq!(bytes.len(), 61 + record.len());
}
