//! Paths, queries and status codes.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::actions::{self, ActionError};
use super::answers::Message;
use super::bandwidth;
use super::questions::{self, NotActive};
use crate::admin::Readiness;
use crate::context::Broker;

/// Brokers that one question may name.
const MAX_BROKERS: usize = 1_000;
/// Replicas that a partition may have.
const MAX_REPLICAS: usize = 1_000;

type Ready = State<Arc<Readiness>>;

/// The paths of this module.
pub(crate) fn router(readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/safety/restart", get(restart))
        .route("/safety/replicas", get(replicas))
        .route("/safety/quorum", get(quorum))
        .route("/safety/drain", post(drain))
        .route("/safety/evacuate", post(evacuate))
        .route("/safety/spread", get(proposal).post(spread))
        .route("/safety/bandwidth", get(bandwidth_now).post(limit_bandwidth))
        .route("/safety/resize", post(resize))
        .route("/safety/stop-moves", post(stop_moves))
        .route("/safety/unregister", post(unregister))
        .with_state(readiness)
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(alias = "broker")]
    brokers: String,
}

#[derive(Debug, Deserialize)]
struct Wish {
    topic: String,
    replicas: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limit {
    bytes_per_second: Option<i64>,
}

impl Named {
    fn ids(&self) -> Result<Vec<i32>, Box<Response>> {
        let ids: Result<Vec<i32>, _> =
            self.brokers.split(',').map(|id| id.trim().parse::<i32>()).collect();
        match ids {
            Ok(ids) if ids.len() <= MAX_BROKERS && ids.iter().all(|id| *id >= 0) => Ok(ids),
            _ => Err(Box::new(message(
                StatusCode::BAD_REQUEST,
                format!("brokers={}: write node ids, separated by commas", self.brokers),
                None,
            ))),
        }
    }
}

fn message(status: StatusCode, message: String, controller: Option<i32>) -> Response {
    (status, Json(Message { message, controller })).into_response()
}

fn not_active(controller: Option<i32>) -> Response {
    let text = "this node is not the active controller, or could not be sure of it";
    message(StatusCode::SERVICE_UNAVAILABLE, text.to_owned(), controller)
}

fn told<T: Serialize>(answer: Result<T, NotActive>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(NotActive(controller)) => not_active(controller),
    }
}

fn done<T: Serialize>(answer: Result<T, ActionError>) -> Response {
    match answer {
        Ok(answer) => Json(answer).into_response(),
        Err(ActionError::NotActive(controller)) => not_active(controller),
        Err(ActionError::Refused(why)) => message(StatusCode::CONFLICT, why, None),
        Err(ActionError::Missing(why)) => message(StatusCode::NOT_FOUND, why, None),
    }
}

/// The broker, once it serves.
fn of(readiness: &Readiness) -> Result<Arc<Broker>, Box<Response>> {
    readiness.broker().ok_or_else(|| Box::new(not_active(None)))
}

/// Runs `$ask` with the broker and the ids of the query.
macro_rules! asked {
    ($readiness:ident, $query:ident, |$broker:ident, $ids:ident| $ask:expr) => {{
        let ($broker, $ids) = match (of(&$readiness), $query.ids()) {
            (Ok(broker), Ok(ids)) => (broker, ids),
            (Err(refusal), _) | (_, Err(refusal)) => return *refusal,
        };
        $ask
    }};
}

async fn restart(State(readiness): Ready, Query(query): Query<Named>) -> Response {
    asked!(readiness, query, |broker, ids| told(questions::restart(&broker, ids).await))
}

async fn replicas(State(readiness): Ready, Query(query): Query<Named>) -> Response {
    asked!(readiness, query, |broker, ids| told(questions::replicas(&broker, &ids).await))
}

async fn quorum(State(readiness): Ready) -> Response {
    match of(&readiness) {
        Ok(broker) => told(questions::quorum(&broker).await),
        Err(refusal) => *refusal,
    }
}

async fn drain(State(readiness): Ready, Query(query): Query<Named>) -> Response {
    asked!(readiness, query, |broker, ids| done(actions::drain(&broker, ids).await))
}

async fn evacuate(State(readiness): Ready, Query(query): Query<Named>) -> Response {
    asked!(readiness, query, |broker, ids| done(actions::move_off(&broker, &ids).await))
}

async fn spread(State(readiness): Ready) -> Response {
    match of(&readiness) {
        Ok(broker) => done(actions::spread_out(&broker).await),
        Err(refusal) => *refusal,
    }
}

async fn proposal(State(readiness): Ready) -> Response {
    match of(&readiness) {
        Ok(broker) => told(questions::proposal(&broker).await),
        Err(refusal) => *refusal,
    }
}

async fn bandwidth_now(State(readiness): Ready) -> Response {
    match of(&readiness) {
        Ok(broker) => told(bandwidth::ask(&broker).await),
        Err(refusal) => *refusal,
    }
}

async fn limit_bandwidth(State(readiness): Ready, Query(limit): Query<Limit>) -> Response {
    if limit.bytes_per_second.is_some_and(|rate| rate < 1) {
        let text = "bytesPerSecond: write at least 1, or leave it out for no limit".to_owned();
        return message(StatusCode::BAD_REQUEST, text, None);
    }
    match of(&readiness) {
        Ok(broker) => done(bandwidth::limit(&broker, limit.bytes_per_second).await),
        Err(refusal) => *refusal,
    }
}

async fn resize(State(readiness): Ready, Query(wish): Query<Wish>) -> Response {
    if !(1..=MAX_REPLICAS).contains(&wish.replicas) {
        let text = format!("replicas={}: write 1 to {MAX_REPLICAS}", wish.replicas);
        return message(StatusCode::BAD_REQUEST, text, None);
    }
    match of(&readiness) {
        Ok(broker) => done(actions::resize_topic(&broker, &wish.topic, wish.replicas).await),
        Err(refusal) => *refusal,
    }
}

async fn stop_moves(State(readiness): Ready, Query(query): Query<Named>) -> Response {
    asked!(readiness, query, |broker, ids| done(actions::stop_moves(&broker, &ids).await))
}

async fn unregister(State(readiness): Ready, Query(query): Query<Named>) -> Response {
    asked!(readiness, query, |broker, ids| match ids.as_slice() {
        [id] => done(actions::unregister(&broker, *id).await),
        _ => message(StatusCode::BAD_REQUEST, "write broker=N, one broker".to_owned(), None),
    })
}
