//! The REST API's shapes and status codes.

use connect::herder::PutMode;
use connect::{Worker, WorkerConfig};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::Platform;

fn error(code: u16, message: &str) -> (u16, Value) {
    (code, json!({ "error_code": code, "message": message }))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_in_kafkas_shapes() {
    let mut platform = Platform::start().await;
    let (status, root) = platform.get("/").await;
    assert_eq!(status, 200);
    assert_eq!(root["kafka_cluster_id"].as_str().unwrap().len(), 22);
    let (status, health) = platform.get("/health").await;
    assert_eq!((status, &health["status"]), (200, &json!("healthy")));
    assert_eq!(platform.get("/connectors").await, (200, json!([])));

    let config = json!({ "connector.class": "FileStreamSource", "file": "a", "topic": "t" });
    let create = json!({ "name": "a", "config": config, "initial_state": "PAUSED" });
    let (status, info) = platform.request(Method::POST, "/connectors", Some(create.clone())).await;
    assert_eq!(status, 201);
    let mut stored = config.clone();
    stored["name"] = "a".into();
    assert_eq!(info["config"], stored);
    platform.until_state("a", Some(0), "PAUSED").await;
    assert_eq!(
        platform.request(Method::POST, "/connectors", Some(create)).await,
        error(409, "Connector a already exists")
    );
    let again = platform.put("/connectors/a/config", Some(config)).await;
    assert_eq!((again.0, &again.1["tasks"]), (200, &json!([{ "connector": "a", "task": 0 }])));

    let (_, all) = platform.get("/connectors?expand=status&expand=info&expand=x").await;
    assert_eq!(all["a"]["status"]["type"], "source");
    assert_eq!(all["a"]["info"]["config"], stored);
    assert_eq!(platform.get("/connectors/a/config").await, (200, stored));
    let (_, tasks) = platform.get("/connectors/a/tasks").await;
    assert_eq!(tasks[0]["id"], json!({ "connector": "a", "task": 0 }));
    assert_eq!(
        tasks[0]["config"]["task.class"],
        "org.apache.kafka.connect.file.FileStreamSourceTask"
    );
    let (status, _) = platform.request(Method::POST, "/connectors/a/tasks/0/restart", None).await;
    assert_eq!(status, 204);
    assert_eq!(platform.request(Method::POST, "/connectors/a/restart", None).await.0, 204);
    assert_eq!(platform.put("/connectors/a/topics/reset", None).await.0, 200);
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_kafkas_words() {
    let mut platform = Platform::start().await;
    assert_eq!(platform.get("/nowhere").await, error(404, "HTTP 404 Not Found"));
    let wrong_method = platform.request(Method::DELETE, "/connectors", None).await;
    assert_eq!(wrong_method, error(405, "HTTP 405 Method Not Allowed"));
    let missing = error(404, "Connector x not found");
    for (method, path) in [
        (Method::GET, "/connectors/x"),
        (Method::GET, "/connectors/x/config"),
        (Method::GET, "/connectors/x/tasks"),
        (Method::GET, "/connectors/x/topics"),
        (Method::GET, "/connectors/x/offsets"),
        (Method::PUT, "/connectors/x/pause"),
        (Method::PUT, "/connectors/x/stop"),
        (Method::POST, "/connectors/x/restart"),
        (Method::POST, "/connectors/x/tasks/0/restart"),
        (Method::DELETE, "/connectors/x"),
    ] {
        assert_eq!(platform.request(method, path, None).await, missing, "{path}");
    }
    let status = platform.get("/connectors/x/status").await;
    assert_eq!(status, error(404, "No status found for connector x"));

    let bad = json!({ "connector.class": "FileStreamSource", "file": "a" });
    let (status, body) = platform.put("/connectors/x/config", Some(bad)).await;
    assert_eq!(status, 400);
    let message = body["message"].as_str().unwrap();
    assert!(message.starts_with(
        "Connector configuration is invalid and contains the following 1 error(s):\nMissing required configuration \
         \"topic\" which has no default value."
    ));
    let renamed = json!({ "name": "y", "connector.class": "FileStreamSource" });
    let (status, body) = platform.put("/connectors/x/config", Some(renamed)).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().contains("doesn't match"), "{body}");
    for body in [json!([]), json!({ "name": "x" }), json!({ "name": 1, "config": {} })] {
        assert_eq!(platform.request(Method::POST, "/connectors", Some(body)).await.0, 400);
    }
    assert_eq!(platform.get("/connectors").await, (200, json!([])));
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_stored_and_never_shown() {
    let mut platform = Platform::start().await;
    let config = json!({
        "connector.class": "FileStreamSource", "file": "a", "topic": "t",
        "admin.override.sasl.jaas.config": "password=s3cret",
    });
    let (_, info) = platform.put("/connectors/a/config", Some(config.clone())).await;
    assert_eq!(info["config"]["admin.override.sasl.jaas.config"], "[hidden]");
    platform.until_state("a", Some(0), "RUNNING").await;
    let (_, shown) = platform.get("/connectors/a/config").await;
    for path in
        ["/connectors/a", "/connectors/a/tasks", "/connectors?expand=info", "/connectors/a/status"]
    {
        assert!(!platform.get(path).await.1.to_string().contains("s3cret"), "{path}");
    }
    // What was read can be written back without losing the secret: nothing changes.
    let shown: std::collections::BTreeMap<String, String> = serde_json::from_value(shown).unwrap();
    let put =
        platform.herder().put_config("a", shown, PutMode::CreateOrUpdate, None).await.unwrap();
    assert!(!put.changed);
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_and_validation_answer_without_kafka() {
    // Nothing listens on the port of a listener that is gone.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bootstrap = gone.local_addr().unwrap().to_string();
    drop(gone);
    let worker = Worker::start(WorkerConfig::local(&bootstrap, ".")).await.unwrap();
    let base = format!("http://{}", worker.rest_addr());
    let http = reqwest::Client::new();
    let get = async |path: &str| {
        let response = http.get(format!("{base}{path}")).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let (status, health) = get("/health").await;
    assert_eq!((status, &health["status"]), (503, &json!("starting")));
    assert_eq!(get("/connectors").await.0, 503);

    let (_, plugins) = get("/connector-plugins").await;
    let classes: Vec<&str> =
        plugins.as_array().unwrap().iter().map(|p| p["class"].as_str().unwrap()).collect();
    assert_eq!(
        classes,
        [
            "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "org.apache.kafka.connect.file.FileStreamSourceConnector"
        ]
    );
    let (_, all) = get("/connector-plugins?connectorsOnly=false").await;
    assert!(all.as_array().unwrap().iter().any(|plugin| plugin["type"] == "converter"));
    let (_, keys) = get("/connector-plugins/FileStreamSource/config").await;
    let file = keys.as_array().unwrap().iter().find(|key| key["name"] == "file").unwrap();
    assert_eq!((&file["type"], &file["required"]), (&json!("STRING"), &json!(true)));
    assert_eq!(get("/connector-plugins/Nothing/config").await.0, 404);

    let body = json!({ "connector.class": "FileStreamSink", "name": "a", "topics": "t" });
    let url = format!("{base}/connector-plugins/FileStreamSink/config/validate");
    let checked: Value = http.put(url).json(&body).send().await.unwrap().json().await.unwrap();
    assert_eq!(checked["error_count"], 1);
    assert_eq!(checked["name"], "org.apache.kafka.connect.file.FileStreamSinkConnector");
    let infos = checked["configs"].as_array().unwrap();
    let file = infos.iter().find(|info| info["value"]["name"] == "file").unwrap();
    assert_eq!(file["value"]["errors"].as_array().unwrap().len(), 1);
    worker.shutdown().await;
}
