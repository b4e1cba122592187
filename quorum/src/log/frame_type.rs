//! [`Frame`]: one command's records with the epoch of the leader that wrote them.

use std::sync::Arc;

use bytes::Bytes;

use super::LogError;
use crate::record::MetadataRecord;

/// One command's records: what the log appends, keeps and sends as a whole. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    first_offset: u64,
    epoch: i32,
    payload: Bytes,
    records: Arc<[MetadataRecord]>,
}

impl Frame {
    /// A frame of records.
    ///
    /// # Errors
    /// There are no records, they are too large, or they cannot be written as JSON.
    pub fn new(
        first_offset: u64,
        epoch: i32,
        records: Vec<MetadataRecord>,
    ) -> Result<Frame, LogError> {
        let payload = Bytes::from(serde_json::to_vec(&records)?);
        if payload.len() > super::MAX_FRAME_BYTES || records.is_empty() {
            return Err(LogError::TooLarge(payload.len()));
        }
        Ok(Self { first_offset, epoch, payload, records: records.into() })
    }

    /// A frame from its parts as they are on disk or in a message.
    ///
    /// # Errors
    /// Why the payload is not a non-empty array of records that this version understands.
    pub fn parse(first_offset: u64, epoch: i32, payload: Bytes) -> Result<Frame, String> {
        let records: Vec<MetadataRecord> =
            serde_json::from_slice(&payload).map_err(|e| e.to_string())?;
        let fits = first_offset.checked_add(records.len() as u64).is_some();
        if records.is_empty() || !fits {
            return Err("a frame without records, or with an offset out of range".to_owned());
        }
        Ok(Self { first_offset, epoch, payload, records: records.into() })
    }

    /// Offset of its first record.
    pub fn first_offset(&self) -> u64 {
        self.first_offset
    }

    /// Offset after its last record.
    pub fn end_offset(&self) -> u64 {
        self.first_offset + self.records.len() as u64
    }

    /// Epoch of the leader that wrote it; 0 for frames from before there was a quorum.
    pub fn epoch(&self) -> i32 {
        self.epoch
    }

    /// The records as they are on disk: a JSON array.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The records.
    pub fn records(&self) -> &[MetadataRecord] {
        &self.records
    }
}
