//! What goes wrong, and what becomes of it.

use bytes::Bytes;
use client::{Producer, ProducerConfig, ProducerRecord};
use reqwest::Method;
use serde_json::json;

use crate::support::{Platform, append};

async fn produce(platform: &Platform, topic: &'static str, values: &[&'static str]) {
    let producer = Producer::new(&platform.client(), ProducerConfig::default());
    for value in values {
        let record = ProducerRecord::new(topic, Bytes::from_static(value.as_bytes()));
        producer.send(record).await.unwrap().await.unwrap();
    }
    producer.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_records_go_to_the_dead_letter_topic_and_the_others_on() {
    let mut platform = Platform::start().await;
    let config = json!({
        "connector.class": "FileStreamSink",
        "file": "out.txt",
        "topics": "events",
        "value.converter": "Json",
        "value.converter.schemas.enable": "false",
        "errors.tolerance": "all",
        "errors.deadletterqueue.topic.name": "broken",
        "errors.deadletterqueue.context.headers.enable": "true",
    });
    assert_eq!(platform.put("/connectors/sink/config", Some(config)).await.0, 201);
    produce(&platform, "events", &["1", "no json", "\"two\"", "{"]).await;
    platform.until_lines("out.txt", &["1", "two"]).await;
    platform.until_idle("sink").await;
    let letters = platform.records("broken", 2).await;
    assert_eq!(letters[0].value.as_deref(), Some(&b"no json"[..]));
    assert_eq!(letters[1].value.as_deref(), Some(&b"{"[..]));
    let header = |name: &str| {
        let found = letters[0].headers.iter().find(|(header, _)| *header == name);
        found.and_then(|(_, value)| value.clone())
    };
    assert_eq!(header("__connect.errors.topic").as_deref(), Some(&b"events"[..]));
    assert_eq!(header("__connect.errors.offset").as_deref(), Some(&b"1"[..]));
    assert_eq!(header("__connect.errors.stage").as_deref(), Some(&b"VALUE_CONVERTER"[..]));
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_record_fails_its_task_alone_and_a_restart_after_repair_goes_on() {
    let mut platform = Platform::start().await;
    let config = json!({
        "connector.class": "FileStreamSink",
        "file": "out.txt",
        "topics": "numbers",
        "value.converter": "org.apache.kafka.connect.converters.LongConverter",
    });
    assert_eq!(platform.put("/connectors/sink/config", Some(config.clone())).await.0, 201);
    produce(&platform, "numbers", &["\0\0\0\0\0\0\0\x07", "seven"]).await;
    let task = platform.until_state("sink", Some(0), "FAILED").await;
    let trace = task["trace"].as_str().unwrap();
    assert!(trace.contains("numbers-0 at offset 1"), "{trace}");
    assert_eq!(platform.get("/connectors/sink/tasks/0/status").await.1["state"], "FAILED");
    assert_eq!(platform.get("/health").await.0, 200);

    let mut repaired = config;
    repaired["value.converter"] = json!("String");
    repaired["line.format"] = json!("{offset}");
    assert_eq!(platform.put("/connectors/sink/config", Some(repaired)).await.0, 200);
    platform.until_idle("sink").await;
    let text = std::fs::read_to_string(platform.file("out.txt")).unwrap();
    assert!(text.ends_with("1\n"), "{text}");
    platform.stop_worker().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_told_and_an_unreadable_one_fails_the_task() {
    let mut platform = Platform::start().await;
    let config = json!({ "connector.class": "FileStreamSource", "file": "in.txt", "topic": "t" });
    assert_eq!(platform.put("/connectors/source/config", Some(config)).await.0, 201);
    let told = crate::support::eventually("note", || async {
        let (_, status) = platform.get("/connectors/source/status").await;
        let message = status["tasks"][0]["message"].as_str().map(str::to_owned);
        message.ok_or_else(|| status.to_string())
    })
    .await;
    assert!(told.contains("in.txt, which does not exist"), "{told}");
    let idle = platform.herder().idle("source").await.unwrap();
    assert_eq!(idle, connect::Idle::Busy(told));

    std::fs::create_dir(platform.file("in.txt")).unwrap();
    let task = platform.until_state("source", Some(0), "FAILED").await;
    assert!(task["trace"].as_str().unwrap().contains("in.txt"), "{task}");
    let failed = platform.herder().idle("source").await.unwrap();
    assert!(matches!(failed, connect::Idle::Failed(_)), "{failed:?}");

    std::fs::remove_dir(platform.file("in.txt")).unwrap();
    append(&platform.file("in.txt"), "here\n");
    let restart = "/connectors/source/restart?includeTasks=true&onlyFailed=true";
    let (status, body) = platform.request(Method::POST, restart, None).await;
    assert_eq!((status, &body["name"]), (202, &json!("source")));
    platform.until_idle("source").await;
    assert_eq!(platform.records("t", 1).await[0].value.as_deref(), Some(&b"here"[..]));
    platform.stop_worker().await;
}
