//! What a produced batch must be (Kafka's `ProduceRequest.validateRecords`, `LogValidator`, `UnifiedLog`).
//!
//! A batch that is not compressed is walked record by record without copying. A compressed one is decompressed only
//! where that is needed: to look for keys in a compacted topic, to compress it otherwise, or to bound old timestamps. Its
//! header is checked in any case; its CRC tells that the producer meant these bytes.

use bytes::Bytes;
use protocol::ErrorCode;
use protocol::records::{
    Batch, BatchBuilder, Compression, LeanRecords, RecordsError, TimestampType, record_body,
};

use super::hosted::Refusal;
use super::settings::TopicSettings;

/// What a compressed batch may decompress to, as a multiple of `max.message.bytes`, where it must be looked into.
const MAX_EXPANSION: usize = 128;
/// Records that one answer names as bad.
const MAX_RECORD_ERRORS: usize = 100;
/// First versions of Produce and Fetch whose clients know zstd (KIP-110).
const ZSTD_PRODUCE_VERSION: i16 = 7;

/// Checks what a client sent for one partition, and compresses it anew if the topic says so.
pub(super) fn produced(
    records: Option<&Bytes>,
    settings: &TopicSettings,
    produce_version: i16,
    now_ms: i64,
) -> Result<Batch, Refusal> {
    let batch = one_batch(records)?;
    let header = *batch.header();
    let codec = header.compression().map_err(|e| refuse(ErrorCode::INVALID_RECORD, e))?;
    if codec == Compression::Zstd && produce_version < ZSTD_PRODUCE_VERSION {
        let message = "Produce requests before version 7 cannot carry zstd";
        return Err(refuse(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message));
    }
    if batch.bytes().len() > settings.max_message_bytes {
        let (size, max) = (batch.bytes().len(), settings.max_message_bytes);
        let message = format!("a batch of {size} bytes is above max.message.bytes ({max})");
        return Err(refuse(ErrorCode::MESSAGE_TOO_LARGE, message));
    }
    batch.verify_crc().map_err(|e| refuse(ErrorCode::CORRUPT_MESSAGE, e))?;
    if header.is_control() {
        return Err(invalid("clients may not write control batches"));
    }
    if header.is_transactional() {
        let message = "transactions are not served by this broker";
        return Err(refuse(ErrorCode::INVALID_TXN_STATE, message));
    }
    if header.record_count == 0 || header.last_offset_delta != header.record_count - 1 {
        return Err(invalid("inconsistent batch offset range"));
    }
    if header.has_producer() && header.base_sequence < 0 {
        return Err(invalid("a producer id without a sequence number"));
    }
    if settings.timestamp_type == TimestampType::CreateTime {
        check_newest(header.max_timestamp, settings, now_ms)?;
    }
    let recompress = settings.compression.filter(|wanted| *wanted != codec);
    let look_inside = codec == Compression::None
        || settings.compacted
        || recompress.is_some()
        || settings.timestamp_before_max_ms < i64::MAX;
    if look_inside {
        check_records(&batch, settings, now_ms)?;
    }
    match recompress {
        Some(codec) => compress_anew(&batch, codec),
        None => Ok(batch),
    }
}

fn one_batch(records: Option<&Bytes>) -> Result<Batch, Refusal> {
    let records = records.filter(|r| !r.is_empty());
    let Some(records) = records else {
        return Err(invalid("a produce request must have exactly one record batch per partition"));
    };
    let batch = Batch::parse(records).map_err(|e| match e {
        RecordsError::Magic(_) => refuse(ErrorCode::INVALID_RECORD, e),
        e => refuse(ErrorCode::CORRUPT_MESSAGE, e),
    })?;
    if batch.bytes().len() != records.len() {
        return Err(invalid("a produce request must have exactly one record batch per partition"));
    }
    Ok(batch)
}

fn check_records(batch: &Batch, settings: &TopicSettings, now_ms: i64) -> Result<(), Refusal> {
    let header = batch.header();
    let limit = settings.max_message_bytes.saturating_mul(MAX_EXPANSION);
    let body = record_body(header, batch.bytes(), limit)
        .map_err(|e| refuse(ErrorCode::CORRUPT_MESSAGE, e))?;
    let mut errors = Vec::new();
    let mut code = ErrorCode::INVALID_RECORD;
    for (index, record) in (0..).zip(LeanRecords::new(header, &body)) {
        let record = record.map_err(|e| refuse(ErrorCode::INVALID_RECORD, e))?;
        let error = if record.offset_delta != index {
            Some("its offset is not its place in the batch")
        } else if settings.compacted && record.key_len.is_none() {
            Some("Compacted topic cannot accept message without key")
        } else if settings.timestamp_type == TimestampType::CreateTime
            && record.timestamp < now_ms.saturating_sub(settings.timestamp_before_max_ms)
        {
            code = ErrorCode::INVALID_TIMESTAMP;
            Some("its timestamp is older than message.timestamp.before.max.ms allows")
        } else {
            None
        };
        if let Some(error) = error
            && errors.len() < MAX_RECORD_ERRORS
        {
            errors.push((index, error));
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    let message = "One or more records have been rejected".to_owned();
    Err(Refusal { code, message: Some(message), record_errors: errors, log_start_offset: -1 })
}

/// -1 is "no timestamp" and always passes.
fn check_newest(max_timestamp: i64, settings: &TopicSettings, now_ms: i64) -> Result<(), Refusal> {
    let limit = now_ms.saturating_add(settings.timestamp_after_max_ms);
    if max_timestamp > limit {
        let message = format!(
            "timestamp {max_timestamp} is further in the future than message.timestamp.after.max.ms allows ({limit})"
        );
        return Err(refuse(ErrorCode::INVALID_TIMESTAMP, message));
    }
    Ok(())
}

/// Only when `compression.type` is not `producer` and not the producer's: every record is decoded and copied.
fn compress_anew(batch: &Batch, codec: Compression) -> Result<Batch, Refusal> {
    let failed = |e: RecordsError| refuse(ErrorCode::CORRUPT_MESSAGE, e);
    let header = batch.header();
    let mut builder = BatchBuilder::new(codec);
    builder.set_producer(header.producer_id, header.producer_epoch, header.base_sequence);
    for record in batch.records().map_err(failed)? {
        let r = record.map_err(failed)?;
        builder
            .append(r.timestamp, r.key.as_deref(), r.value.as_deref(), &r.headers)
            .map_err(failed)?;
    }
    builder.build().and_then(|bytes| Batch::parse(&bytes)).map_err(failed)
}

fn invalid(message: &str) -> Refusal {
    refuse(ErrorCode::INVALID_RECORD, message)
}

fn refuse(code: ErrorCode, message: impl ToString) -> Refusal {
    Refusal { code, message: Some(message.to_string()), ..Refusal::of(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn batch(codec: Compression, key: Option<&[u8]>, timestamp: i64) -> Bytes {
        let mut builder = BatchBuilder::new(codec);
        for _ in 0..3 {
            builder.append(timestamp, key, Some(b"value"), &[]).unwrap();
        }
        builder.build().unwrap()
    }

    fn check(records: &Bytes, settings: &TopicSettings) -> Result<Batch, ErrorCode> {
        produced(Some(records), settings, 13, NOW).map_err(|refusal| refusal.code)
    }

    #[test]
    fn a_plain_batch_passes_as_it_is() {
        for codec in [Compression::None, Compression::Lz4, Compression::Zstd] {
            let bytes = batch(codec, None, NOW);
            assert_eq!(check(&bytes, &TopicSettings::default()).unwrap().bytes(), &bytes);
        }
    }

    #[test]
    fn exactly_one_batch_is_asked_for() {
        let settings = TopicSettings::default();
        let one = batch(Compression::None, None, NOW);
        let two = Bytes::from([&one[..], &one[..]].concat());
        assert_eq!(check(&two, &settings).unwrap_err(), ErrorCode::INVALID_RECORD);
        assert_eq!(check(&Bytes::new(), &settings).unwrap_err(), ErrorCode::INVALID_RECORD);
        assert_eq!(produced(None, &settings, 13, NOW).unwrap_err().code, ErrorCode::INVALID_RECORD);
        let cut = one.slice(..one.len() - 1);
        assert_eq!(check(&cut, &settings).unwrap_err(), ErrorCode::CORRUPT_MESSAGE);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let one = batch(Compression::None, None, NOW);
        // Base offset and leader epoch are the broker's to set; everything else must hold.
        for at in (8..12).chain(16..one.len()) {
            let mut bytes = one.to_vec();
            bytes[at] ^= 1;
            check(&Bytes::from(bytes), &TopicSettings::default()).unwrap_err();
        }
    }

    #[test]
    fn too_large_too_new_and_unkeyed() {
        let bytes = batch(Compression::Gzip, None, NOW);
        let small = TopicSettings { max_message_bytes: 50, ..Default::default() };
        assert_eq!(check(&bytes, &small).unwrap_err(), ErrorCode::MESSAGE_TOO_LARGE);

        let future = batch(Compression::None, None, NOW + 3_600_001);
        let settings = TopicSettings::default();
        assert_eq!(check(&future, &settings).unwrap_err(), ErrorCode::INVALID_TIMESTAMP);
        let append = TopicSettings { timestamp_type: TimestampType::LogAppendTime, ..settings };
        check(&future, &append).unwrap();

        let compacted = TopicSettings { compacted: true, ..Default::default() };
        let refusal = produced(Some(&bytes), &compacted, 13, NOW).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::INVALID_RECORD);
        assert_eq!(refusal.record_errors.len(), 3);
        check(&batch(Compression::Gzip, Some(b"k"), NOW), &compacted).unwrap();

        let old = TopicSettings { timestamp_before_max_ms: 1_000, ..Default::default() };
        let ancient = batch(Compression::Lz4, None, NOW - 1_001);
        assert_eq!(check(&ancient, &old).unwrap_err(), ErrorCode::INVALID_TIMESTAMP);
    }

    #[test]
    fn old_producers_cannot_have_meant_zstd() {
        let bytes = batch(Compression::Zstd, None, NOW);
        let refusal = produced(Some(&bytes), &TopicSettings::default(), 6, NOW).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    }

    #[test]
    fn the_topics_codec_wins() {
        let bytes = batch(Compression::None, Some(b"k"), NOW);
        let settings = TopicSettings { compression: Some(Compression::Zstd), ..Default::default() };
        let out = check(&bytes, &settings).unwrap();
        assert_eq!(out.header().compression(), Ok(Compression::Zstd));
        let before: Vec<_> = Batch::parse(&bytes).unwrap().records().unwrap().collect();
        assert_eq!(out.records().unwrap().collect::<Vec<_>>(), before);
    }

    #[test]
    fn control_and_transactional_batches_are_not_for_clients() {
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(NOW, None, None, &[]).unwrap();
        builder.set_control(true);
        let control = builder.build().unwrap();
        assert_eq!(
            check(&control, &TopicSettings::default()).unwrap_err(),
            ErrorCode::INVALID_RECORD
        );
        let mut builder = BatchBuilder::new(Compression::None);
        builder.append(NOW, None, None, &[]).unwrap();
        builder.set_transactional(true);
        let transactional = builder.build().unwrap();
        let error = check(&transactional, &TopicSettings::default()).unwrap_err();
        assert_eq!(error, ErrorCode::INVALID_TXN_STATE);
    }
}
