//! How long a controller waits after one of its watches has failed.
//!
//! kube's own ([`kube::runtime::watcher::DefaultBackoff`]) grows to half a minute, and while it waits *none* of a
//! controller's watches is read. After the API server was away each of them fails once or twice more ("too old resource
//! version"), one after the other, and the operator is blind for minutes. One failed request in this time from each
//! controller is no burden for any API server.

use std::time::Duration;

use kube::runtime::utils::Backoff;

/// First wait.
const MIN: Duration = Duration::from_millis(250);
/// Longest wait.
const MAX: Duration = Duration::from_secs(2);

/// Doubles from [`MIN`] to [`MAX`] while watches fail, with up to a quarter of jitter.
#[derive(Debug)]
pub(crate) struct WatchBackoff(Duration);

impl Default for WatchBackoff {
    fn default() -> Self {
        Self(MIN)
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = wait.saturating_mul(2).min(MAX);
        Some(wait.mul_f64(1.0 + fastrand::f64() / 4.0))
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_seconds_and_never_ends() {
        let mut backoff = WatchBackoff::default();
        let waits: Vec<Duration> = backoff.by_ref().take(1_000).collect();
        assert!(waits[0] < Duration::from_millis(313), "{:?}", waits[0]);
        assert!(waits.iter().all(|wait| *wait <= MAX + MAX / 4));
        assert!(waits[999] >= MAX);
        backoff.reset();
        assert!(backoff.next().is_some_and(|wait| wait < Duration::from_millis(313)));
    }
}
