//! The door to Kafka: one client for each cluster, and the few questions and orders that the operator has.
//!
//! Timeouts are short: a reconcile does not wait for a broker, it comes back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::{Admin, ApiError, Client, ClientConfig, ClientError, ConfigOp, NewTopic, RaftVoter};
use protocol::ErrorCode;

/// Longest time for one order, retries included, in milliseconds.
const RETRY_TIMEOUT_MS: u32 = 5_000;
/// Longest wait for one answer, in milliseconds.
const REQUEST_TIMEOUT_MS: u32 = 5_000;
/// Clients kept at once; one past it is made and thrown away each time.
const MAX_CLIENTS: usize = 256;
/// Longest time for a whole order.
const ORDER_TIMEOUT: Duration = Duration::from_secs(10);

/// An order to Kafka failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KafkaFailure {
    /// The broker understood and refused; trying the same again cannot help.
    #[error("{0}")]
    Refused(String),
    /// It may work later.
    #[error("{0}")]
    Later(String),
}

impl From<ClientError> for KafkaFailure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Api(error) => error.into(),
            other => Self::Later(other.to_string()),
        }
    }
}

impl From<ApiError> for KafkaFailure {
    fn from(error: ApiError) -> Self {
        if error.code.is_retriable() {
            Self::Later(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// What a cluster says of itself.
#[derive(Debug)]
pub(crate) struct ClusterInfo {
    pub(crate) id: String,
    /// Ids of the brokers that are registered and not fenced.
    pub(crate) brokers: Vec<i32>,
}

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LiveTopic {
    pub(crate) id: String,
    pub(crate) partitions: i32,
    /// Fewest replicas of any partition, those included that come or go.
    pub(crate) replicas: i32,
    /// Most replicas of any partition.
    pub(crate) most_replicas: i32,
    /// Partitions with a replica that is not in sync: it may be on its way.
    pub(crate) incomplete: usize,
    /// Partitions without a leader.
    pub(crate) leaderless: usize,
    /// Keys that are set on the topic itself.
    pub(crate) overrides: BTreeMap<String, String>,
}

/// A change of one key of a topic's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    /// Another value.
    Set(String),
    /// Back to the cluster's default.
    Clear,
}

impl From<KeyChange> for ConfigOp {
    fn from(change: KeyChange) -> Self {
        match change {
            KeyChange::Set(value) => Self::Set(value),
            KeyChange::Clear => Self::Delete,
        }
    }
}

/// One client for each cluster, by its bootstrap address.
#[derive(Debug, Default)]
pub(crate) struct KafkaClients(Mutex<HashMap<String, Client>>);

impl KafkaClients {
    /// Whether brokers answer at an address, and what they say of the cluster.
    pub(crate) async fn cluster(&self, address: &str) -> Result<ClusterInfo, KafkaFailure> {
        let admin = self.admin(address);
        let cluster = within(admin.describe_cluster()).await?;
        Ok(ClusterInfo {
            id: cluster.cluster_id.unwrap_or_default(),
            brokers: cluster.brokers.iter().map(|b| b.id).collect(),
        })
    }

    /// A topic, or `None` if there is none of that name.
    pub(crate) async fn topic(
        &self,
        address: &str,
        name: &str,
    ) -> Result<Option<LiveTopic>, KafkaFailure> {
        let admin = self.admin(address);
        let names = [name.to_owned()];
        let described = within(admin.describe_topics(&names)).await?;
        let Some(topic) = described.into_iter().next() else { return Ok(None) };
        if let Some(error) = topic.error {
            let missing = error.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            return if missing { Ok(None) } else { Err(error.into()) };
        }
        let mut live = LiveTopic {
            id: topic.topic_id.to_string(),
            partitions: count(Some(topic.partitions.len())),
            replicas: count(topic.partitions.iter().map(|p| p.replicas.len()).min()),
            most_replicas: count(topic.partitions.iter().map(|p| p.replicas.len()).max()),
            incomplete: topic.partitions.iter().filter(|p| p.isr.len() < p.replicas.len()).count(),
            leaderless: topic.partitions.iter().filter(|p| p.leader < 0).count(),
            overrides: BTreeMap::new(),
        };
        live.overrides = self.overrides(&admin, &names).await?;
        Ok(Some(live))
    }

    /// Which of these topics do not exist.
    pub(crate) async fn missing(
        &self,
        address: &str,
        names: &[String],
    ) -> Result<Vec<String>, KafkaFailure> {
        let described = within(self.admin(address).describe_topics(names)).await?;
        let missing = described.into_iter().filter(|topic| {
            topic.error.as_ref().is_some_and(|e| e.code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        });
        Ok(missing.map(|topic| topic.name).collect())
    }

    pub(crate) async fn create_topic(
        &self,
        address: &str,
        name: &str,
        partitions: i32,
        replicas: Option<i32>,
        configs: BTreeMap<String, String>,
    ) -> Result<(), KafkaFailure> {
        let replication_factor = replicas.map_or(-1, |r| i16::try_from(r).unwrap_or(i16::MAX));
        let topic = NewTopic { name: name.to_owned(), partitions, replication_factor, configs };
        first(within(self.admin(address).create_topics(vec![topic])).await?)
    }

    pub(crate) async fn grow_topic(
        &self,
        address: &str,
        name: &str,
        total: i32,
    ) -> Result<(), KafkaFailure> {
        first(within(self.admin(address).create_partitions(&[(name.to_owned(), total)])).await?)
    }

    pub(crate) async fn alter_topic(
        &self,
        address: &str,
        name: &str,
        changes: Vec<(String, KeyChange)>,
    ) -> Result<(), KafkaFailure> {
        let changes = changes.into_iter().map(|(key, change)| (key, change.into())).collect();
        within(self.admin(address).alter_topic_configs(name, changes)).await
    }

    /// Deletes a topic; one that does not exist is deleted already.
    pub(crate) async fn delete_topic(&self, address: &str, name: &str) -> Result<(), KafkaFailure> {
        let results = within(self.admin(address).delete_topics(&[name.to_owned()])).await?;
        match results.into_iter().next() {
            Some((_, Err(e))) if e.code != ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Makes a node vote in the metadata quorum; one that does already is done.
    pub(crate) async fn add_voter(
        &self,
        address: &str,
        id: i32,
        directory_id: &str,
        host: &str,
        port: u16,
    ) -> Result<(), KafkaFailure> {
        let voter = raft_voter(id, directory_id)?;
        let admin = self.admin(address);
        let order = admin.add_raft_voter(&voter, host, port);
        within(unless(order, ErrorCode::DUPLICATE_VOTER)).await
    }

    /// Takes a node's vote in the metadata quorum; one that has none is done.
    pub(crate) async fn remove_voter(
        &self,
        address: &str,
        id: i32,
        directory_id: &str,
    ) -> Result<(), KafkaFailure> {
        let voter = raft_voter(id, directory_id)?;
        let admin = self.admin(address);
        let order = admin.remove_raft_voter(&voter);
        within(unless(order, ErrorCode::VOTER_NOT_FOUND)).await
    }

    /// Throws a cluster's client away.
    pub(crate) fn forget(&self, address: &str) {
        self.lock().remove(address);
    }

    fn admin(&self, address: &str) -> Admin {
        let mut clients = self.lock();
        if let Some(client) = clients.get(address) {
            return client.admin();
        }
        let config = ClientConfig {
            retry_timeout_ms: RETRY_TIMEOUT_MS,
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            ..ClientConfig::new(address).with_client_id("vltava-operator")
        };
        let client = Client::new(config);
        let admin = client.admin();
        if clients.len() < MAX_CLIENTS {
            clients.insert(address.to_owned(), client);
        }
        admin
    }

    async fn overrides(
        &self,
        admin: &Admin,
        names: &[String],
    ) -> Result<BTreeMap<String, String>, KafkaFailure> {
        let described = within(admin.describe_topic_configs(names)).await?;
        let Some((_, entries)) = described.into_iter().next() else { return Ok(BTreeMap::new()) };
        let own = entries?.into_iter().filter(client::ConfigEntry::is_of_topic);
        Ok(own.map(|e| (e.name, e.value.unwrap_or_default())).collect())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Client>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(number: Option<usize>) -> i32 {
    i32::try_from(number.unwrap_or(0)).unwrap_or(i32::MAX)
}

async fn within<T, E: Into<KafkaFailure>>(
    order: impl Future<Output = Result<T, E>>,
) -> Result<T, KafkaFailure> {
    match tokio::time::timeout(ORDER_TIMEOUT, order).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => {
            Err(KafkaFailure::Later(format!("no answer within {} s", ORDER_TIMEOUT.as_secs())))
        }
    }
}

/// An order that is done already is done.
async fn unless(
    order: impl Future<Output = Result<(), ClientError>>,
    done: ErrorCode,
) -> Result<(), ClientError> {
    match order.await {
        Err(ClientError::Api(error)) if error.code == done => Ok(()),
        result => result,
    }
}

fn raft_voter(id: i32, directory_id: &str) -> Result<RaftVoter, KafkaFailure> {
    let directory_id = directory_id.parse().map_err(|_| {
        KafkaFailure::Later(format!("node {id} has not said which data folder it has"))
    })?;
    Ok(RaftVoter { id, directory_id })
}

/// The answer for the only topic that was asked about.
fn first(results: Vec<(String, Result<(), ApiError>)>) -> Result<(), KafkaFailure> {
    match results.into_iter().next() {
        Some((_, result)) => result.map_err(Into::into),
        None => Err(KafkaFailure::Later("the broker's answer is empty".to_owned())),
    }
}
