//! Start, process, stop, start again.

use crate::support::{Cluster, wait_for, word_count, words};
use client::ProducerRecord;
use std::sync::Arc;
use streams::app::AppSpec;
use streams::{Serde, StartError, Value, Worker, WorkerConfig, WorkerState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LINES: [&str; 4] =
    ["Hello Kafka Streams", "All streams lead to Kafka", "Join Kafka Summit", "Русские слова"];

#[tokio::test(flavor = "multi_thread")]
async fn counts_go_on_after_a_restart() {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 2), ("word-counts", 2)]).await;
    let (topology, dir) = (word_count(), tempfile::tempdir().unwrap());
    cluster.produce_lines(&LINES).await;
    let worker = cluster.worker("app", &topology, dir.path()).await;
    worker.caught_up().await.unwrap();
    assert_eq!(cluster.latest("word-counts").await, (words(&LINES), 13));
    let status = worker.status();
    assert_eq!((status.state, status.tasks.len(), status.restarts), (WorkerState::Running, 4, 0));
    assert_eq!((status.processed, status.failed, status.duplicates), (4 + 13, 0, 0));
    worker.shutdown().await;

    let both = [LINES, LINES].concat();
    cluster.produce_lines(&LINES).await;
    let worker = cluster.worker("app", &topology, dir.path()).await;
    worker.caught_up().await.unwrap();
    assert_eq!(cluster.latest("word-counts").await, (words(&both), 26));
    assert_eq!(worker.status().restored, 0, "the local state was whole");
    worker.shutdown().await;

    // Nothing new: what was read before is not taken for unread.
    let worker = cluster.worker("app", &topology, dir.path()).await;
    let known = |s: &streams::WorkerStatus| {
        let mut inputs = s.tasks.iter().flat_map(|task| &task.inputs);
        s.tasks.len() == 4 && inputs.all(|input| input.end >= 0 && input.position == input.end)
    };
    assert_eq!(wait_for(&worker, known).await.lag, 0);
    worker.shutdown().await;

    // A lost volume: everything comes out of the changelog, and nothing is counted again.
    let other = tempfile::tempdir().unwrap();
    cluster.produce_lines(&["streams"]).await;
    let worker = cluster.worker("app", &topology, other.path()).await;
    wait_for(&worker, |status| status.state == WorkerState::Running).await;
    worker.caught_up().await.unwrap();
    let expected = words(&[&both[..], &["streams"]].concat());
    assert_eq!(cluster.latest("word-counts").await, (expected, 27));
    assert!(worker.status().restored > 0);
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_the_partitions() {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 4), ("word-counts", 1)]).await;
    let topology = word_count();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    cluster.produce_lines(&LINES).await;
    let first = cluster.worker("app", &topology, dirs[0].path()).await;
    wait_for(&first, |status| status.tasks.len() == 8).await;
    let second = cluster.worker("app", &topology, dirs[1].path()).await;
    wait_for(&second, |status| status.tasks.len() == 4).await;
    wait_for(&first, |status| status.tasks.len() == 4).await;
    for _ in 0..20 {
        cluster.produce_lines(&LINES).await;
    }
    first.caught_up().await.unwrap();
    let all: Vec<&str> = (0..21).flat_map(|_| LINES).collect();
    assert_eq!(cluster.latest("word-counts").await.0, words(&all));
    first.shutdown().await;
    second.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_waited_for_and_named() {
    let cluster = Cluster::start().await;
    let (topology, dir) = (word_count(), tempfile::tempdir().unwrap());
    let worker = cluster.worker("app", &topology, dir.path()).await;
    let status =
        wait_for(&worker, |s| s.message.as_ref().is_some_and(|m| m.contains("waiting"))).await;
    assert_eq!(
        status.message.as_deref(),
        Some(
            "waiting for the topics `lines`, which the app reads and `word-counts`, which the app writes: create them"
        )
    );
    let (code, body) = get(&worker, "/readyz").await;
    assert!(code == 503 && body.contains("CREATED waiting for"), "{code} {body}");
    cluster.create(&[("lines", 1), ("word-counts", 1)]).await;
    cluster.produce_lines(&["a b a"]).await;
    worker.caught_up().await.unwrap();
    assert_eq!(cluster.latest("word-counts").await, (words(&["a b a"]), 3));
    assert_eq!(get(&worker, "/readyz").await.0, 200);
    assert_eq!(get(&worker, "/livez").await.0, 200);
    let (_, metrics) = get(&worker, "/metrics").await;
    assert!(metrics.contains("vltava_streams_state{app=\"app\",state=\"RUNNING\"} 1"), "{metrics}");
    let (_, status) = get(&worker, "/status").await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (status["state"].as_str(), status["tasks"][0]["id"].as_str()),
        (Some("RUNNING"), Some("0_0"))
    );
    // An internal topic has Kafka's name and configs.
    let topics = cluster.admin.list_topics().await.unwrap();
    let names: Vec<&str> =
        topics.iter().filter(|t| !t.is_internal).map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["app-by-word-repartition", "app-counts-changelog", "lines", "word-counts"]);
    worker.shutdown().await;
    cluster.shutdown().await;
}

async fn get(worker: &streams::WorkerHandle, path: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(worker.admin_addr().unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn app(path: &str) -> AppSpec {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path);
    let text = std::fs::read_to_string(path).unwrap();
    let object: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    serde_json::from_value(object["spec"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_per_region_follows_moves() {
    let cluster = Cluster::start().await;
    cluster.create(&[("moves", 1), ("user-regions", 3), ("users-per-region", 2)]).await;
    let moves = ["alice asia", "bob europe", "not a move at all", "alice europe", "bob asia"];
    cluster.produce(moves.iter().map(|m| ProducerRecord::new("moves", *m)).collect()).await;
    let topology = Arc::new(streams::app::compile(&app("users-per-region/app.yaml")).unwrap());
    let dir = tempfile::tempdir().unwrap();
    let worker = cluster.worker("users-per-region", &topology, dir.path()).await;
    worker.caught_up().await.unwrap();
    let (latest, _) = cluster.latest("users-per-region").await;
    assert_eq!(latest, [("asia".to_owned(), 1), ("europe".to_owned(), 1)].into());
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_record_becomes_a_dead_letter_and_the_next_is_processed() {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 1), ("word-counts", 1)]).await;
    let mut spec = app("wordcount/app.yaml");
    spec.processing =
        serde_json::from_value(serde_json::json!({"deadLetterTopic": "broken"})).unwrap();
    let topology = Arc::new(streams::app::compile(&spec).unwrap());
    let bad = ProducerRecord::new("lines", &b"\xff\xfe"[..]).with_key("k");
    cluster.produce(vec![bad]).await;
    cluster.produce_lines(&["fine fine"]).await;
    let dir = tempfile::tempdir().unwrap();
    let worker = cluster.worker("word-count", &topology, dir.path()).await;
    worker.caught_up().await.unwrap();
    assert_eq!(cluster.latest("word-counts").await, (words(&["fine fine"]), 2));
    let status = worker.status();
    assert_eq!((status.failed, status.restarts), (1, 0));
    let letters = cluster.read("broken").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].value.as_deref(), Some(&b"\xff\xfe"[..]));
    let header = |name: &str| {
        let found = letters[0].headers.iter().find(|(n, _)| n.as_str() == name);
        String::from_utf8(found.unwrap().1.clone().unwrap().to_vec()).unwrap()
    };
    assert_eq!(
        (header("__streams.errors.topic"), header("__streams.errors.offset")),
        ("lines".into(), "0".into())
    );
    assert!(header("__streams.errors.message").contains("not UTF-8"));
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_what_kafka_writes() {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 1), ("word-counts", 1)]).await;
    cluster.produce_lines(&["Vltava"]).await;
    let (topology, dir) = (word_count(), tempfile::tempdir().unwrap());
    let worker = cluster.worker("app", &topology, dir.path()).await;
    worker.caught_up().await.unwrap();
    let counts = cluster.read("word-counts").await;
    assert_eq!(counts[0].key.as_deref(), Some(&b"vltava"[..]));
    assert_eq!(counts[0].value.as_deref(), Some(&[0, 0, 0, 0, 0, 0, 0, 1][..]));
    assert!(counts[0].headers.is_empty(), "{:?}", counts[0].headers);
    let changelog = cluster.read("app-counts-changelog").await;
    assert_eq!(Serde::Long.read(changelog[0].value.as_ref()), Ok(Value::Int(1)));
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_start_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let config = |bootstrap: &str, app: &str| WorkerConfig {
        bootstrap: bootstrap.to_owned(),
        application_id: app.to_owned(),
        state_dir: dir.path().join("state"),
        topology: word_count(),
        commit_interval_ms: 100,
        admin_listen: None,
    };
    let error = Worker::start(config("nowhere", "app")).await.unwrap_err();
    assert!(matches!(error, StartError::Bootstrap(_)), "{error}");
    let error = Worker::start(config("127.0.0.1:1", "no spaces")).await.unwrap_err();
    assert!(matches!(error, StartError::ApplicationId(_)), "{error}");
    // No broker is there: the worker starts and waits.
    let worker = Worker::start(config("127.0.0.1:1", "app")).await.unwrap();
    let error = Worker::start(config("127.0.0.1:1", "app")).await.unwrap_err();
    assert!(matches!(error, StartError::StateInUse { .. }), "{error}");
    worker.shutdown().await;
    // The directory is free again.
    Worker::start(config("127.0.0.1:1", "app")).await.unwrap().shutdown().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = WorkerConfig {
        admin_listen: Some(listener.local_addr().unwrap()),
        ..config("127.0.0.1:1", "app")
    };
    let error = Worker::start(taken).await.unwrap_err();
    assert!(matches!(error, StartError::AdminListen { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_topology_keeps_the_state_of_its_names() {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 1), ("more-lines", 2), ("word-counts", 1), ("long-words", 1)]).await;
    let dir = tempfile::tempdir().unwrap();
    cluster.produce_lines(&["river river sea"]).await;
    let worker = cluster.worker("app", &word_count(), dir.path()).await;
    worker.caught_up().await.unwrap();
    worker.shutdown().await;

    // Another source in front, another count behind: subtopologies are renumbered, and the topics read are others.
    let builder = streams::StreamsBuilder::new();
    builder
        .stream::<Option<String>, String>("more-lines")
        .filter(|_, word: &String| word.len() > 4)
        .group_by("by-long-word", |_, word: String| (word.clone(), word))
        .count("long-counts")
        .to_stream()
        .to("long-words");
    builder
        .stream::<Option<String>, String>("lines")
        .flat_map_values(|line: String| {
            line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>()
        })
        .group_by("by-word", |_, word: String| (word.clone(), word))
        .count("counts")
        .to_stream()
        .to("word-counts");
    let topology = Arc::new(builder.build().unwrap());
    cluster.produce_lines(&["river"]).await;
    cluster.produce(vec![ProducerRecord::new("more-lines", "mountain")]).await;
    let worker = cluster.worker("app", &topology, dir.path()).await;
    worker.caught_up().await.unwrap();
    let (counts, _) = cluster.latest("word-counts").await;
    assert_eq!(counts, words(&["river river sea river"]));
    assert_eq!(cluster.latest("long-words").await.0, words(&["mountain"]));
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_may_restart_under_the_worker() {
    let mut cluster = Cluster::start().await;
    cluster.create(&[("lines", 2), ("word-counts", 2)]).await;
    let dir = tempfile::tempdir().unwrap();
    cluster.produce_lines(&LINES).await;
    let worker = cluster.worker("app", &word_count(), dir.path()).await;
    worker.caught_up().await.unwrap();
    for _ in 0..2 {
        cluster.restart().await;
        cluster.produce_lines(&LINES).await;
    }
    worker.caught_up().await.unwrap();
    assert_eq!(cluster.latest("word-counts").await.0, words(&[LINES, LINES, LINES].concat()));
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_stops_though_the_broker_is_gone() {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 1), ("word-counts", 1)]).await;
    let dir = tempfile::tempdir().unwrap();
    cluster.produce_lines(&LINES).await;
    let worker = cluster.worker("app", &word_count(), dir.path()).await;
    worker.caught_up().await.unwrap();
    cluster.shutdown().await;
    worker.shutdown().await;
}
