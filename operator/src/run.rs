//! Wires everything: client, health port, lease, controllers, shutdown.

use std::sync::Arc;
use std::time::Duration;

use crds::{Cluster, Connect, Connector, Rebalance, StreamsApp, Topic};
use futures_util::future::join_all;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::controller::Controller;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::cluster;
use crate::config::OperatorConfig;
use crate::context::Context;
use crate::drive;
use crate::health::{self, HealthError};
use crate::labels::MANAGED_SELECTOR;
use crate::lease::{Leadership, LeaseError};
use crate::metrics::Metrics;
use crate::watch_backoff::WatchBackoff;
use crate::webhook::{self, ServerError, WebhookServer};

/// How long the API server is answered still after the operator was told to stop.
const LINGER: Duration = Duration::from_secs(3);

/// The operator could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No way to an API server was found.
    #[error("failed to find the Kubernetes API: give a kubeconfig or run in a pod")]
    Kubernetes(#[source] Box<kube::Error>),
    /// The definitions are not installed.
    #[error(
        "the API server does not know {0} of vltava.dev/v1alpha1: install the chart or `kubectl apply -f crds/`"
    )]
    Definitions(&'static str, #[source] Box<kube::Error>),
    /// The HTTP client could not be made.
    #[error("failed to make the HTTP client")]
    Http(#[from] reqwest::Error),
    /// The health port could not be opened.
    #[error(transparent)]
    Health(#[from] HealthError),
    /// The webhook could not be served.
    #[error(transparent)]
    Webhook(#[from] ServerError),
    /// Leading is not possible, or not any more.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// A signal handler could not be set.
    #[error("failed to listen for signals")]
    Signal(#[source] std::io::Error),
}

/// Runs the operator until SIGTERM or Ctrl-C.
///
/// # Errors
/// If it cannot start, or loses the lease: the process should then exit, so that nothing goes on by halves.
pub async fn run(config: OperatorConfig) -> Result<(), RunError> {
    let stop = CancellationToken::new();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(RunError::Signal)?;
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping");
        on_signal.cancel();
    });
    run_until(config, stop).await
}

/// [`run`], until `stop` is cancelled.
///
/// # Errors
/// As [`run`].
pub async fn run_until(config: OperatorConfig, stop: CancellationToken) -> Result<(), RunError> {
    let client = Client::try_default().await.map_err(|e| RunError::Kubernetes(Box::new(e)))?;
    let metrics = Arc::new(Metrics::new());
    let ports = CancellationToken::new();
    let webhook = match &config.webhook {
        Some(webhook) => {
            let metrics = Arc::clone(&metrics);
            let ports = ports.clone();
            Some(WebhookServer::start(&client, &config, webhook, metrics, ports).await?)
        }
        None => None,
    };
    let address = health::serve(config.health_listen, Arc::clone(&metrics), ports.clone()).await?;
    let port = webhook.as_ref().map(|webhook| webhook.address);
    tracing::info!(%address, webhook = ?port, namespace = config.namespace.as_deref().unwrap_or("all"), image = config.image, "the operator runs");
    let result = lead(client, config, metrics, webhook.as_ref(), &stop).await;
    if webhook.is_some() && result.is_ok() {
        // The API server may not know yet that this one goes, perhaps with the node that is being drained.
        tokio::time::sleep(LINGER).await;
    }
    ports.cancel();
    result
}

/// Waits for the lease, runs the controllers, and ends when it is told to or when the lease is lost.
async fn lead(
    client: Client,
    config: OperatorConfig,
    metrics: Arc<Metrics>,
    webhook: Option<&WebhookServer>,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    if !config.leader_election {
        return control(client, config, metrics, webhook, stop.clone()).await;
    }
    let mut leadership = Leadership::start(client.clone(), &config).await?;
    if !leadership.acquired(stop).await? {
        leadership.release().await;
        return Ok(());
    }
    tracing::info!(identity = config.identity, "this operator leads");
    metrics.set_leading(true);
    let result = tokio::select! {
        result = control(client, config, Arc::clone(&metrics), webhook, stop.clone()) => result,
        error = leadership.lost() => Err(error.into()),
    };
    metrics.set_leading(false);
    leadership.release().await;
    result
}

/// Runs all controllers until `stop`.
async fn control(
    client: Client,
    config: OperatorConfig,
    metrics: Arc<Metrics>,
    webhook: Option<&WebhookServer>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let scope = Scope { client: client.clone(), namespace: config.namespace.clone() };
    scope.expect::<Cluster>("Cluster").await?;
    scope.expect::<StreamsApp>("StreamsApp").await?;
    scope.expect::<Rebalance>("Rebalance").await?;
    let clusters = scope.controller::<Cluster>();
    let topics = scope.controller::<Topic>();
    let connects = scope.controller::<Connect>();
    let connectors = scope.controller::<Connector>();
    let apps = scope.controller::<StreamsApp>();
    let rebalances = scope.controller::<Rebalance>();
    let known_clusters = clusters.store();
    let brokers = watcher::Config::default().labels(cluster::OWNER_KEY);
    let clusters = scope
        .owning_pods(clusters)
        .watches(scope.api::<Pod>(), brokers.clone(), of_cluster::<Pod>)
        .watches(
            scope.api::<PersistentVolumeClaim>(),
            brokers,
            of_cluster::<PersistentVolumeClaim>,
        );
    let known_topics = topics.store();
    let topics = topics.watches(
        scope.api::<Cluster>(),
        any(),
        on_change(known_topics.clone(), |t: &Topic| &t.spec.cluster_ref.name),
    );
    let known = connects.store();
    let connects = scope.owning_pods(connects).watches(
        scope.api::<Cluster>(),
        any(),
        on_change(known, |c: &Connect| &c.spec.cluster_ref.name),
    );
    let known = connectors.store();
    let connectors = connectors.watches(
        scope.api::<Connect>(),
        any(),
        on_change(known, |c: &Connector| &c.spec.connect_ref.name),
    );
    let known = apps.store();
    let apps = scope
        .owning_pods(apps)
        .watches(
            scope.api::<Cluster>(),
            any(),
            on_change(known.clone(), |a: &StreamsApp| &a.spec.cluster_ref.name),
        )
        .watches(scope.api::<Topic>(), any(), on_topic(known));
    let known = rebalances.store();
    let rebalances = rebalances.watches(
        scope.api::<Cluster>(),
        any(),
        on_change(known, |r: &Rebalance| &r.spec.cluster_ref.name),
    );
    let keep = webhook.map(|webhook| {
        let (place, serving) = (webhook.place.clone(), webhook.serving.clone());
        webhook::keep(client.clone(), place, known_clusters, serving)
    });
    let ctx = Arc::new(Context::new(client, config, metrics, known_topics)?);
    let runs: [std::pin::Pin<Box<dyn Future<Output = ()> + Send>>; 6] = [
        Box::pin(drive::run(clusters, Arc::clone(&ctx), stop.clone())),
        Box::pin(drive::run(topics, Arc::clone(&ctx), stop.clone())),
        Box::pin(drive::run(connects, Arc::clone(&ctx), stop.clone())),
        Box::pin(drive::run(connectors, Arc::clone(&ctx), stop.clone())),
        Box::pin(drive::run(apps, Arc::clone(&ctx), stop.clone())),
        Box::pin(drive::run(rebalances, ctx, stop)),
    ];
    match keep {
        Some(keep) => tokio::select! {
            _ = join_all(runs) => {}
            () = forever(keep) => {}
        },
        None => drop(join_all(runs).await),
    }
    Ok(())
}

/// What ends early must not end the controllers.
async fn forever(task: impl Future<Output = ()>) {
    task.await;
    std::future::pending::<()>().await;
}

/// Where the controllers look.
struct Scope {
    client: Client,
    namespace: Option<String>,
}

fn any() -> watcher::Config {
    watcher::Config::default()
}

type Guarded<K> = DeserializeGuard<K>;

impl Scope {
    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// Fails if the definition of a kind is missing, which a watch would only log.
    async fn expect<K>(&self, kind: &'static str) -> Result<(), RunError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let params = kube::api::ListParams::default().limit(1);
        match self.api::<Guarded<K>>().list(&params).await {
            Ok(_) => Ok(()),
            Err(e) => Err(RunError::Definitions(kind, Box::new(e))),
        }
    }

    fn controller<K>(&self) -> Controller<Guarded<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        Controller::new(self.api::<Guarded<K>>(), any()).trigger_backoff(WatchBackoff::default())
    }

    /// Adds the watches of a kind that owns StatefulSets. Changes of pods show in them.
    fn owning_pods<K>(&self, controller: Controller<Guarded<K>>) -> Controller<Guarded<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let managed = watcher::Config::default().labels(MANAGED_SELECTOR);
        controller
            .owns(self.api::<StatefulSet>(), managed.clone())
            .owns(self.api::<k8s_openapi::api::core::v1::Service>(), managed.clone())
            .owns(self.api::<k8s_openapi::api::core::v1::ConfigMap>(), managed)
    }
}

/// Maps a change of a broker's pod or volume to its cluster. StatefulSets show most of it, but not that a pod has got a
/// node, whose zone it must learn before its container starts, nor that a volume is lost or not wanted any more.
fn of_cluster<K: Resource>(object: K) -> Option<ObjectRef<Guarded<Cluster>>> {
    let metadata = object.meta();
    let name = metadata.labels.as_ref()?.get(cluster::OWNER_KEY)?;
    Some(ObjectRef::new(name).within(metadata.namespace.as_ref()?))
}

/// Maps a change of an object to those that refer to it by name in its namespace.
fn on_change<O, K>(
    store: Store<Guarded<K>>,
    reference: impl Fn(&K) -> &str + Send + Sync + Copy + 'static,
) -> impl Fn(O) -> Vec<ObjectRef<Guarded<K>>> + Send + Sync + 'static
where
    O: Resource<DynamicType = ()>,
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Send + Sync + 'static,
{
    move |changed: O| {
        let (namespace, name) = (changed.namespace(), changed.name_any());
        let state = store.state();
        let refers = |k: &K| k.namespace() == namespace && reference(k) == name;
        let hits = state.iter().filter(|guard| guard.0.as_ref().is_ok_and(refers));
        hits.map(|guard| ObjectRef::from_obj(guard.as_ref())).collect()
    }
}

/// Maps a change of a Topic to the applications that name it.
fn on_topic(
    store: Store<Guarded<StreamsApp>>,
) -> impl Fn(Topic) -> Vec<ObjectRef<Guarded<StreamsApp>>> + Send + Sync + 'static {
    move |topic: Topic| {
        let state = store.state();
        let names = |app: &StreamsApp| {
            app.namespace() == topic.namespace()
                && app.spec.topics().any(|name| name == topic.kafka_name())
        };
        let hits = state.iter().filter(|guard| guard.0.as_ref().is_ok_and(names));
        hits.map(|guard| ObjectRef::from_obj(guard.as_ref())).collect()
    }
}
