//! What thousands of partitions cost that nobody uses.

use std::fs;

use protocol::ErrorCode;

use crate::support::TestBroker;

const TOPIC: &str = "seldom-used";
const PARTITIONS: i32 = 600;

/// Names of this topic's files that the process has open.
fn open_files() -> Vec<String> {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let names = targets.map(|target| target.to_string_lossy().into_owned());
    names.filter(|name| name.contains(TOPIC)).collect()
}

#[tokio::test]
async fn only_logs_with_records_are_open() {
    let mut broker = TestBroker::start(&[]).await;
    broker.create(&[(TOPIC, PARTITIONS)]).await;
    assert_eq!(open_files(), Vec::<String>::new());
    for round in 1..3 {
        let mut conn = broker.connect().await;
        for partition in (0..PARTITIONS).step_by(30) {
            assert_eq!(conn.produce(TOPIC, partition, "x").await, ErrorCode::NONE);
        }
        let open = open_files();
        let logs = open.iter().filter(|name| name.ends_with(".log")).count();
        assert_eq!((logs, open.len()), (20, 20), "round {round}: {open:?}");
        broker.restart().await;
    }
}
