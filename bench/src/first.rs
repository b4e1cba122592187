//! The first acknowledged record, over a socket of our own: a client that needs a second to start would hide what is
//! measured.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::server::Cluster;
use crate::wire::Wire;

/// How long a broker may take to answer for the first time.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Between two tries; small against what is measured.
const RETRY_DELAY: Duration = Duration::from_millis(2);
/// Refusals of one connection before it is made anew.
const TRIES: usize = 500;

/// Seconds from the start of the processes until a record to a new topic is acknowledged with acks=all; returns once all
/// of them have joined the cluster.
pub(crate) fn acknowledged(cluster: &mut Cluster) -> Result<f64> {
    let ids: Vec<i32> = cluster.servers.iter().map(|server| server.id).collect();
    let taken = until(cluster, |address| {
        let mut wire = Wire::connect(address)?;
        wire.create("first", 1, &ids)?;
        takes(&mut wire, "first", 0)
    })?;
    // Two of three suffice for that; what comes after it means all.
    for server in &cluster.servers {
        while Wire::connect(&server.address).and_then(|mut wire| wire.brokers()).unwrap_or(0)
            < ids.len()
        {
            ensure!(cluster.started.elapsed() < START_TIMEOUT, "a broker has not joined");
            std::thread::sleep(RETRY_DELAY);
        }
    }
    Ok(taken)
}

/// Seconds from the start of the processes until this partition, which exists, takes a record from whoever leads it.
pub(crate) fn acknowledged_again(cluster: &mut Cluster, topic: &str, index: i32) -> Result<f64> {
    until(cluster, |address| {
        let mut wire = Wire::connect(address)?;
        let taken = wire.produce(topic, &[index])?;
        Ok(taken.first().is_some_and(|(_, code)| *code == 0))
    })
}

fn until(cluster: &mut Cluster, attempt: impl Fn(&str) -> Result<bool>) -> Result<f64> {
    loop {
        cluster.check_alive()?;
        for server in &cluster.servers {
            if matches!(attempt(&server.address), Ok(true)) {
                return Ok(cluster.started.elapsed().as_secs_f64());
            }
        }
        let waited = cluster.started.elapsed();
        ensure!(waited < START_TIMEOUT, "no record acknowledged in {START_TIMEOUT:?}");
        std::thread::sleep(RETRY_DELAY);
    }
}

/// Writes one record; false while the broker cannot take it yet.
fn takes(wire: &mut Wire, topic: &str, index: i32) -> Result<bool> {
    // A new topic may not have its leader yet: ask again on the same connection.
    for _ in 0..TRIES {
        match wire.produce(topic, &[index])?.first() {
            Some((_, 0)) => return Ok(true),
            // leader not available, too few replicas in sync (before and after the append)
            Some((_, 5 | 19 | 20)) => std::thread::sleep(RETRY_DELAY),
            // unknown here, or led by another
            Some((_, 3 | 6)) => return Ok(false),
            other => bail!("produce failed: {other:?}"),
        }
    }
    Ok(false)
}
