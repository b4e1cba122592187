//! Finding the broker that coordinates a group.

use protocol::Str;
use protocol::messages::FindCoordinatorRequest;

use super::{Client, Retry};
use crate::{ApiError, ClientError};

/// `FindCoordinator`'s key type for groups.
const GROUP: i8 = 0;

impl Client {
    /// The broker that coordinates a group, trying again while there is none.
    pub(crate) async fn group_coordinator(&self, group: &str) -> Result<i32, ClientError> {
        let mut retry = Retry::new(self);
        loop {
            match self.find_coordinator(group).await {
                Ok(node) => return Ok(node),
                Err(e) => retry.again(e).await?,
            }
        }
    }

    async fn find_coordinator(&self, group: &str) -> Result<i32, ClientError> {
        let connection = self.any_connection().await?;
        let version = connection.version(protocol::ApiKey::FindCoordinator).unwrap_or(0);
        let group = Str::copy(group);
        // From version 4 on several groups can be asked for at once.
        let request = if version >= 4 {
            FindCoordinatorRequest {
                key_type: GROUP,
                coordinator_keys: vec![group],
                ..Default::default()
            }
        } else {
            FindCoordinatorRequest { key: group, key_type: GROUP, ..Default::default() }
        };
        let response = connection.call(&request).await?;
        let node = if version >= 4 {
            let found = response.coordinators.first();
            let found = found.ok_or(ClientError::Incomplete("the coordinator"))?;
            ApiError::check_with(found.error_code, found.error_message.as_ref())?;
            found.node_id
        } else {
            ApiError::check_with(response.error_code, response.error_message.as_ref())?;
            response.node_id
        };
        // It may be a broker that has come back under another address.
        self.fetch_metadata(Some(&[]), false).await?;
        Ok(node)
    }
}
