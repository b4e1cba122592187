//! Topics, configs, offsets and groups, as an administrator sees and changes them.

mod configs;
mod groups;
mod log_dirs;
mod offsets;
mod quorum;
mod topics;

use protocol::Request;

use crate::cluster::Retry;
use crate::{Client, ClientError, Node};

pub use configs::{ConfigEntry, ConfigOp, TopicConfigs};
pub use groups::{GroupDescription, GroupListing, GroupMemberDescription};
pub use offsets::{ListedOffset, OffsetSpec};
pub use quorum::RaftVoter;
pub use topics::{NewTopic, PartitionInfo, TopicDescription, TopicListing};

/// Administration of a cluster. Clones share the client's connections.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
}

/// The cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Its id.
    pub cluster_id: Option<String>,
    /// The broker that takes administrative requests; -1 when not known.
    pub controller_id: i32,
    /// Its brokers, by id.
    pub brokers: Vec<Node>,
}

impl Admin {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// A request to whichever broker answers, tried again while that may help.
    async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        let mut retry = Retry::new(&self.client);
        loop {
            match self.client.call_any(request).await {
                Ok(response) => return Ok(response),
                Err(e) => retry.again(e).await?,
            }
        }
    }

    /// The cluster's id and brokers.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        let request = protocol::messages::MetadataRequest {
            topics: Some(Vec::new()),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let response = self.call(&request).await?;
        let mut brokers: Vec<Node> = response
            .brokers
            .iter()
            .map(|b| Node {
                id: b.node_id,
                host: b.host.to_string(),
                port: b.port,
                rack: b.rack.as_ref().map(ToString::to_string),
            })
            .collect();
        brokers.sort_by_key(|b| b.id);
        Ok(ClusterDescription {
            cluster_id: response.cluster_id.map(|id| id.to_string()),
            controller_id: response.controller_id,
            brokers,
        })
    }
}
