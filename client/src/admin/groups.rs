//! Groups as an administrator sees them.

use std::collections::BTreeMap;

use bytes::Bytes;
use protocol::Str;
use protocol::messages::{DeleteGroupsRequest, DescribeGroupsRequest, ListGroupsRequest};

use super::Admin;
use crate::cluster::{Lane, Retry};
use crate::group::coordinator::Coordinator;
use crate::{ApiError, ClientError};

/// A group that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Its id.
    pub group_id: String,
    /// The kind of its members, such as `consumer`; empty when it only has offsets.
    pub protocol_type: String,
    /// Kafka's name of its state; empty when the broker is too old to tell.
    pub state: String,
}

/// A group with its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupDescription {
    /// Its id.
    pub group_id: String,
    /// Kafka's name of its state: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: String,
    /// The kind of its members.
    pub protocol_type: String,
    /// The protocol that its members agreed on.
    pub protocol: String,
    /// Its members.
    pub members: Vec<GroupMemberDescription>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMemberDescription {
    /// Given by the coordinator.
    pub member_id: String,
    /// The member's own lasting name.
    pub instance_id: Option<String>,
    /// Its client id.
    pub client_id: String,
    /// Where it comes from.
    pub client_host: String,
    /// What the leader assigned to it, in the protocol's own form.
    pub assignment: Bytes,
}

impl Admin {
    /// Every group, by id.
    pub async fn list_groups(&self) -> Result<Vec<GroupListing>, ClientError> {
        // Each broker knows the groups that it coordinates.
        let brokers = self.describe_cluster().await?.brokers;
        self.client.fetch_metadata(Some(&[]), false).await?;
        let mut groups = BTreeMap::new();
        for broker in brokers {
            let request = ListGroupsRequest::default();
            let response =
                self.client.call_node(broker.id, Lane::SHARED, &request, i16::MAX).await?;
            ApiError::check(response.error_code)?;
            for group in response.groups {
                let listing = GroupListing {
                    group_id: group.group_id.to_string(),
                    protocol_type: group.protocol_type.to_string(),
                    state: group.group_state.to_string(),
                };
                groups.insert(listing.group_id.clone(), listing);
            }
        }
        Ok(groups.into_values().collect())
    }

    /// One group. A group that does not exist is `Dead`, or `GROUP_ID_NOT_FOUND`, as the broker's version has it.
    pub async fn describe_group(&self, group: &str) -> Result<GroupDescription, ClientError> {
        let coordinator = Coordinator::new(&self.client, group);
        let mut retry = Retry::new(&self.client);
        loop {
            match describe_once(&coordinator).await {
                Ok(description) => return Ok(description),
                Err(e) => retry.again(e).await?,
            }
        }
    }

    /// Deletes a group that has no members, with its offsets.
    pub async fn delete_group(&self, group: &str) -> Result<(), ClientError> {
        let coordinator = Coordinator::new(&self.client, group);
        let mut retry = Retry::new(&self.client);
        loop {
            match delete_once(&coordinator).await {
                Ok(()) => return Ok(()),
                Err(e) => retry.again(e).await?,
            }
        }
    }
}

async fn describe_once(coordinator: &Coordinator) -> Result<GroupDescription, ClientError> {
    let request =
        DescribeGroupsRequest { groups: vec![Str::copy(&coordinator.group)], ..Default::default() };
    let response = coordinator.call(&request).await?;
    let group = response.groups.into_iter().next().ok_or(ClientError::Incomplete("the group"))?;
    coordinator.note(group.error_code);
    ApiError::check_with(group.error_code, group.error_message.as_ref())?;
    let members = group.members.into_iter();
    Ok(GroupDescription {
        group_id: group.group_id.to_string(),
        state: group.group_state.to_string(),
        protocol_type: group.protocol_type.to_string(),
        protocol: group.protocol_data.to_string(),
        members: members
            .map(|m| GroupMemberDescription {
                member_id: m.member_id.to_string(),
                instance_id: m.group_instance_id.map(|i| i.to_string()),
                client_id: m.client_id.to_string(),
                client_host: m.client_host.to_string(),
                assignment: m.member_assignment,
            })
            .collect(),
    })
}

async fn delete_once(coordinator: &Coordinator) -> Result<(), ClientError> {
    let request = DeleteGroupsRequest { groups_names: vec![Str::copy(&coordinator.group)] };
    let response = coordinator.call(&request).await?;
    let result = response.results.first().ok_or(ClientError::Incomplete("the group"))?;
    coordinator.note(result.error_code);
    Ok(ApiError::check(result.error_code)?)
}
