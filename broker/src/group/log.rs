use bytes::Bytes;
use groups::OFFSETS_TOPIC;
use protocol::ErrorCode;
use protocol::records::Batch;

use super::coordinator::{Appended, Committed, GroupLog};
use crate::partition::{CommitWait, Partitions};

/// Bytes read at once while loading.
const LOAD_BYTES: usize = 4 * 1024 * 1024;

impl GroupLog for Partitions {
    fn append(&self, partition: i32, batch: Bytes, now_ms: i64) -> Result<Appended, ErrorCode> {
        let partition = self.get(OFFSETS_TOPIC, partition)?;
        let batch = Batch::parse(&batch).map_err(|_| ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let wait = CommitWait::new();
        let accepted =
            partition.append_own(&batch, &wait, now_ms).map_err(|refusal| refusal.code)?;
        Ok(Appended {
            base_offset: accepted.base_offset,
            committed: Box::pin(async move { wait.ended().await.all() }),
        })
    }

    fn settle(&self, partition: i32) -> Result<Committed, ErrorCode> {
        let wait = self.get(OFFSETS_TOPIC, partition)?.settle()?;
        Ok(Box::pin(async move { wait.ended().await.all() }))
    }

    fn read(&self, partition: i32, offset: i64) -> Result<Bytes, ErrorCode> {
        let partition = self.get(OFFSETS_TOPIC, partition)?;
        let (start, end) = partition.offset_range();
        let offset = offset.max(start);
        if offset >= end {
            return Ok(Bytes::new());
        }
        partition.read_blocking(offset, LOAD_BYTES)
    }
}
