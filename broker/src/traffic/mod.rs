//! How much is written to and read from each partition that this broker leads: what a balancer plans by.
//!
//! The hot paths only add to two counters of the partition, without a lock or an allocation; [`PartitionTraffic::sample`] makes
//! averages of them every [`SAMPLE_INTERVAL`]. Time is a parameter.
//!
//! Bytes *in* are those of the batches that the leader appends: each follower takes as many. Bytes *out* are what consumers
//! fetch from this replica; what followers fetch follows from the bytes in and is not counted.
//!
//! What is measured is this leadership: it begins anew with each, so that an average is of what the leader sees and not of
//! the time before.

mod meter;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use meter::Meter;
use quorum::balance::Rate;

/// How often averages are brought up to date.
pub(crate) const SAMPLE_INTERVAL: Duration = Duration::from_secs(5);
/// Nothing is said of a leadership that has been measured for a shorter time.
pub(crate) const MIN_MEASURED_MS: u64 = 30_000;

/// One partition's traffic.
#[derive(Debug, Default)]
pub(crate) struct PartitionTraffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    /// Of this leadership. Nobody on a hot path takes the lock.
    meters: Mutex<Option<Meters>>,
}

#[derive(Debug)]
struct Meters {
    since_ms: u64,
    bytes_in: Meter,
    bytes_out: Meter,
    measured_ms: u64,
}

impl PartitionTraffic {
    /// So many bytes of records were appended by the leader.
    pub(crate) fn appended(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes of records were sent to a consumer.
    pub(crate) fn fetched(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Brings the averages up to date; `leads`: whether this replica is the leader. Milliseconds of a clock that never goes
    /// back.
    pub(crate) fn sample(&self, leads: bool, now_ms: u64) {
        let meters = &mut *self.meters.lock();
        if !leads {
            *meters = None;
            return;
        }
        let bytes_in = self.bytes_in.load(Ordering::Relaxed);
        let bytes_out = self.bytes_out.load(Ordering::Relaxed);
        match meters {
            Some(meters) => {
                meters.bytes_in.sample(bytes_in, now_ms);
                meters.bytes_out.sample(bytes_out, now_ms);
                meters.measured_ms = now_ms.saturating_sub(meters.since_ms);
            }
            None => {
                *meters = Some(Meters {
                    since_ms: now_ms,
                    bytes_in: Meter::start(bytes_in, now_ms),
                    bytes_out: Meter::start(bytes_out, now_ms),
                    measured_ms: 0,
                });
            }
        }
    }

    /// The averages; nothing before a leadership of [`MIN_MEASURED_MS`].
    pub(crate) fn rates(&self) -> Option<Rate> {
        let meters = self.meters.lock();
        let meters = meters.as_ref().filter(|meters| meters.measured_ms >= MIN_MEASURED_MS)?;
        Some(Rate {
            bytes_in: meters.bytes_in.per_second(),
            bytes_out: meters.bytes_out.per_second(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leadership_is_told_of_when_it_has_been_measured_for_long_enough() {
        let traffic = PartitionTraffic::default();
        traffic.sample(true, 0);
        for at in 1..=6 {
            assert_eq!(traffic.rates(), None);
            traffic.appended(5_000);
            traffic.fetched(10_000);
            traffic.sample(true, at * 5_000);
        }
        assert_eq!(traffic.rates(), Some(Rate { bytes_in: 1_000, bytes_out: 2_000 }));
    }

    #[test]
    fn another_leadership_is_measured_anew() {
        let traffic = PartitionTraffic::default();
        let lead = |from: u64, bytes: usize| {
            for at in from..=from + 6 {
                traffic.sample(true, at * 5_000);
                traffic.appended(bytes);
            }
        };
        lead(0, 50_000);
        assert_eq!(traffic.rates().map(|rates| rates.bytes_in), Some(10_000));
        traffic.sample(false, 40_000);
        assert_eq!(traffic.rates(), None);
        lead(10, 5_000);
        assert_eq!(traffic.rates().map(|rates| rates.bytes_in), Some(1_000));
    }
}
