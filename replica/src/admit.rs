use protocol::ErrorCode;
use thiserror::Error;

use crate::Replica;
use crate::replica::Role;

/// Why a replica does not serve a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ServeError {
    /// The topic was deleted, or the replica taken off this node.
    #[error("the partition has been removed")]
    Removed,
    /// Another node leads, or none.
    #[error("this node does not lead the partition")]
    NotLeader,
    /// The sender knows an older leader epoch.
    #[error("the leader epoch is older than this replica's")]
    FencedEpoch,
    /// The sender knows a newer leader epoch: metadata has not arrived here yet.
    #[error("the leader epoch is newer than this replica's")]
    UnknownEpoch,
    /// Fewer in-sync replicas than `min.insync.replicas`.
    #[error("there are fewer in-sync replicas than min.insync.replicas")]
    NotEnoughReplicas,
    /// A new leader does not know yet how far records are committed (KIP-207).
    #[error("the new leader does not know yet what is committed")]
    OffsetNotAvailable,
    /// The sender is not a replica of the partition, as far as is known here.
    #[error("the node is not a replica of the partition")]
    NotReplica,
    /// The sender fetches under a registration that is no longer its own (KIP-903).
    #[error("the broker epoch is stale")]
    StaleBrokerEpoch,
}

impl ServeError {
    /// Kafka's code for it.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Removed => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            // As in Kafka (`Partition.updateFollowerFetchState`): the follower tries again.
            Self::NotLeader | Self::NotReplica | Self::StaleBrokerEpoch => {
                ErrorCode::NOT_LEADER_OR_FOLLOWER
            }
            Self::FencedEpoch => ErrorCode::FENCED_LEADER_EPOCH,
            Self::UnknownEpoch => ErrorCode::UNKNOWN_LEADER_EPOCH,
            Self::NotEnoughReplicas => ErrorCode::NOT_ENOUGH_REPLICAS,
            Self::OffsetNotAvailable => ErrorCode::OFFSET_NOT_AVAILABLE,
        }
    }
}

impl Replica {
    /// Whether this node leads, for a sender who may say which leader epoch it knows (-1: it does not).
    ///
    /// # Errors
    /// [`ServeError`]: removed, not leader, epochs.
    pub fn serve(&self, known_epoch: i32) -> Result<(), ServeError> {
        self.serve_any(known_epoch)?;
        match self.role {
            Role::Leader(_) => Ok(()),
            Role::Follower | Role::Idle => Err(ServeError::NotLeader),
        }
    }

    /// As [`Replica::serve`], for what a follower may answer as well (KIP-392: a consumer's fetch).
    ///
    /// # Errors
    /// As [`Replica::serve`].
    pub fn serve_any(&self, known_epoch: i32) -> Result<(), ServeError> {
        if self.removed {
            return Err(ServeError::Removed);
        }
        if matches!(self.role, Role::Idle) {
            return Err(ServeError::NotLeader);
        }
        #[cfg(feature = "planted")]
        if self.has(crate::Planted::EpochsIgnored) {
            return Ok(());
        }
        match known_epoch {
            epoch if epoch < 0 => Ok(()),
            epoch if epoch < self.assignment.leader_epoch => Err(ServeError::FencedEpoch),
            epoch if epoch > self.assignment.leader_epoch => Err(ServeError::UnknownEpoch),
            _ => Ok(()),
        }
    }

    /// Whether a produce with these acks may be appended.
    ///
    /// # Errors
    /// As [`Replica::serve`]; [`ServeError::NotEnoughReplicas`] under acks=all (-1).
    pub fn admit(&self, acks: i16) -> Result<(), ServeError> {
        self.serve(-1)?;
        // As in Kafka the config itself counts here, not what the replica count makes possible.
        if acks == -1 && self.assignment.isr.len() < self.rules.min_insync_replicas {
            return Err(ServeError::NotEnoughReplicas);
        }
        Ok(())
    }

    /// The end of what is committed, as ListOffsets answers it.
    ///
    /// # Errors
    /// As [`Replica::serve`]; [`ServeError::OffsetNotAvailable`] from a new leader until its high watermark has reached the
    /// start of its epoch: what it knows may be less than its predecessor has told (KIP-207).
    pub fn committed_end(&self, known_epoch: i32) -> Result<i64, ServeError> {
        self.serve(known_epoch)?;
        match &self.role {
            #[cfg(feature = "planted")]
            Role::Leader(_) if self.has(crate::Planted::EndBeforeKnown) => {
                Ok(self.high_watermark.offset)
            }
            Role::Leader(leader) if self.high_watermark.offset < leader.epoch_start => {
                Err(ServeError::OffsetNotAvailable)
            }
            _ => Ok(self.high_watermark.offset),
        }
    }
}
