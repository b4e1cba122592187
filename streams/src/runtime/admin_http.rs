//! `/livez`, `/readyz`, `/metrics`, `/status`.

use super::metrics;
use super::status::{StatusBoard, WorkerState};
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Debug)]
struct Admin {
    application_id: String,
    board: StatusBoard,
}

pub(super) async fn serve(
    listener: TcpListener,
    application_id: String,
    board: StatusBoard,
    stop: CancellationToken,
) {
    let router = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(render))
        .route("/status", get(status))
        .with_state(Arc::new(Admin { application_id, board }));
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the admin server has stopped");
    }
}

/// Fails only when a restart would help.
async fn livez(State(admin): State<Arc<Admin>>) -> Response {
    match admin.board.state() {
        WorkerState::Error => (StatusCode::SERVICE_UNAVAILABLE, "failed\n").into_response(),
        _ => "ok\n".into_response(),
    }
}

/// Ready while it processes.
async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let status = admin.board.snapshot();
    if status.state == WorkerState::Running {
        return "ok\n".into_response();
    }
    let message = status.message.unwrap_or_default();
    let text = format!("{} {message}\n", status.state.name());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn render(State(admin): State<Arc<Admin>>) -> Response {
    let text = metrics::render(&admin.application_id, &admin.board.snapshot());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn status(State(admin): State<Arc<Admin>>) -> Response {
    Json(admin.board.snapshot()).into_response()
}
