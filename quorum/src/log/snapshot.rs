//! Everything before an offset, in one file: a head frame, then frames of records.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LogError, frame};
use crate::image::MetadataImage;
use crate::raft::{Voter, VoterSet};
use crate::record::MetadataRecord;

/// Records in one frame of a snapshot.
const RECORDS_PER_FRAME: usize = 10_000;

/// What the records do not say by themselves.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    offset: u64,
    next_broker_epoch: i64,
    records: usize,
    /// Epoch of the last frame before `offset`.
    #[serde(default)]
    epoch: i32,
    /// The voters at `offset`, when the log named any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voters: Option<Vec<Voter>>,
}

/// A snapshot that was read.
pub(super) struct Snapshot {
    pub(super) image: MetadataImage,
    pub(super) epoch: i32,
    pub(super) voters: Option<VoterSet>,
}

pub(super) fn name(offset: u64) -> String {
    format!("{offset:020}.snapshot")
}

pub(super) fn encode(
    image: &MetadataImage,
    epoch: i32,
    voters: Option<&VoterSet>,
) -> Result<Vec<u8>, LogError> {
    let records = image.to_records();
    let head = Head {
        offset: image.offset(),
        next_broker_epoch: image.next_broker_epoch(),
        records: records.len(),
        epoch,
        voters: voters.map(|set| set.iter().collect()),
    };
    let mut bytes = Vec::new();
    frame::encode(&mut bytes, 0, 0, &serde_json::to_vec(&head)?)?;
    let mut index = 0;
    for chunk in records.chunks(RECORDS_PER_FRAME) {
        frame::encode(&mut bytes, index, 0, &serde_json::to_vec(chunk)?)?;
        index += chunk.len() as u64;
    }
    Ok(bytes)
}

/// Reads a snapshot; it was renamed into place only after it was synced, so any damage is an error.
pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Snapshot, LogError> {
    let mut at = 0;
    let corrupt =
        |at: usize, why: String| LogError::Corrupt { path: path.to_owned(), at: at as u64, why };
    let next = |at: &mut usize| match frame::decode(bytes.get(*at..).unwrap_or_default()) {
        frame::Found::Frame { payload, len, .. } => {
            *at += len;
            Ok(payload)
        }
        frame::Found::End => Err(corrupt(*at, "the snapshot is not whole".to_owned())),
        frame::Found::Broken(why) => Err(corrupt(*at, why.to_owned())),
    };
    let payload = next(&mut at)?;
    let head: Head = serde_json::from_slice(payload).map_err(|e| corrupt(0, e.to_string()))?;
    let mut records: Vec<MetadataRecord> = Vec::new();
    while records.len() < head.records {
        let from = at;
        let payload = next(&mut at)?;
        let chunk: Vec<MetadataRecord> =
            serde_json::from_slice(payload).map_err(|e| corrupt(from, e.to_string()))?;
        if chunk.is_empty() {
            return Err(corrupt(from, "a frame without records".to_owned()));
        }
        records.extend(chunk);
    }
    let image = MetadataImage::from_snapshot(head.offset, head.next_broker_epoch, &records)
        .map_err(|source| LogError::Apply { path: path.to_owned(), offset: 0, source })?;
    Ok(Snapshot { image, epoch: head.epoch, voters: head.voters.map(VoterSet::new) })
}
