//! A broker whose disk is gone gets an empty one, by the steps and answers that the operator goes by.

use std::time::Instant;

use protocol::messages::{AddRaftVoterRequest, RemoveRaftVoterRequest};
use protocol::{ErrorCode, Uuid};

use crate::cluster_protocol::{SOON, ask, connect, quorum, topic};
use crate::three::Cluster;

/// Asks for what is on broker 2 until the answer says something.
async fn until_told(cluster: &Cluster, part: &str) {
    let begun = Instant::now();
    loop {
        let (_, body) = ask(cluster, "GET", "/safety/replicas?brokers=2").await;
        if body.contains(part) {
            return;
        }
        assert!(begun.elapsed() < SOON, "{part} is not in {body}");
    }
}

async fn remove_voter(cluster: &Cluster, directory: Uuid) {
    let begun = Instant::now();
    let request =
        RemoveRaftVoterRequest { cluster_id: None, voter_id: 2, voter_directory_id: directory };
    loop {
        let code = connect(cluster, 0).await.call(&request, 0).await.error_code;
        if code == 0 || ErrorCode(code) == ErrorCode::VOTER_NOT_FOUND {
            return;
        }
        assert!(begun.elapsed() < SOON, "{:?}", ErrorCode(code));
    }
}

async fn add_voter(cluster: &Cluster, directory: Uuid) {
    let begun = Instant::now();
    let request = AddRaftVoterRequest {
        voter_id: 2,
        cluster_id: None,
        voter_directory_id: directory,
        ..Default::default()
    };
    loop {
        let code = connect(cluster, 0).await.call(&request, 0).await.error_code;
        if code == 0 || ErrorCode(code) == ErrorCode::DUPLICATE_VOTER {
            return;
        }
        assert!(begun.elapsed() < SOON, "{:?}", ErrorCode(code));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_with_an_empty_disk_joins_anew_and_is_filled() {
    let mut cluster = Cluster::start(3).await;
    topic(&cluster).await;
    let (replicas, _) = quorum(&cluster, 0).await;
    let old = replicas.iter().find(|(id, _)| *id == 2).unwrap().1;
    cluster.kill(2).await;
    until_told(&cluster, r#""behind":1,"sole":0"#).await;
    // With two more there would be nobody who has it.
    let (_, body) = ask(&cluster, "GET", "/safety/replicas?brokers=0,1").await;
    assert!(body.contains(r#""sole":1"#) && body.contains(r#""soleTopics":["t"]"#), "{body}");

    remove_voter(&cluster, old).await;
    cluster.lose_disk(2);
    cluster.come_back(2).await;
    let begun = Instant::now();
    let new = loop {
        let (replicas, _) = quorum(&cluster, 0).await;
        // The old one is listed for some minutes more.
        if let Some(found) = replicas.iter().find(|(id, folder)| *id == 2 && *folder != old) {
            break found.1;
        }
        assert!(begun.elapsed() < SOON, "{replicas:?}");
    };
    add_voter(&cluster, new).await;
    until_told(&cluster, r#""behind":0,"sole":0"#).await;
    let (_, body) = ask(&cluster, "GET", "/safety/restart?brokers=0").await;
    assert!(body.contains(r#""safe":true"#), "{body}");
    cluster.end().await;
}
