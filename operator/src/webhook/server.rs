//! The port that the API server calls. Every operator serves it, leading or not.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use kube::Client;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::configuration::Place;
use super::review::Review;
use crate::config::{OperatorConfig, WebhookConfig};
use crate::eviction::Judge;
use crate::kafka::KafkaClients;
use crate::metrics::Metrics;
use crate::pki::{self, Serving, TlsListener};
use crate::preview::Previewer;

/// Paths of the questions: whether a pod may be evicted, and what an edit would do.
pub(super) const EVICT: &str = "/evict";
pub(super) const PREVIEW: &str = "/preview";
/// How often the certificate is read again while there is none, and afterwards.
const FIRST_READ: Duration = Duration::from_secs(2);
const NEXT_READ: Duration = Duration::from_secs(30);

/// The webhook cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port could not be opened.
    #[error("failed to listen on {address} for the API server's questions")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The HTTP client could not be made.
    #[error("failed to make the HTTP client")]
    Http(#[from] reqwest::Error),
}

/// The running server.
pub(crate) struct WebhookServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// What it serves with.
    pub(crate) serving: Serving,
    /// Where its pieces are.
    pub(crate) place: Place,
}

struct Shared {
    judge: Judge,
    previewer: Previewer,
}

impl WebhookServer {
    /// Opens the port and serves it in the background until `stop`.
    pub(crate) async fn start(
        client: &Client,
        config: &OperatorConfig,
        webhook: &WebhookConfig,
        metrics: Arc<Metrics>,
        stop: CancellationToken,
    ) -> Result<Self, ServerError> {
        let serving = Serving::default();
        let listener = TlsListener::bind(webhook.listen, serving.clone()).await;
        let listener =
            listener.map_err(|source| ServerError::Listen { address: webhook.listen, source })?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let previewer = Previewer {
            client: client.clone(),
            http: http.clone(),
            kafka: KafkaClients::default(),
            default_image: config.image.clone(),
        };
        let kafka = KafkaClients::default();
        let judge = Judge { client: client.clone(), http, kafka, metrics };
        let router = Router::new()
            .route(EVICT, post(evict))
            .route(PREVIEW, post(preview))
            .with_state(Arc::new(Shared { judge, previewer }));
        let place = Place { namespace: config.own_namespace.clone(), name: webhook.name.clone() };
        let address = listener.address();
        tokio::spawn(follow(client.clone(), place.clone(), serving.clone(), stop.clone()));
        tokio::spawn(async move {
            let server =
                axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
            if let Err(error) = server.await {
                tracing::error!(%error, "the webhook's port failed");
            }
        });
        Ok(Self { address, serving, place })
    }
}

/// Reads the certificate that the leader has written.
async fn follow(client: Client, place: Place, serving: Serving, stop: CancellationToken) {
    loop {
        match pki::read(&client, &place.namespace, &place.name).await {
            Ok(Some(material)) => {
                if let Err(error) = serving.set(material) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the webhook's certificate is unusable");
                }
            }
            Ok(None) => tracing::debug!("there is no certificate for the webhook yet"),
            Err(failure) => tracing::warn!(%failure, "the webhook has no certificate"),
        }
        let pause = if serving.is_set() { NEXT_READ } else { FIRST_READ };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn evict(State(shared): State<Arc<Shared>>, Json(review): Json<Review>) -> Json<Value> {
    Json(shared.judge.answer(&review.request).await)
}

async fn preview(State(shared): State<Arc<Shared>>, Json(review): Json<Review>) -> Json<Value> {
    Json(shared.previewer.answer(&review.request).await)
}

#[cfg(test)]
mod tests;
