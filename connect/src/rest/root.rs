//! `/` and `/health`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::RestError;
use crate::herder::{Herder, HerderError};

/// `ServerInfo`.
pub(super) async fn root(State(herder): State<Herder>) -> Result<Json<Value>, RestError> {
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit": option_env!("VLTAVA_COMMIT").unwrap_or("unknown"),
        "kafka_cluster_id": herder.cluster_id()?,
    })))
}

/// `WorkerStatus` (KIP-1017).
pub(super) async fn health(State(herder): State<Herder>) -> (StatusCode, Json<Value>) {
    let (code, status, message) = match herder.cluster_id() {
        Ok(_) => (
            StatusCode::OK,
            "healthy",
            "Worker has completed startup and is ready to handle requests.".to_owned(),
        ),
        Err(HerderError::Starting(why)) => (StatusCode::SERVICE_UNAVAILABLE, "starting", why),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, "unhealthy", error.to_string()),
    };
    (code, Json(json!({ "status": status, "message": message })))
}
