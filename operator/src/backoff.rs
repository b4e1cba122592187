//! How long to wait before a failed object is tried again: longer after each failure, for each object apart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// First wait.
const BASE: Duration = Duration::from_millis(500);
/// Longest wait.
const MAX: Duration = Duration::from_secs(60);
/// Doublings after which the longest wait is surely reached.
const MAX_DOUBLINGS: u32 = 10;
/// Objects remembered at once; one past it is tried again after the first wait.
const MAX_OBJECTS: usize = 100_000;

/// Failures in a row of each object, by its UID.
#[derive(Debug, Default)]
pub(crate) struct Backoff(Mutex<HashMap<String, u32>>);

impl Backoff {
    /// Counts a failure. Returns the failures in a row and the wait, with up to a quarter of jitter.
    pub(crate) fn failed(&self, uid: &str) -> (u32, Duration) {
        let failures = self.count(uid);
        let wait = BASE.saturating_mul(1 << (failures - 1).min(MAX_DOUBLINGS)).min(MAX);
        (failures, wait.mul_f64(1.0 + fastrand::f64() / 4.0))
    }

    /// Forgets an object's failures.
    pub(crate) fn succeeded(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn count(&self, uid: &str) -> u32 {
        let mut map = self.lock();
        if let Some(failures) = map.get_mut(uid) {
            *failures = failures.saturating_add(1);
            return *failures;
        }
        if map.len() < MAX_OBJECTS {
            map.insert(uid.to_owned(), 1);
        }
        1
    }

    /// A panic elsewhere leaves at worst a wrong count behind.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_are_forgotten() {
        let backoff = Backoff::default();
        let (_, first) = backoff.failed("a");
        let (_, second) = backoff.failed("a");
        assert!(first < second);
        let last = (0..100).map(|_| backoff.failed("a").1).last().unwrap();
        assert!(last >= MAX && last <= MAX.mul_f64(1.25));
        assert_eq!(backoff.failed("b").0, 1);
        backoff.succeeded("a");
        assert_eq!(backoff.failed("a").0, 1);
    }
}
