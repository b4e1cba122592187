//! DeleteRecords waits for the followers, and for no others.

use std::time::Duration;

use protocol::ErrorCode;
use protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use protocol::messages::{DeleteRecordsRequest, ListOffsetsRequest, MetadataRequest};

use crate::cluster::create;
use crate::support::Conn;
use crate::three::Cluster;

/// Who leads, as a broker knows; asked until it does.
async fn leader(cluster: &Cluster, through: usize) -> usize {
    let request = MetadataRequest { topics: None, ..Default::default() };
    loop {
        let answer = Conn::to(cluster.addrs[through]).await.call(&request, 12).await;
        let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
        if let Some(leader) = partition.and_then(|p| usize::try_from(p.leader_id).ok()) {
            return leader;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Code and low watermark.
async fn delete(
    cluster: &Cluster,
    broker: usize,
    offset: i64,
    timeout_ms: i32,
) -> (ErrorCode, i64) {
    let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset }];
    let topics = vec![DeleteRecordsTopic { name: "t".into(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms };
    let answer = Conn::to(cluster.addrs[broker]).await.call(&request, 2).await;
    let partition = &answer.topics[0].partitions[0];
    (ErrorCode(partition.error_code), partition.low_watermark)
}

/// Where the log starts, as the leader says.
async fn start(cluster: &Cluster, broker: usize) -> i64 {
    use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
    let partition =
        ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: -2 };
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions: vec![partition] }];
    let request = ListOffsetsRequest { replica_id: -1, topics, ..Default::default() };
    let answer = Conn::to(cluster.addrs[broker]).await.call(&request, 7).await;
    answer.topics[0].partitions[0].offset
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_as_deleted_is_gone_whoever_leads_next() {
    let mut cluster = Cluster::start(3).await;
    create(&cluster.client(), "t", 1).await;
    let first = leader(&cluster, 0).await;
    for i in 0..10 {
        let code = Conn::to(cluster.addrs[first]).await.produce("t", 0, &format!("{i}")).await;
        assert_eq!(code, ErrorCode::NONE);
    }
    assert_eq!(delete(&cluster, first, 4, 30_000).await, (ErrorCode::NONE, 4));
    // At once, so that nobody learns of it any more.
    cluster.kill(first).await;
    let other = (first + 1) % 3;
    let next = loop {
        let next = leader(&cluster, other).await;
        if next != first && start(&cluster, next).await >= 0 {
            break next;
        }
    };
    assert_eq!(start(&cluster, next).await, 4);
    // The dead one is not waited for.
    assert_eq!(delete(&cluster, next, 7, 30_000).await, (ErrorCode::NONE, 7));
    cluster.come_back(first).await;
    cluster.end().await;
}
