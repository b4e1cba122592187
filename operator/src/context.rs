//! What every reconcile may use.

use std::sync::Arc;
use std::time::Duration;

use crds::Topic;
use kube::Client;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;

use crate::backoff::Backoff;
use crate::config::OperatorConfig;
use crate::connect_rest::ConnectRest;
use crate::fail_point::FailPoints;
use crate::kafka::KafkaClients;
use crate::metrics::Metrics;
use crate::tenure::Tenure;

/// Longest wait for an answer of a worker's HTTP port.
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// What every reconcile may use.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) config: OperatorConfig,
    pub(crate) kafka: KafkaClients,
    pub(crate) connect: ConnectRest,
    pub(crate) http: reqwest::Client,
    pub(crate) backoff: Backoff,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) recorder: Recorder,
    pub(crate) fail_points: FailPoints,
    pub(crate) tenure: Tenure,
    /// The Topic controller's cache. It may lag: nothing destructive is decided by it.
    pub(crate) topics: Store<DeserializeGuard<Topic>>,
}

impl Context {
    pub(crate) fn new(
        client: Client,
        config: OperatorConfig,
        metrics: Arc<Metrics>,
        topics: Store<DeserializeGuard<Topic>>,
    ) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(HTTP_TIMEOUT).no_proxy().build()?;
        let reporter = Reporter {
            controller: "vltava-operator".into(),
            instance: Some(config.identity.clone()),
        };
        Ok(Self {
            recorder: Recorder::new(client.clone(), reporter),
            tenure: Tenure::new(client.clone(), &config),
            fail_points: FailPoints::new(config.fail_points.clone()),
            client,
            config,
            kafka: KafkaClients::default(),
            connect: ConnectRest::new(http.clone()),
            http,
            backoff: Backoff::default(),
            metrics,
            topics,
        })
    }
}
