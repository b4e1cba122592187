use bytes::Bytes;

use super::{
    BatchHeader, MAX_DECOMPRESSED_BYTES, RecordIter, RecordsError, crc_of, lean::record_body,
};

/// One whole batch: its bytes and parsed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    bytes: Bytes,
    header: BatchHeader,
}

impl Batch {
    /// Takes the first batch of `bytes`; what follows it is ignored. The CRC is not looked at.
    ///
    /// # Errors
    /// As [`BatchHeader::parse`]; [`RecordsError::NotEnough`] when the batch is cut off.
    pub fn parse(bytes: &Bytes) -> Result<Self, RecordsError> {
        let header = BatchHeader::parse(bytes)?;
        if bytes.len() < header.size() {
            return Err(RecordsError::NotEnough { needed: header.size(), have: bytes.len() });
        }
        Ok(Self { bytes: bytes.slice(..header.size()), header })
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, header included.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Compares the stored CRC-32C with that of the bytes.
    ///
    /// # Errors
    /// [`RecordsError::Crc`].
    pub fn verify_crc(&self) -> Result<(), RecordsError> {
        let computed = crc_of(&self.bytes);
        if computed == self.header.crc {
            return Ok(());
        }
        Err(RecordsError::Crc { stored: self.header.crc, computed })
    }

    /// The records in order, decompressed to at most [`MAX_DECOMPRESSED_BYTES`]; keys and values are slices
    /// of one shared buffer.
    ///
    /// # Errors
    /// When the data cannot be decompressed; the iterator itself reports malformed records.
    pub fn records(&self) -> Result<RecordIter, RecordsError> {
        self.records_within(MAX_DECOMPRESSED_BYTES)
    }

    /// As [`Batch::records`] with a limit of the caller's, in bytes.
    pub fn records_within(&self, limit: usize) -> Result<RecordIter, RecordsError> {
        let body = record_body(&self.header, &self.bytes, limit)?;
        Ok(RecordIter::new(&self.header, body))
    }
}

/// Splits concatenated batches; a batch that is cut off at the end (as a fetch may return) ends the iteration.
pub fn batches(bytes: Bytes) -> Batches {
    Batches { rest: bytes }
}

/// Iterator of [`batches`]. Ends after an error.
#[derive(Debug, Clone)]
pub struct Batches {
    rest: Bytes,
}

impl Iterator for Batches {
    type Item = Result<Batch, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        match Batch::parse(&self.rest) {
            Ok(batch) => {
                self.rest = self.rest.slice(batch.bytes.len()..);
                Some(Ok(batch))
            }
            Err(RecordsError::NotEnough { .. }) => None,
            Err(e) => {
                self.rest = Bytes::new();
                Some(Err(e))
            }
        }
    }
}
