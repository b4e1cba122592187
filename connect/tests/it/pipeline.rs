//! File → topic → file: following, resuming, pausing, deleting.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Platform, append};

fn source() -> Value {
    json!({ "connector.class": "FileStreamSource", "file": "in.txt", "topic": "lines" })
}

fn sink() -> Value {
    json!({
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector",
        "file": "out.txt",
        "topics": "lines",
        "line.format": "{offset} {value}",
    })
}

async fn with_both(platform: &Platform) {
    for (name, config) in [("source", source()), ("sink", sink())] {
        let body = json!({ "name": name, "config": config });
        let (status, info) = platform.request(Method::POST, "/connectors", Some(body)).await;
        assert_eq!(status, 201, "{info}");
        assert_eq!(info["name"], name);
        assert_eq!(info["type"], name);
    }
}

async fn until_both_idle(platform: &Platform) {
    platform.until_idle("source").await;
    platform.until_idle("sink").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_flow_from_file_to_file_and_appended_ones_follow() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\ntwo\n");
    with_both(&platform).await;
    platform.until_lines("out.txt", &["0 one", "1 two"]).await;
    append(&platform.file("in.txt"), "three\nunfin");
    platform.until_lines("out.txt", &["0 one", "1 two", "2 three"]).await;
    append(&platform.file("in.txt"), "ished\n");
    platform.until_lines("out.txt", &["0 one", "1 two", "2 three", "3 unfinished"]).await;
    until_both_idle(&platform).await;

    let (_, topics) = platform.get("/connectors/source/topics").await;
    assert_eq!(topics, json!({ "source": { "topics": ["lines"] } }));
    let (_, topics) = platform.get("/connectors/sink/topics").await;
    assert_eq!(topics, json!({ "sink": { "topics": ["lines"] } }));
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_starts_again_resumes_where_it_was() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\ntwo\n");
    with_both(&platform).await;
    until_both_idle(&platform).await;
    platform.stop_worker().await;
    append(&platform.file("in.txt"), "three\n");
    platform.start_worker().await;
    platform.until_lines("out.txt", &["0 one", "1 two", "2 three"]).await;
    until_both_idle(&platform).await;
    assert_eq!(platform.records("lines", 3).await.len(), 3);
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_file_arrives_whole_and_in_order() {
    let mut platform = Platform::start().await;
    let lines: Vec<String> = (0..20_000).map(|n| format!("{n} line {n}")).collect();
    let text: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    std::fs::write(platform.file("in.txt"), text).unwrap();
    with_both(&platform).await;
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    platform.until_lines("out.txt", &lines).await;
    until_both_idle(&platform).await;
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_source_reads_nothing_until_it_is_resumed() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\n");
    with_both(&platform).await;
    until_both_idle(&platform).await;
    let (status, _) = platform.put("/connectors/source/pause", None).await;
    assert_eq!(status, 202);
    platform.until_state("source", None, "PAUSED").await;
    platform.until_state("source", Some(0), "PAUSED").await;
    // A poll that had begun before the pause may still end; it ends before the second pause is seen to change nothing.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    append(&platform.file("in.txt"), "two\n");
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    platform.until_lines("out.txt", &["0 one"]).await;
    let (status, _) = platform.put("/connectors/source/resume", None).await;
    assert_eq!(status, 202);
    platform.until_lines("out.txt", &["0 one", "1 two"]).await;
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_connector_is_gone_for_good() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\n");
    with_both(&platform).await;
    until_both_idle(&platform).await;
    let (status, body) = platform.request(Method::DELETE, "/connectors/source", None).await;
    assert_eq!((status, body), (204, Value::Null));
    assert_eq!(platform.get("/connectors").await, (200, json!(["sink"])));
    assert_eq!(platform.get("/connectors/source/status").await.0, 404);
    platform.stop_worker().await;
    platform.start_worker().await;
    assert_eq!(platform.get("/connectors").await, (200, json!(["sink"])));
    platform.until_state("sink", Some(0), "RUNNING").await;
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_is_acted_on() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\n");
    append(&platform.file("other.txt"), "uno\n");
    with_both(&platform).await;
    until_both_idle(&platform).await;
    let mut changed = source();
    changed["file"] = "other.txt".into();
    let (status, info) = platform.put("/connectors/source/config", Some(changed)).await;
    assert_eq!((status, &info["config"]["file"]), (200, &json!("other.txt")));
    platform.until_lines("out.txt", &["0 one", "1 uno"]).await;
    let patch = json!({ "file": "in.txt", "batch.size": 7 });
    let (status, info) =
        platform.request(Method::PATCH, "/connectors/source/config", Some(patch)).await;
    assert_eq!((status, &info["config"]["batch.size"]), (200, &json!("7")));
    append(&platform.file("in.txt"), "two\n");
    // What was read of the first file before is not read again.
    platform.until_lines("out.txt", &["0 one", "1 uno", "2 two"]).await;
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_for_a_while_is_waited_for() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\n");
    with_both(&platform).await;
    until_both_idle(&platform).await;
    platform.stop_broker().await;
    append(&platform.file("in.txt"), "two\n");
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    platform.start_broker().await;
    platform.until_lines("out.txt", &["0 one", "1 two"]).await;
    append(&platform.file("in.txt"), "three\n");
    platform.until_lines("out.txt", &["0 one", "1 two", "2 three"]).await;
    until_both_idle(&platform).await;
    platform.stop_worker().await;
}
