//! What the active controller's node does by the clock: fences brokers that are silent, brings leaders back to where they
//! belong.

use std::sync::Arc;
use std::time::Duration;

use quorum::controller::{BalanceLeaders, FenceSilentBrokers};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::context::Broker;

/// How much later than its session's end a silent broker is fenced at most.
const FENCE_INTERVAL: Duration = Duration::from_millis(100);

/// Runs until `stop`; does nothing while another node leads.
pub(crate) async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = forever(&broker) => {}
    }
}

async fn forever(broker: &Broker) {
    let configs = &broker.configs;
    let balance = configs.static_bool("auto.leader.rebalance.enable");
    let seconds = configs.static_long("leader.imbalance.check.interval.seconds");
    let interval = Duration::from_secs(u64::try_from(seconds).unwrap_or(0).max(1));
    let mut balanced = Instant::now();
    loop {
        sleep(FENCE_INTERVAL).await;
        if !broker.quorum.leads() {
            balanced = Instant::now();
            continue;
        }
        let now_ms = broker.clock.monotonic_ms();
        // The leadership may have ended meanwhile; its successor does this as well.
        if let Ok(fenced) = broker.controller.submit_for_others(FenceSilentBrokers { now_ms }).await
            && !fenced.is_empty()
        {
            tracing::warn!(brokers = ?fenced, "fenced brokers that were not heard of");
        }
        if balance && balanced.elapsed() >= interval {
            balanced = Instant::now();
            if let Ok(moved @ 1..) = broker.controller.submit_for_others(BalanceLeaders).await {
                tracing::info!(partitions = moved, "gave leaderships back to preferred replicas");
            }
        }
    }
}
