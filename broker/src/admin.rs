//! The admin port: probes and metrics. (The safety API for the operator joins them with replication.)
//!
//! | path | 200 means |
//! |---|---|
//! | `/livez` | the process answers |
//! | `/readyz` | the log is recovered, the metadata applied, the coordinator's state loaded |
//! | `/metrics` | OpenMetrics text |

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::context::Broker;

/// Serves the admin port until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, broker: Arc<Broker>, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(broker);
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { shutdown.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "the admin port failed");
    }
}

/// The port is opened only after recovery, so what may still be missing is the coordinator's state.
async fn ready(State(broker): State<Arc<Broker>>) -> Response {
    if broker.groups.is_loaded() {
        (StatusCode::OK, "ok").into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the group coordinator is loading").into_response()
    }
}

async fn metrics(State(broker): State<Arc<Broker>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match broker.metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
