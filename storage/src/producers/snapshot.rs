//! Kafka's producer snapshot, version 1 (`ProducerSnapshot.json`), one file `<20 digits>.snapshot`.
//!
//! Kafka writes one entry a producer, its last batch: after a restart a client that sends an older one of its batches in
//! flight again is told that it is out of order, for ever. Here each remembered batch is an entry, the oldest first. Kafka
//! reads that as well: of the entries of one producer it keeps the last.

use std::io::IoSlice;
use std::path::Path;

use super::{Producers, SeenBatch};
use crate::log::file_name;
use crate::{Disk, DiskError, OpenMode};

const SUFFIX: &str = ".snapshot";
const VERSION: i16 = 1;
/// Version and CRC come before what the CRC covers.
const COVERED_FROM: usize = 6;
const ENTRY_BYTES: usize = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const NO_COORDINATOR_EPOCH: i32 = -1;
const NO_TRANSACTION: i64 = -1;

pub(super) fn write(
    producers: &Producers,
    disk: &dyn Disk,
    dir: &Path,
    offset: i64,
) -> Result<(), DiskError> {
    // Not synced: a roll must not wait for the disk. One that a crash tears is known by its CRC, and the
    // state is rebuilt from an older one and the batches after it.
    let file = disk.open(&dir.join(file_name(offset, SUFFIX)), OpenMode::Create)?;
    file.truncate(0)?;
    file.write_at(&mut [IoSlice::new(&encode(producers))], 0)
}

pub(super) fn load(
    disk: &dyn Disk,
    dir: &Path,
    end_offset: i64,
    now_ms: i64,
) -> Result<(Producers, i64), DiskError> {
    let mut offsets = snapshots(disk, dir)?;
    offsets.sort_unstable();
    while let Some(offset) = offsets.pop() {
        let path = dir.join(file_name(offset, SUFFIX));
        let usable = offset <= end_offset;
        match disk.read_file(&path)?.filter(|_| usable).and_then(|content| decode(&content, now_ms))
        {
            Some(producers) => return Ok((producers, offset)),
            // Of a future that was cut off, or torn.
            None => disk.remove(&path)?,
        }
    }
    Ok((Producers::default(), 0))
}

pub(super) fn remove_before(disk: &dyn Disk, dir: &Path, offset: i64) -> Result<(), DiskError> {
    for old in snapshots(disk, dir)?.into_iter().filter(|o| *o < offset) {
        disk.remove(&dir.join(file_name(old, SUFFIX)))?;
    }
    Ok(())
}

fn snapshots(disk: &dyn Disk, dir: &Path) -> Result<Vec<i64>, DiskError> {
    let names = disk.list(dir)?;
    Ok(names.iter().filter_map(|name| name.strip_suffix(SUFFIX)?.parse().ok()).collect())
}

fn encode(producers: &Producers) -> Vec<u8> {
    let count: usize = producers.by_id.values().map(|producer| producer.batches.len()).sum();
    let mut out = Vec::with_capacity(10 + count * ENTRY_BYTES);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(count as i32).to_be_bytes());
    let all = producers.by_id.iter();
    let all =
        all.flat_map(|(id, producer)| producer.batches.iter().map(move |b| (id, producer, b)));
    for (id, producer, batch) in all {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&producer.epoch.to_be_bytes());
        out.extend_from_slice(&batch.last_sequence.to_be_bytes());
        out.extend_from_slice(&batch.last_offset.to_be_bytes());
        out.extend_from_slice(&batch.offset_delta.to_be_bytes());
        out.extend_from_slice(&batch.timestamp.to_be_bytes());
        out.extend_from_slice(&NO_COORDINATOR_EPOCH.to_be_bytes());
        out.extend_from_slice(&NO_TRANSACTION.to_be_bytes());
    }
    let crc = crc_fast::crc32_iscsi(&out[COVERED_FROM..]);
    out[2..COVERED_FROM].copy_from_slice(&crc.to_be_bytes());
    out
}

fn decode(content: &[u8], now_ms: i64) -> Option<Producers> {
    let (version, rest) = content.split_first_chunk::<2>()?;
    let (crc, covered) = rest.split_first_chunk::<4>()?;
    if i16::from_be_bytes(*version) != VERSION
        || u32::from_be_bytes(*crc) != crc_fast::crc32_iscsi(covered)
    {
        return None;
    }
    let (count, entries) = covered.split_first_chunk::<4>()?;
    if entries.len() != (i32::from_be_bytes(*count) as usize).checked_mul(ENTRY_BYTES)? {
        return None;
    }
    let mut producers = Producers::default();
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        let (id, rest) = entry.split_first_chunk::<8>()?;
        let (epoch, rest) = rest.split_first_chunk::<2>()?;
        let (last_sequence, rest) = rest.split_first_chunk::<4>()?;
        let (last_offset, rest) = rest.split_first_chunk::<8>()?;
        let (offset_delta, rest) = rest.split_first_chunk::<4>()?;
        let (timestamp, _) = rest.split_first_chunk::<8>()?;
        let epoch = i16::from_be_bytes(*epoch);
        let batch = SeenBatch {
            last_sequence: i32::from_be_bytes(*last_sequence),
            last_offset: i64::from_be_bytes(*last_offset),
            offset_delta: i32::from_be_bytes(*offset_delta),
            timestamp: i64::from_be_bytes(*timestamp),
        };
        producers.remember(i64::from_be_bytes(*id), epoch, batch, now_ms);
    }
    Some(producers)
}

#[cfg(test)]
mod tests {
    use super::super::Producer;
    use super::*;

    #[test]
    fn a_snapshot_comes_back_and_a_torn_one_does_not() {
        let mut producers = Producers::default();
        for id in 0..3 {
            let batch = |n: i32| SeenBatch {
                last_sequence: 3 * n + 2,
                last_offset: i64::from(7 * n),
                offset_delta: 2,
                timestamp: 7,
            };
            // All of a client's batches in flight are known again after a restart.
            let batches = (0..=id as i32).map(batch).collect();
            producers.by_id.insert(id, Producer { epoch: 1, batches, seen_ms: 5 });
        }
        let bytes = encode(&producers);
        assert_eq!(decode(&bytes, 5), Some(producers));
        for at in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 1;
            assert_eq!(decode(&torn, 5), None);
            assert_eq!(decode(&bytes[..at], 5), None);
        }
    }
}
