//! Replication throttles (KIP-73): how many bytes a second replicas that are *not in sync* may take, so that whoever moves
//! partitions does not take the disks and the network away from clients and from replicas that are in sync.
//!
//! What is limited, and how much may go, is decided by [`replica::throttle`].
//!
//! Two limits, each for what this broker sends and for what it takes: Kafka's, for the replicas that
//! `leader.replication.throttled.replicas` and `follower.replication.throttled.replicas` list, and our own
//! `reassignment.replication.throttled.rate`, for replicas that a reassignment is adding, whoever asked for it. A replica
//! under both keeps to both.
//!
//! Departure from Kafka: only the bytes of replicas that are limited count against a rate. (Kafka counts a listed
//! replica's bytes when it is in sync too, so that a topic that is written to faster than the rate starves those that
//! catch up.)

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use quorum::MetadataImage;

use crate::config::Configs;
use crate::metrics::Metrics;

pub(crate) use replica::throttle::{Allowance, Limits, Marks, ThrottledReplicas};
use replica::throttle::{ByteRate, UNLIMITED};

const LEADER_RATE: &str = "leader.replication.throttled.rate";
const FOLLOWER_RATE: &str = "follower.replication.throttled.rate";
const REASSIGNMENT_RATE: &str = "reassignment.replication.throttled.rate";

/// One limit, shared by all partitions.
#[derive(Debug)]
struct Throttle {
    /// Looked at without the lock: without a limit nothing is locked.
    bytes_per_second: AtomicU64,
    rate: Mutex<ByteRate>,
}

impl Throttle {
    fn new() -> Self {
        let rate = Mutex::new(ByteRate::new(UNLIMITED, 0));
        Self { bytes_per_second: AtomicU64::new(UNLIMITED), rate }
    }

    fn set_rate(&self, bytes_per_second: u64, now_ms: u64) {
        if self.bytes_per_second.swap(bytes_per_second, Ordering::AcqRel) != bytes_per_second {
            self.rate.lock().set_rate(bytes_per_second, now_ms);
        }
    }

    fn is_limited(&self) -> bool {
        self.bytes_per_second.load(Ordering::Acquire) < UNLIMITED
    }
}

/// The limits of one direction.
#[derive(Debug)]
pub(crate) struct Direction {
    listed: Throttle,
    adding: Throttle,
    /// Bytes that went under a limit.
    bytes: Counter<u64, AtomicU64>,
    /// Bytes that went to replicas which a reassignment adds, limited or not.
    reassigned: Counter<u64, AtomicU64>,
}

impl Direction {
    fn new(bytes: &Counter<u64, AtomicU64>, reassigned: &Counter<u64, AtomicU64>) -> Self {
        Self {
            listed: Throttle::new(),
            adding: Throttle::new(),
            bytes: bytes.clone(),
            reassigned: reassigned.clone(),
        }
    }

    fn in_force(&self, limits: Limits) -> impl Iterator<Item = &Throttle> {
        let listed = limits.listed.then_some(&self.listed);
        let adding = limits.adding.then_some(&self.adding);
        listed.into_iter().chain(adding).filter(|throttle| throttle.is_limited())
    }

    /// What may go now; the strictest limit counts.
    pub(crate) fn allowance(&self, limits: Limits, now_ms: u64) -> Allowance {
        let mut least = Allowance::Bytes(u64::MAX);
        for throttle in self.in_force(limits) {
            least = least.and(throttle.rate.lock().allowance(now_ms));
        }
        least
    }

    /// So many bytes have gone.
    pub(crate) fn took(&self, limits: Limits, bytes: u64, now_ms: u64) {
        let mut limited = false;
        for throttle in self.in_force(limits) {
            throttle.rate.lock().took(bytes, now_ms);
            limited = true;
        }
        if limited {
            self.bytes.inc_by(bytes);
        }
        if limits.adding {
            self.reassigned.inc_by(bytes);
        }
    }
}

/// All limits of this broker.
#[derive(Debug)]
pub(crate) struct Throttles {
    /// What followers fetch from here.
    pub(crate) sending: Direction,
    /// What is fetched from leaders.
    pub(crate) taking: Direction,
}

impl Throttles {
    /// Bytes under a limit, and those that a reassignment copies, are counted in `metrics`.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let (sent, taken) = (&metrics.reassignment_bytes_out, &metrics.reassignment_bytes_in);
        Self {
            sending: Direction::new(&metrics.throttled_bytes_out, sent),
            taking: Direction::new(&metrics.throttled_bytes_in, taken),
        }
    }

    /// Takes the rates as the image has them.
    pub(crate) fn configure(&self, configs: &Configs, image: &MetadataImage, now_ms: u64) {
        let rate = |key: &str| {
            let text = configs.broker(image, key);
            text.and_then(|text| text.parse().ok()).unwrap_or(UNLIMITED)
        };
        self.sending.listed.set_rate(rate(LEADER_RATE), now_ms);
        self.taking.listed.set_rate(rate(FOLLOWER_RATE), now_ms);
        let adding = rate(REASSIGNMENT_RATE);
        self.sending.adding.set_rate(adding, now_ms);
        self.taking.adding.set_rate(adding, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_limit_counts_and_others_are_left_alone() {
        let direction = Direction::new(&Counter::default(), &Counter::default());
        let (listed, adding) =
            (Limits { listed: true, adding: false }, Limits { listed: false, adding: true });
        let both = Limits { listed: true, adding: true };
        assert_eq!(direction.allowance(both, 5), Allowance::Bytes(u64::MAX));
        direction.took(both, 1_000, 5);
        assert_eq!(direction.bytes.get(), 0, "nothing was limited");
        assert_eq!(direction.reassigned.get(), 1_000, "a reassignment copies, limited or not");
        direction.listed.set_rate(1_000, 0);
        direction.adding.set_rate(100, 0);
        assert_eq!(direction.allowance(listed, 1_000), Allowance::Bytes(1_000));
        assert_eq!(direction.allowance(both, 1_000), Allowance::Bytes(100));
        direction.took(both, 300, 1_000);
        assert_eq!(direction.allowance(listed, 1_000), Allowance::Bytes(700));
        assert!(matches!(direction.allowance(adding, 1_000), Allowance::After(_)));
        assert!(matches!(direction.allowance(both, 1_000), Allowance::After(_)));
        assert_eq!(direction.allowance(Limits::default(), 1_000), Allowance::Bytes(u64::MAX));
        assert_eq!(direction.bytes.get(), 300);
        direction.took(listed, 1, 1_000);
        assert_eq!(direction.reassigned.get(), 1_300);
    }
}
