//! One round of joining: JoinGroup, the leader's assignment, SyncGroup.

use std::time::Duration;

use bytes::Bytes;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use protocol::messages::{JoinGroupRequest, JoinGroupResponse, SyncGroupRequest};
use protocol::{ErrorCode, Str};

use super::{Assigned, Identity, JoinedMember, Shared};
use crate::{ApiError, ClientError};

/// The coordinator answers a join this long after the rebalance timeout at the latest.
const JOIN_GRACE: Duration = Duration::from_secs(5);

impl Shared {
    fn instance_id(&self) -> Option<Str> {
        self.config.group_instance_id.as_deref().map(Str::copy)
    }

    pub(super) fn set_identity(&self, member_id: Str, generation: i32) {
        *self.identity.lock() = Identity { member_id, generation };
    }

    /// One try. An error about the member's id has been taken note of, so that the next try can succeed.
    pub(super) async fn join_once(&self) -> Result<Assigned, ClientError> {
        let joined = self.join_group().await?;
        let assignments = if joined.leader == joined.member_id && !joined.skip_assignment {
            self.assign(&joined).await?
        } else {
            Vec::new()
        };
        let data = self.sync_group(&joined, assignments).await?;
        self.set_identity(Str::copy(&joined.member_id), joined.generation_id);
        Ok(Assigned {
            member_id: Str::copy(&joined.member_id),
            generation: joined.generation_id,
            leader_id: Str::copy(&joined.leader),
            protocol: Str::copy(joined.protocol_name.as_deref().unwrap_or_default()),
            data: Bytes::copy_from_slice(&data),
        })
    }

    async fn join_group(&self) -> Result<JoinGroupResponse, ClientError> {
        let millis = |ms: u32| i32::try_from(ms).unwrap_or(i32::MAX);
        let request = JoinGroupRequest {
            group_id: Str::copy(&self.config.group_id),
            session_timeout_ms: millis(self.config.session_timeout_ms),
            rebalance_timeout_ms: millis(self.config.rebalance_timeout_ms),
            member_id: self.identity.lock().member_id.clone(),
            group_instance_id: self.instance_id(),
            protocol_type: self.protocol.protocol_type(),
            protocols: self
                .protocol
                .protocols()
                .into_iter()
                .map(|(name, metadata)| JoinGroupRequestProtocol { name, metadata })
                .collect(),
            ..Default::default()
        };
        let timeout = Duration::from_millis(self.config.rebalance_timeout_ms.into()) + JOIN_GRACE;
        let response = self.coordinator.call_within(&request, timeout).await?;
        self.coordinator.note(response.error_code);
        match ErrorCode(response.error_code) {
            ErrorCode::MEMBER_ID_REQUIRED => {
                self.set_identity(Str::copy(&response.member_id), -1);
            }
            ErrorCode::UNKNOWN_MEMBER_ID | ErrorCode::ILLEGAL_GENERATION => {
                *self.identity.lock() = Identity::NOBODY;
            }
            _ => {}
        }
        ApiError::check(response.error_code)?;
        // From here on the coordinator knows this id, whatever becomes of this round.
        self.set_identity(Str::copy(&response.member_id), -1);
        Ok(response)
    }

    async fn assign(
        &self,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, ClientError> {
        let members: Vec<JoinedMember> = joined
            .members
            .iter()
            .map(|m| JoinedMember {
                member_id: m.member_id.clone(),
                instance_id: m.group_instance_id.clone(),
                metadata: m.metadata.clone(),
            })
            .collect();
        let protocol = joined.protocol_name.as_deref().unwrap_or_default();
        let assigned = self.protocol.assign(protocol, &members).await?;
        Ok(assigned
            .into_iter()
            .map(|(member_id, assignment)| SyncGroupRequestAssignment { member_id, assignment })
            .collect())
    }

    async fn sync_group(
        &self,
        joined: &JoinGroupResponse,
        assignments: Vec<SyncGroupRequestAssignment>,
    ) -> Result<Bytes, ClientError> {
        let request = SyncGroupRequest {
            group_id: Str::copy(&self.config.group_id),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: self.instance_id(),
            protocol_type: Some(self.protocol.protocol_type()),
            protocol_name: joined.protocol_name.clone(),
            assignments,
        };
        let timeout = Duration::from_millis(self.config.rebalance_timeout_ms.into()) + JOIN_GRACE;
        let response = self.coordinator.call_within(&request, timeout).await?;
        self.coordinator.note(response.error_code);
        if ErrorCode(response.error_code) == ErrorCode::UNKNOWN_MEMBER_ID {
            *self.identity.lock() = Identity::NOBODY;
        }
        ApiError::check(response.error_code)?;
        Ok(response.assignment)
    }
}
