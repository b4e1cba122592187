//! The door to Connect: its REST API, as Kafka Connect 4 documents it.

use std::collections::BTreeMap;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest error text that is taken from an answer, in characters.
const MAX_ERROR_CHARS: usize = 400;

/// A request to a worker failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestFailure {
    /// The worker refused; trying the same again cannot help.
    #[error("{0}")]
    Refused(String),
    /// It may work later: no answer, or a rebalance (409), or an error of the worker's own.
    #[error("{0}")]
    Later(String),
}

/// `GET /`.
#[derive(Debug, Deserialize)]
pub(crate) struct WorkerInfo {
    pub(crate) version: String,
}

/// `GET /connectors/{name}/status`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ConnectorInfo {
    pub(crate) connector: PartInfo,
    #[serde(default)]
    pub(crate) tasks: Vec<TaskInfo>,
}

/// The connector's own part of its status.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PartInfo {
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) trace: Option<String>,
}

/// A task's part of the status.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TaskInfo {
    pub(crate) id: i32,
    pub(crate) state: String,
    #[serde(default)]
    pub(crate) worker_id: Option<String>,
    #[serde(default)]
    pub(crate) trace: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Explanation {
    #[serde(default)]
    message: String,
}

#[derive(Debug, Serialize)]
struct NewConnector<'a> {
    name: &'a str,
    config: &'a BTreeMap<String, String>,
    initial_state: &'a str,
}

/// The API of all Connects; `url` says which.
#[derive(Clone, Debug)]
pub(crate) struct ConnectRest(Client);

impl ConnectRest {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Whether workers answer, and their version.
    pub(crate) async fn worker(&self, url: &str) -> Result<WorkerInfo, RestFailure> {
        let found = read(self.request(Method::GET, url, "/")).await?;
        found.ok_or_else(|| RestFailure::Later("the worker's root is missing".to_owned()))
    }

    /// A connector's configuration, or `None` if there is none of that name.
    pub(crate) async fn config(
        &self,
        url: &str,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, RestFailure> {
        read(self.request(Method::GET, url, &format!("/connectors/{name}/config"))).await
    }

    /// A connector's status, or `None` if it has none yet.
    pub(crate) async fn status(
        &self,
        url: &str,
        name: &str,
    ) -> Result<Option<ConnectorInfo>, RestFailure> {
        read(self.request(Method::GET, url, &format!("/connectors/{name}/status"))).await
    }

    /// Creates a connector in a state (KIP-980).
    pub(crate) async fn create(
        &self,
        url: &str,
        name: &str,
        config: &BTreeMap<String, String>,
        state: &str,
    ) -> Result<(), RestFailure> {
        let body = NewConnector { name, config, initial_state: state };
        order(self.request(Method::POST, url, "/connectors").json(&body)).await
    }

    /// Replaces a connector's configuration.
    pub(crate) async fn reconfigure(
        &self,
        url: &str,
        name: &str,
        config: &BTreeMap<String, String>,
    ) -> Result<(), RestFailure> {
        order(self.request(Method::PUT, url, &format!("/connectors/{name}/config")).json(config))
            .await
    }

    /// Changes a connector's state: `pause`, `resume` or `stop`.
    pub(crate) async fn turn(&self, url: &str, name: &str, verb: &str) -> Result<(), RestFailure> {
        order(self.request(Method::PUT, url, &format!("/connectors/{name}/{verb}"))).await
    }

    /// Deletes a connector; one that does not exist is deleted already.
    pub(crate) async fn delete(&self, url: &str, name: &str) -> Result<(), RestFailure> {
        let answer =
            send(self.request(Method::DELETE, url, &format!("/connectors/{name}"))).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            Ok(())
        } else {
            check(answer).await.map(|_| ())
        }
    }

    /// Names of objects are DNS labels, so a path needs no escapes.
    fn request(&self, method: Method, url: &str, path: &str) -> RequestBuilder {
        self.0.request(method, format!("{url}{path}"))
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> Result<Option<T>, RestFailure> {
    let answer = send(request).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = check(answer).await?;
    answer
        .json()
        .await
        .map(Some)
        .map_err(|e| RestFailure::Later(format!("the answer does not read: {}", plain(&e))))
}

async fn order(request: RequestBuilder) -> Result<(), RestFailure> {
    check(send(request).await?).await.map(|_| ())
}

async fn send(request: RequestBuilder) -> Result<reqwest::Response, RestFailure> {
    request.send().await.map_err(|e| RestFailure::Later(plain(&e)))
}

async fn check(answer: reqwest::Response) -> Result<reqwest::Response, RestFailure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let body = answer.text().await.unwrap_or_default();
    let said = serde_json::from_str::<Explanation>(&body).map_or(body, |e| e.message);
    let text: String =
        said.trim().lines().collect::<Vec<_>>().join("; ").chars().take(MAX_ERROR_CHARS).collect();
    let text = if text.is_empty() { status.to_string() } else { text };
    let refused = matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
    Err(if refused { RestFailure::Refused(text) } else { RestFailure::Later(text) })
}

/// The innermost cause: what a person can act upon.
fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
