//! Offsets, shown and edited, of sources and sinks.

use reqwest::Method;
use serde_json::json;

use crate::support::{Platform, append};

#[tokio::test(flavor = "multi_thread")]
async fn a_sources_offsets_are_kafkas_and_can_be_edited_when_it_is_stopped() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\ntwo\n");
    let config = json!({ "connector.class": "FileStreamSource", "file": "in.txt", "topic": "t" });
    platform.put("/connectors/source/config", Some(config)).await;
    platform.until_idle("source").await;
    let path = "/connectors/source/offsets";
    let offset = |position: i64| {
        let partition = json!({ "filename": "in.txt" });
        json!({ "offsets": [{ "partition": partition, "offset": { "position": position } }] })
    };
    assert_eq!(platform.get(path).await, (200, offset(8)));
    let (status, body) = platform.request(Method::PATCH, path, Some(offset(4))).await;
    assert_eq!(status, 400);
    assert!(body["message"].as_str().unwrap().contains("STOPPED"), "{body}");

    assert_eq!(platform.put("/connectors/source/stop", None).await.0, 204);
    platform.until_state("source", None, "STOPPED").await;
    assert_eq!(platform.get("/connectors/source/tasks").await, (200, json!([])));
    let (status, body) = platform.request(Method::PATCH, path, Some(offset(4))).await;
    assert_eq!(status, 200, "{body}");
    platform.put("/connectors/source/resume", None).await;
    let records = platform.records("t", 3).await;
    assert_eq!(records[2].value.as_deref(), Some(&b"two"[..]));

    platform.put("/connectors/source/stop", None).await;
    platform.until_state("source", None, "STOPPED").await;
    assert_eq!(platform.request(Method::DELETE, path, None).await.0, 200);
    assert_eq!(platform.get(path).await, (200, json!({ "offsets": [] })));
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_whose_offsets_are_moved_follows_them() {
    let mut platform = Platform::start().await;
    append(&platform.file("in.txt"), "one\ntwo\n");
    let source = json!({ "connector.class": "FileStreamSource", "file": "in.txt", "topic": "t" });
    platform.put("/connectors/source/config", Some(source)).await;
    let sink = json!({ "connector.class": "FileStreamSink", "file": "out.txt", "topics": "t" });
    platform.put("/connectors/sink/config", Some(sink)).await;
    platform.until_lines("out.txt", &["one", "two"]).await;
    platform.until_idle("sink").await;
    let offset = |offset: i64| {
        let partition = json!({ "kafka_topic": "t", "kafka_partition": 0 });
        json!({ "offsets": [{ "partition": partition, "offset": { "kafka_offset": offset } }] })
    };
    let path = "/connectors/sink/offsets";
    assert_eq!(platform.get(path).await, (200, offset(2)));
    platform.put("/connectors/sink/stop", None).await;
    platform.until_state("sink", None, "STOPPED").await;
    let (status, body) = platform.request(Method::PATCH, path, Some(offset(1))).await;
    assert_eq!(status, 200, "{body}");
    platform.put("/connectors/sink/resume", None).await;
    platform.until_lines("out.txt", &["one", "two", "two"]).await;
    platform.stop_worker().await;
}
