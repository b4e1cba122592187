//! What runs by the clock: retention, expiry of producers, checkpoints, averages of traffic.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::context::Broker;
use crate::traffic::SAMPLE_INTERVAL;

/// Runs until `shutdown`.
pub(crate) async fn run(broker: Arc<Broker>, shutdown: CancellationToken) {
    let every = |key: &str| {
        // Kafka allows 1 ms; more often than that no check makes sense.
        let period_ms = u64::try_from(broker.configs.static_long(key)).unwrap_or(1).max(1);
        ticks(Duration::from_millis(period_ms))
    };
    let mut retention = every("log.retention.check.interval.ms");
    let mut checkpoint = every("log.flush.offset.checkpoint.interval.ms");
    let mut traffic = ticks(SAMPLE_INTERVAL);
    let mut high_watermarks = every("replica.high.watermark.checkpoint.interval.ms");
    loop {
        let work = tokio::select! {
            _ = retention.tick() => Work::Retention,
            _ = checkpoint.tick() => Work::Checkpoint,
            _ = high_watermarks.tick() => Work::HighWatermarks,
            _ = traffic.tick() => Work::Traffic,
            () = shutdown.cancelled() => return,
        };
        let broker = Arc::clone(&broker);
        // Most read and remove files, and all look at every partition: not on a worker thread.
        let done = tokio::task::spawn_blocking(move || work.run(&broker)).await;
        if let Err(error) = done {
            tracing::error!(%error, "housekeeping failed; it is tried again");
        }
    }
}

fn ticks(period: Duration) -> Interval {
    // Not at once: clients are served already, and may have written what is old by its timestamps.
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Traffic,
    Retention,
    Checkpoint,
    HighWatermarks,
}

impl Work {
    fn run(self, broker: &Broker) {
        match self {
            Self::Traffic => broker.partitions.sample_traffic(broker.clock.monotonic_ms()),
            Self::Retention => {
                let expiration_ms = broker.configs.static_long("producer.id.expiration.ms");
                broker.partitions.clean_up(broker.clock.now_ms(), expiration_ms);
            }
            Self::HighWatermarks => {
                if let Err(error) = broker.partitions.checkpoint_high_watermarks() {
                    tracing::warn!(%error, "failed to write the high watermarks' checkpoint");
                }
            }
            Self::Checkpoint => {
                if let Err(error) = broker.partitions.checkpoint() {
                    tracing::warn!(%error, "failed to write checkpoints; the next start recovers more");
                }
            }
        }
    }
}
