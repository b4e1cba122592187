//! An API server for tests: it keeps objects by their path, takes patches as they come, and remembers requests.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use serde_json::{Value, json};

use crate::config::OperatorConfig;
use crate::context::Context;
use crate::metrics::Metrics;

type Objects = BTreeMap<String, Value>;

/// The server's memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeApi {
    objects: Arc<Mutex<Objects>>,
    writes: Arc<Mutex<Vec<String>>>,
}

impl FakeApi {
    /// Starts the server, and gives what a reconcile may use with it.
    pub(crate) async fn start() -> (Self, Context) {
        let api = Self::default();
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        let client = kube::Client::try_from(config).unwrap();
        let (topics, _) = reflector::store::<DeserializeGuard<crds::Topic>>();
        let operator = OperatorConfig {
            image: "vltava:1".into(),
            identity: "test".into(),
            leader_election: false,
            ..OperatorConfig::from_env()
        };
        let context = Context::new(client, operator, Arc::new(Metrics::new()), topics).unwrap();
        (api, context)
    }

    pub(crate) fn put(&self, path: &str, object: Value) {
        self.objects.lock().unwrap().insert(path.to_owned(), object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.objects.lock().unwrap().get(path).cloned()
    }

    /// Paths that were written since the last call, in order, without Events.
    pub(crate) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

async fn answer(State(api): State<FakeApi>, method: Method, uri: Uri, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let json = |value: Value| axum::Json(value).into_response();
    if method == Method::GET {
        return match api.get(&path) {
            Some(object) => json(object),
            None if uri.query().is_some_and(|q| q.contains("labelSelector")) => {
                json(list(&api, &path))
            }
            None => (StatusCode::NOT_FOUND, axum::Json(not_found())).into_response(),
        };
    }
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    if path.contains("/events") {
        return json(sent);
    }
    if method == Method::DELETE {
        api.writes.lock().unwrap().push(format!("DELETE {path}"));
        let gone = api.objects.lock().unwrap().remove(&path);
        return json(gone.unwrap_or_else(not_found));
    }
    let path = match method {
        Method::POST => format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap_or_default()),
        _ => path,
    };
    if method == Method::POST && api.get(&path).is_some() {
        return (StatusCode::CONFLICT, axum::Json(conflict())).into_response();
    }
    api.writes.lock().unwrap().push(path.clone());
    let (key, status) = match path.strip_suffix("/status") {
        Some(key) => (key.to_owned(), sent.get("status").cloned()),
        None => (path, None),
    };
    let mut objects = api.objects.lock().unwrap();
    let object = objects.entry(key).or_insert_with(|| sent.clone());
    match status {
        Some(status) => object["status"] = status,
        None => merge(object, &sent),
    }
    json(object.clone())
}

fn merge(object: &mut Value, sent: &Value) {
    match (object, sent) {
        (Value::Object(object), Value::Object(sent)) => {
            for (key, value) in sent {
                merge(object.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (object, sent) => *object = sent.clone(),
    }
}

fn list(api: &FakeApi, path: &str) -> Value {
    let objects = api.objects.lock().unwrap();
    let prefix = format!("{path}/");
    let items: Vec<_> = objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .map(|(_, o)| o.clone())
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

fn conflict() -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "AlreadyExists", "code": 409, "message": "it exists", "metadata": {}})
}

fn not_found() -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "message": "not found", "metadata": {}})
}
