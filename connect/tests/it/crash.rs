//! Workers that are cut off in the middle of their work.

use std::time::Duration;

use serde_json::json;

use crate::support::{Platform, append};

/// Each of these cuts costs the session timeout of the sink's group.
const CUTS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_loses_nothing_and_its_sink_writes_nothing_twice() {
    let mut platform = Platform::without_worker().await;
    let source = json!({ "connector.class": "FileStreamSource", "file": "in.txt", "topic": "t" });
    let sink = json!({
        "connector.class": "FileStreamSink", "file": "out.txt", "topics": "t",
        "line.format": "{offset} {value}", "consumer.override.session.timeout.ms": "6000",
    });
    let mut written = 0;
    let mut write = |platform: &Platform, count: usize| {
        let lines: String = (written..written + count).map(|n| format!("line {n}\n")).collect();
        append(&platform.file("in.txt"), &lines);
        written += count;
    };
    write(&platform, 500);
    for cut in 0..CUTS {
        platform.start_worker_apart().await;
        platform.put("/connectors/source/config", Some(source.clone())).await;
        platform.put("/connectors/sink/config", Some(sink.clone())).await;
        // Until the sink has written some of this round, and its partition has come to it.
        let seen = std::fs::metadata(platform.file("out.txt")).map_or(0, |file| file.len());
        crate::support::eventually("out.txt grows", || async {
            let length = std::fs::metadata(platform.file("out.txt")).map_or(0, |file| file.len());
            if length > seen { Ok(()) } else { Err(format!("{length} bytes")) }
        })
        .await;
        for _ in 0..20 {
            write(&platform, 50);
            tokio::time::sleep(Duration::from_millis(7 + 3 * cut as u64)).await;
        }
        platform.kill_worker();
        write(&platform, 100);
    }
    platform.start_worker().await;
    platform.until_idle("source").await;
    platform.until_idle("sink").await;
    platform.stop_worker().await;

    let text = std::fs::read_to_string(platform.file("out.txt")).unwrap();
    let lines: Vec<(usize, &str)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(offset, value)| (offset.parse().unwrap(), value))
        .collect();
    // Every record of the topic is there once and in order.
    let offsets: Vec<usize> = lines.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, (0..lines.len()).collect::<Vec<_>>());
    // Every line was read; what the source had not committed it has read again, from a line's start.
    let mut next = 0;
    for (_, value) in &lines {
        let number: usize = value.strip_prefix("line ").unwrap().parse().unwrap();
        assert!(number <= next, "line {next} is missing before line {number}");
        next = next.max(number + 1);
    }
    assert_eq!(next, written);
}
