//! Voters of the metadata quorum, as an administrator adds and removes them (KIP-853).

use protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest, add_raft_voter_request};
use protocol::{Str, Uuid};

use super::Admin;
use crate::{ApiError, ClientError};

/// Longest time that the controller may take for a change of the voters, in milliseconds.
const CHANGE_TIMEOUT_MS: i32 = 5_000;

/// A node that votes or should vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaftVoter {
    /// Node id.
    pub id: i32,
    /// Id of its data folder: a node with an empty disk is another voter.
    pub directory_id: Uuid,
}

impl Admin {
    /// Makes an observer of the metadata quorum a voter, which others reach at `host:port`.
    pub async fn add_raft_voter(
        &self,
        voter: &RaftVoter,
        host: &str,
        port: u16,
    ) -> Result<(), ClientError> {
        let listener = add_raft_voter_request::Listener {
            name: Str::from("CONTROLLER"),
            host: Str::copy(host),
            port,
        };
        let request = AddRaftVoterRequest {
            // Whichever cluster answers: the client knows it by its address.
            cluster_id: None,
            timeout_ms: CHANGE_TIMEOUT_MS,
            voter_id: voter.id,
            voter_directory_id: voter.directory_id,
            listeners: vec![listener],
            ..Default::default()
        };
        let response = self.call(&request).await?;
        Ok(ApiError::check_with(response.error_code, response.error_message.as_ref())?)
    }

    /// Makes a voter of the metadata quorum an observer.
    pub async fn remove_raft_voter(&self, voter: &RaftVoter) -> Result<(), ClientError> {
        let request = RemoveRaftVoterRequest {
            cluster_id: None,
            voter_id: voter.id,
            voter_directory_id: voter.directory_id,
        };
        let response = self.call(&request).await?;
        Ok(ApiError::check_with(response.error_code, response.error_message.as_ref())?)
    }
}
