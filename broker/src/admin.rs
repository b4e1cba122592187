//! The admin port: probes, metrics, and what an operator asks ([`crate::safety`]).
//!
//! | path | 200 means |
//! |---|---|
//! | `/livez` | the process answers |
//! | `/readyz` | registered and unfenced, the logs opened, the metadata applied, the coordinator's state loaded |
//! | `/metrics` | OpenMetrics text |

use std::sync::{Arc, OnceLock, Weak};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::context::Broker;
use crate::metrics::Metrics;
use crate::safety;

/// What the broker has got through of its start.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    broker: OnceLock<Weak<Broker>>,
}

impl Readiness {
    /// The logs are recovered and connections are accepted.
    pub(crate) fn recovered(&self, broker: &Arc<Broker>) {
        // It is called once; a second call would change nothing.
        self.broker.set(Arc::downgrade(broker)).ok();
    }

    /// The broker, once it serves.
    pub(crate) fn broker(&self) -> Option<Arc<Broker>> {
        self.broker.get()?.upgrade()
    }

    fn missing(&self) -> Option<&'static str> {
        match self.broker.get().map(Weak::upgrade) {
            None => Some(
                "the broker has not been admitted to the cluster, or its logs are being recovered",
            ),
            Some(None) => Some("the broker is stopping"),
            Some(Some(broker)) if broker.roles.broker && !broker.groups.is_loaded() => {
                Some("the groups are being loaded")
            }
            Some(Some(_)) => None,
        }
    }
}

/// Serves the admin port until `shutdown`.
pub(crate) async fn serve(
    listener: TcpListener,
    readiness: Arc<Readiness>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
) {
    let safety = safety::router(Arc::clone(&readiness));
    let ready = || async move {
        match readiness.missing() {
            None => (StatusCode::OK, "ok"),
            Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, missing),
        }
    };
    let router = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(encode_metrics).with_state(metrics))
        .merge(safety);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the admin port failed");
    }
}

async fn encode_metrics(State(metrics): State<Arc<Metrics>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
