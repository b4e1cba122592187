//! The newest batches of a partition, kept in memory as they came, so that a reader at the tail costs no system
//! call and no copy.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use protocol::Segment;

use super::config::{HOT_TAIL_BYTES, HotBudget};
use super::read::LogSlice;

/// Batches below this size are copied into memory of their own: a slice would keep its whole frame alive.
const COPY_BELOW_BYTES: usize = 4096;
/// Batches past which a read of small ones is joined into one piece: `writev` has its price a piece.
const JOIN_FROM_BATCHES: usize = 16;

#[derive(Debug)]
struct HotBatch {
    base_offset: i64,
    next_offset: i64,
    /// The patched header; empty when `body` is the whole batch.
    head: Bytes,
    body: Bytes,
}

impl HotBatch {
    fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }
}

#[derive(Debug)]
pub(super) struct HotTail {
    batches: VecDeque<HotBatch>,
    bytes: usize,
    budget: HotBudget,
}

impl HotTail {
    pub(super) fn new(budget: HotBudget) -> Self {
        Self { batches: VecDeque::new(), bytes: 0, budget }
    }

    /// Remembers the batch that was just appended; `head` is its patched header, `body` the rest.
    pub(super) fn push(&mut self, base_offset: i64, next_offset: i64, head: &[u8], body: &Bytes) {
        let len = head.len() + body.len();
        if len > HOT_TAIL_BYTES {
            // What is older must not stay: the batches in memory are without gaps.
            self.clear();
            return;
        }
        while self.bytes + len > HOT_TAIL_BYTES {
            self.evict();
        }
        while !self.budget.take(len) {
            if !self.evict() {
                return;
            }
        }
        let (head, body) = if len < COPY_BELOW_BYTES {
            let mut whole = BytesMut::with_capacity(len);
            whole.extend_from_slice(head);
            whole.extend_from_slice(body);
            (Bytes::new(), whole.freeze())
        } else {
            (Bytes::copy_from_slice(head), body.clone())
        };
        self.bytes += len;
        self.batches.push_back(HotBatch { base_offset, next_offset, head, body });
    }

    fn evict(&mut self) -> bool {
        let Some(old) = self.batches.pop_front() else { return false };
        self.bytes -= old.len();
        self.budget.give_back(old.len());
        true
    }

    pub(super) fn clear(&mut self) {
        self.budget.give_back(self.bytes);
        self.bytes = 0;
        self.batches = VecDeque::new();
    }

    /// Whole batches from the one that holds `offset` up to `end_offset`, at most `max_bytes`, but one in any
    /// case when `min_one`. `None` when the offset is older than what is in memory.
    pub(super) fn read(
        &self,
        offset: i64,
        end_offset: i64,
        max_bytes: usize,
        min_one: bool,
    ) -> Option<LogSlice> {
        if self.batches.front()?.base_offset > offset {
            return None;
        }
        let start = self.batches.partition_point(|b| b.next_offset <= offset);
        let mut len = 0;
        let mut count = 0;
        for batch in self.batches.range(start..) {
            let fits = len + batch.len() <= max_bytes || (min_one && count == 0);
            if !fits || batch.next_offset > end_offset {
                break;
            }
            len += batch.len();
            count += 1;
        }
        let batches = self.batches.range(start..start + count);
        let mut segments =
            Vec::with_capacity(if count > JOIN_FROM_BATCHES { 1 } else { count * 2 });
        if count > JOIN_FROM_BATCHES && len < count * COPY_BELOW_BYTES {
            let mut joined = BytesMut::with_capacity(len);
            for batch in batches {
                joined.extend_from_slice(&batch.head);
                joined.extend_from_slice(&batch.body);
            }
            segments.push(Segment::Bytes(joined.freeze()));
        } else {
            for batch in batches {
                if !batch.head.is_empty() {
                    segments.push(Segment::Bytes(batch.head.clone()));
                }
                segments.push(Segment::Bytes(batch.body.clone()));
            }
        }
        Some(LogSlice { segments, len })
    }
}

impl Drop for HotTail {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}
