use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use protocol::ErrorCode;

use crate::wire::*;

/// What a `kill -9` leaves: the files as they are, while the broker still runs.
fn snapshot(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            snapshot(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_restart_resumes_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster_id = None;
    for round in 0..3 {
        let broker = start(dir.path()).await;
        let id = cluster_id.get_or_insert_with(|| broker.cluster_id().to_owned());
        assert_eq!(broker.cluster_id(), id);
        let mut conn = Conn::to(broker.addr()).await;
        if round == 0 {
            conn.create(TOPIC, &[]).await;
        }
        let produced = conn.produce(TOPIC, batch(&[&format!("round {round}")])).await;
        assert_eq!((produced.error_code, produced.base_offset), (0, round));
        let want: Vec<_> = (0..=round).map(|round| format!("round {round}")).collect();
        assert_eq!(conn.values(TOPIC, 0).await, want);
        broker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create(TOPIC, &[("segment.bytes", "1048576")]).await;
    for round in 0..4 {
        for i in 0..50 {
            let value = format!("{} {}", round * 50 + i, "x".repeat(10_000));
            assert_eq!(conn.produce(TOPIC, batch(&[&value])).await.error_code, 0);
        }
        let killed = tempfile::tempdir().unwrap();
        snapshot(dir.path(), killed.path());
        // A torn write at the end of the log, as a crash in the middle of an append leaves it.
        let active = fs::read_dir(killed.path().join("t-0")).unwrap();
        let logs = active.map(|e| e.unwrap().path());
        let last = logs.filter(|p| p.extension().is_some_and(|e| e == "log")).max().unwrap();
        let file = fs::OpenOptions::new().write(true).open(&last).unwrap();
        file.write_all_at(&[7; 300], file.metadata().unwrap().len()).unwrap();

        let restarted = start(killed.path()).await;
        let mut conn = Conn::to(restarted.addr()).await;
        let values = conn.values(TOPIC, 0).await;
        assert_eq!(values.len(), (round + 1) * 50);
        assert!(values.iter().enumerate().all(|(i, v)| v.starts_with(&format!("{i} "))));
        let next = conn.produce(TOPIC, batch(&["after"])).await;
        assert_eq!(next.base_offset as usize, values.len());
    }
}

#[tokio::test]
async fn a_corrupt_segment_takes_its_partition_offline_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    conn.create("bad", &[]).await;
    conn.create("good", &[]).await;
    for topic in ["bad", "good"] {
        for _ in 0..10 {
            conn.produce(topic, batch(&["value"])).await;
        }
    }
    broker.shutdown().await.unwrap();
    let path = dir.path().join("bad-0/00000000000000000000.log");
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(&[99; 40], 100).unwrap();

    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    assert_eq!(conn.fetch("bad", 0).await.error_code, ErrorCode::KAFKA_STORAGE_ERROR.0);
    let refused = conn.produce("bad", batch(&["x"])).await;
    assert_eq!(refused.error_code, ErrorCode::KAFKA_STORAGE_ERROR.0);
    assert_eq!(conn.values("good", 0).await.len(), 10);
    assert_eq!(conn.produce("good", batch(&["x"])).await.base_offset, 10);
}

#[tokio::test]
async fn a_topic_made_anew_is_empty() {
    use protocol::messages::DeleteTopicsRequest;
    let dir = tempfile::tempdir().unwrap();
    let broker = start(dir.path()).await;
    let mut conn = Conn::to(broker.addr()).await;
    for _ in 0..3 {
        conn.create(TOPIC, &[]).await;
        assert_eq!(conn.produce(TOPIC, batch(&["a"])).await.base_offset, 0);
        let request = DeleteTopicsRequest {
            topic_names: vec![TOPIC.into()],
            timeout_ms: LONG_MS,
            ..Default::default()
        };
        assert_eq!(conn.call(4, &request).await.responses[0].error_code, 0);
        let gone = conn.produce(TOPIC, batch(&["a"])).await;
        assert_eq!(gone.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
        assert!(!dir.path().join("t-0").exists());
    }
}
