//! AddRaftVoter and RemoveRaftVoter (KIP-853).

use std::sync::Arc;

use protocol::messages::{
    AddRaftVoterRequest, AddRaftVoterResponse, RemoveRaftVoterRequest, RemoveRaftVoterResponse,
};
use protocol::{ErrorCode, Str, Uuid};
use quorum::node::{ChangeVotersError, VoterChange};
use quorum::raft::Voter;

use crate::context::{Broker, RequestContext};

pub(crate) async fn add(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: AddRaftVoterRequest,
    _version: i16,
) -> AddRaftVoterResponse {
    let voter = Voter { id: request.voter_id, directory_id: request.voter_directory_id };
    let cluster_id = request.cluster_id.as_deref();
    let (error_code, error_message) =
        change(broker, cluster_id, VoterChange::Add(voter), request.voter_directory_id).await;
    AddRaftVoterResponse { error_code, error_message, ..Default::default() }
}

pub(crate) async fn remove(
    broker: &Arc<Broker>,
    _ctx: &RequestContext,
    request: RemoveRaftVoterRequest,
    _version: i16,
) -> RemoveRaftVoterResponse {
    let voter = Voter { id: request.voter_id, directory_id: request.voter_directory_id };
    let cluster_id = request.cluster_id.as_deref();
    let (error_code, error_message) =
        change(broker, cluster_id, VoterChange::Remove(voter), request.voter_directory_id).await;
    RemoveRaftVoterResponse { error_code, error_message, ..Default::default() }
}

async fn change(
    broker: &Broker,
    cluster_id: Option<&str>,
    change: VoterChange,
    directory_id: Uuid,
) -> (i16, Option<Str>) {
    if cluster_id.is_some_and(|id| *id != *broker.cluster_id) {
        return (ErrorCode::INCONSISTENT_CLUSTER_ID.0, None);
    }
    if directory_id.is_zero() {
        let message =
            Str::from("the voter's directory id is needed (directory.id in its meta.properties)");
        return (ErrorCode::INVALID_REQUEST.0, Some(message));
    }
    match broker.quorum.change_voters(change).await {
        Ok(()) => (0, None),
        Err(error) => {
            let (code, message) = refusal(error);
            (code.0, Some(Str::from(message)))
        }
    }
}

fn refusal(error: Option<ChangeVotersError>) -> (ErrorCode, String) {
    let Some(error) = error else {
        let stopping = ErrorCode::BROKER_NOT_AVAILABLE;
        return (stopping, stopping.message().to_owned());
    };
    let code = match &error {
        ChangeVotersError::NotLeader { .. } => ErrorCode::NOT_CONTROLLER,
        ChangeVotersError::Duplicate(_) => ErrorCode::DUPLICATE_VOTER,
        ChangeVotersError::Unknown(_) => ErrorCode::VOTER_NOT_FOUND,
        ChangeVotersError::Size | ChangeVotersError::UnknownDirectory(_) => {
            ErrorCode::INVALID_REQUEST
        }
        ChangeVotersError::Busy | ChangeVotersError::NotCaughtUp(_) | ChangeVotersError::Lost => {
            ErrorCode::REQUEST_TIMED_OUT
        }
    };
    (code, error.to_string())
}
