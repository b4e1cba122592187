use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::fetch_response::PartitionData;
use protocol::{ErrorCode, Records};
use replica::{Divergence, FetchPosition, FromLeader, TakeError};
use storage::LogDir;
use thiserror::Error;

use crate::partition::{Partition, TruncateError};

/// One partition's part of a leader's answer.
pub(super) struct Answer {
    pub(super) partition: Arc<Partition>,
    pub(super) position: FetchPosition,
    pub(super) data: PartitionData,
}

/// Why a partition could not do what the leader's answer asks for.
#[derive(Debug, Error)]
pub(super) enum AnswerError {
    /// The leader has answered with an error.
    #[error("its leader answers {}: {}", .0.name(), .0.message())]
    Leader(ErrorCode),
    /// The records could not be taken.
    #[error(transparent)]
    Take(#[from] TakeError),
    /// The log could not be truncated.
    #[error(transparent)]
    Truncate(#[from] TruncateError),
}

impl AnswerError {
    /// Whether it is part of every change of leader: one side's metadata is older than the other's.
    pub(super) fn is_passing(&self) -> bool {
        let Self::Leader(code) = self else { return false };
        matches!(
            *code,
            ErrorCode::NOT_LEADER_OR_FOLLOWER
                | ErrorCode::FENCED_LEADER_EPOCH
                | ErrorCode::UNKNOWN_LEADER_EPOCH
                | ErrorCode::UNKNOWN_TOPIC_ID
                | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        )
    }

    /// Longest pause after it.
    pub(super) fn max_backoff(&self) -> Duration {
        // The other side's metadata comes within a round trip or two.
        if self.is_passing() { Duration::from_millis(50) } else { Duration::MAX }
    }
}

/// Takes all parts of an answer. Blocks: writes records, truncates. One that fails does not touch the others.
pub(super) fn take_all(
    answers: Vec<Answer>,
    log_dir: &LogDir,
    now_ms: i64,
) -> Vec<(Arc<Partition>, Result<(), AnswerError>)> {
    let mut moved = Vec::new();
    let mut outcomes = Vec::with_capacity(answers.len());
    for answer in answers {
        let partition = Arc::clone(&answer.partition);
        let taken = answer.take(log_dir, now_ms);
        if let Ok(true) = taken {
            moved.push(Arc::clone(&partition));
        }
        outcomes.push((partition, taken.map(|_| ())));
    }
    // Deleted records must not come back when this node leads after a crash.
    if !moved.is_empty()
        && let Err(error) =
            log_dir.write_checkpoints(moved.iter().map(|partition| partition.checkpointed()))
    {
        tracing::warn!(%error, "failed to write the checkpoint of log starts");
    }
    outcomes
}

impl Answer {
    /// Returns whether the log's start has moved.
    fn take(self, log_dir: &LogDir, now_ms: i64) -> Result<bool, AnswerError> {
        let Self { partition, position, data } = self;
        match ErrorCode(data.error_code) {
            ErrorCode::NONE => {}
            code @ ErrorCode::OFFSET_OUT_OF_RANGE => {
                let truncation = partition.out_of_range(&position, data.log_start_offset);
                let truncation = truncation.ok_or(AnswerError::Leader(code))?;
                partition.truncate(&truncation, log_dir, now_ms)?;
                return Ok(true);
            }
            code => return Err(AnswerError::Leader(code)),
        }
        if data.diverging_epoch.end_offset >= 0 {
            let (epoch, end_offset) = (data.diverging_epoch.epoch, data.diverging_epoch.end_offset);
            let told = Divergence { epoch, end_offset };
            if let Some(truncation) = partition.diverged(&position, told) {
                partition.truncate(&truncation, log_dir, now_ms)?;
            }
            return Ok(false);
        }
        let records = match data.records {
            Records::Bytes(bytes) => bytes,
            // Only what this broker itself sends is in pieces.
            Records::Null | Records::Segments(_) => Bytes::new(),
        };
        let answer = FromLeader {
            position,
            high_watermark: data.high_watermark,
            log_start_offset: data.log_start_offset,
            records,
        };
        match partition.take(&answer, now_ms) {
            Ok(taken) => Ok(taken.start_moved),
            Err(TakeError::BeforeStart { start }) => {
                if let Some(truncation) = partition.out_of_range(&position, start) {
                    partition.truncate(&truncation, log_dir, now_ms)?;
                }
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }
}
