//! Errors of the consumer.

use crate::{ApiError, ClientError, GroupError, TopicPartition};

/// Why `poll` and other methods of a consumer fail. The consumer stays usable; what is wrong may last.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConsumeError {
    /// The consumer was closed.
    #[error("the consumer is closed")]
    Closed,
    /// `subscribe` and commits need a group.
    #[error("the consumer has no group_id")]
    NoGroup,
    /// The partition is not assigned to this consumer.
    #[error("{0} is not assigned to this consumer")]
    NotAssigned(TopicPartition),
    /// There is no offset to begin at, and `auto_offset_reset` is `None`.
    #[error("{partition} has no position: {reason}")]
    NoPosition {
        /// The partition.
        partition: TopicPartition,
        /// Nothing committed, or out of range.
        reason: &'static str,
    },
    /// The broker refuses to give a partition's records.
    #[error("{partition}: {error}")]
    Refused {
        /// The partition.
        partition: TopicPartition,
        /// Why.
        error: ApiError,
    },
    /// Records cannot be read. `seek` beyond them to go on.
    #[error("{partition} at offset {offset}: {error}")]
    Corrupt {
        /// The partition.
        partition: TopicPartition,
        /// The position.
        offset: i64,
        /// What is wrong.
        error: protocol::records::RecordsError,
    },
    /// The member cannot be in its group.
    #[error(transparent)]
    Group(#[from] GroupError),
    /// A request failed for good.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Why offsets were not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// The consumer has no group.
    #[error("the consumer has no group_id")]
    NoGroup,
    /// The group has gone on without this member: the partitions may belong to somebody else now.
    #[error("the group has a new generation: {0}")]
    Rebalanced(ApiError),
    /// A request failed for good.
    #[error(transparent)]
    Client(ClientError),
}

impl From<ClientError> for CommitError {
    fn from(error: ClientError) -> Self {
        use protocol::ErrorCode as E;
        match error {
            ClientError::Api(error)
                if matches!(
                    error.code,
                    E::REBALANCE_IN_PROGRESS
                        | E::ILLEGAL_GENERATION
                        | E::UNKNOWN_MEMBER_ID
                        | E::FENCED_INSTANCE_ID
                ) =>
            {
                Self::Rebalanced(error)
            }
            error => Self::Client(error),
        }
    }
}
