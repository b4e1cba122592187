//! `/connectors`.

use std::collections::HashMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::{RestError, body};
use crate::config::Config;
use crate::config::connector::NAME;
use crate::herder::{
    ConnectorInfo, ConnectorStatus, Herder, Put, PutMode, TargetState, TaskId, TaskInfo, TaskState,
};

type Result<T> = std::result::Result<T, RestError>;

/// All connectors: their names, or with `?expand=status&expand=info` a map of what is asked for.
pub(super) async fn list(
    State(herder): State<Herder>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>> {
    let names = herder.connectors()?;
    let query = query.unwrap_or_default();
    let expand = |what: &str| query.split('&').any(|pair| pair == format!("expand={what}"));
    let (status, info) = (expand("status"), expand("info"));
    if !status && !info {
        return Ok(Json(json!(names)));
    }
    let mut all = Map::new();
    for name in names {
        let mut one = Map::new();
        // A connector may go, or have no status yet, while the list is made.
        if status && let Ok(status) = herder.status(&name) {
            one.insert("status".to_owned(), json!(status));
        }
        if info && let Ok(info) = herder.info(&name) {
            one.insert("info".to_owned(), json!(info));
        }
        all.insert(name, Value::Object(one));
    }
    Ok(Json(Value::Object(all)))
}

/// `{"name":…,"config":{…},"initial_state":"RUNNING"}`.
pub(super) async fn create(State(herder): State<Herder>, body: Bytes) -> Result<Response> {
    let mut request = body::object(&body)?;
    let config = match request.remove("config") {
        Some(Value::Object(config)) => body::config(config)?,
        _ => return Err(RestError::bad_request("the body must have an object 'config'")),
    };
    let name = match request.remove("name") {
        Some(Value::String(name)) => name.trim().to_owned(),
        None | Some(Value::Null) => config.get(NAME).cloned().unwrap_or_default(),
        Some(_) => return Err(RestError::bad_request("the name must be a string")),
    };
    let initial = match request.remove("initial_state") {
        None | Some(Value::Null) => None,
        Some(state) => {
            Some(state.as_str().and_then(TargetState::parse_initial).ok_or_else(|| {
                RestError::bad_request("initial_state must be one of RUNNING, PAUSED and STOPPED")
            })?)
        }
    };
    if request.get("initial_offsets").is_some_and(|offsets| !offsets.is_null()) {
        return Err(RestError::bad_request(
            "initial_offsets are not supported yet: create the connector with initial_state STOPPED and PATCH its \
             offsets",
        ));
    }
    let put = herder.put_config(&name, config, PutMode::Create, initial).await?;
    Ok(created(&put.info))
}

fn created(info: &ConnectorInfo) -> Response {
    let location = format!("/connectors/{}", escape(&info.name));
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(info)).into_response()
}

/// A name as a segment of a path.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}

pub(super) async fn info(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<ConnectorInfo>> {
    Ok(Json(herder.info(&name)?))
}

pub(super) async fn config(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<Config>> {
    Ok(Json(herder.info(&name)?.config))
}

pub(super) async fn put_config(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response> {
    let config = body::config(body::object(&body)?)?;
    Ok(written(herder.put_config(&name, config, PutMode::CreateOrUpdate, None).await?))
}

pub(super) async fn patch_config(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response> {
    let patch = body::patch(body::object(&body)?)?;
    Ok(written(herder.patch_config(&name, patch).await?))
}

fn written(put: Put) -> Response {
    if put.created { created(&put.info) } else { Json(put.info).into_response() }
}

pub(super) async fn delete(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    herder.delete(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn status(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<ConnectorStatus>> {
    Ok(Json(herder.status(&name)?))
}

pub(super) async fn tasks(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<Vec<TaskInfo>>> {
    Ok(Json(herder.tasks(&name)?))
}

/// Removed from Kafka by KIP-970, and kept here for older tools.
pub(super) async fn tasks_config(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let tasks = herder.tasks(&name)?.into_iter();
    let by_name = tasks.map(|task| (format!("{name}-{}", task.id.task), json!(task.config)));
    Ok(Json(Value::Object(by_name.collect())))
}

fn task_id(name: &str, task: &str) -> Result<TaskId> {
    // Kafka's path takes numbers only: anything else is an unknown path.
    match task.parse() {
        Ok(task) => Ok(TaskId::new(name, task)),
        Err(_) => Err(RestError::not_found("HTTP 404 Not Found")),
    }
}

pub(super) async fn task_status(
    State(herder): State<Herder>,
    Path((name, task)): Path<(String, String)>,
) -> Result<Json<TaskState>> {
    Ok(Json(herder.task_status(&task_id(&name, &task)?)?))
}

pub(super) async fn restart_task(
    State(herder): State<Herder>,
    Path((name, task)): Path<(String, String)>,
) -> Result<StatusCode> {
    herder.restart_task(&task_id(&name, &task)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn restart(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<Response> {
    let flag = |key: &str| query.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let (include_tasks, only_failed) = (flag("includeTasks"), flag("onlyFailed"));
    herder.restart(&name, include_tasks, only_failed).await?;
    if !include_tasks && !only_failed {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok((StatusCode::ACCEPTED, Json(herder.status(&name)?)).into_response())
}

pub(super) async fn pause(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    herder.pause(&name).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn resume(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    herder.resume(&name).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(super) async fn stop(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    herder.stop(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn topics(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let topics = herder.topics(&name)?;
    let mut answer = Map::new();
    answer.insert(name, json!({ "topics": topics }));
    Ok(Json(Value::Object(answer)))
}

pub(super) async fn reset_topics(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    herder.reset_topics(&name).await?;
    Ok(StatusCode::OK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_in_locations() {
        assert_eq!(escape("my-source_1.a"), "my-source_1.a");
        assert_eq!(escape("a b/č"), "a%20b%2F%C4%8D");
    }
}
