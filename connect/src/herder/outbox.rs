//! Values on their way out, the last one of each key: a queue that is never longer than there are keys.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// What is to be written. Putting never waits.
#[derive(Debug)]
pub struct Outbox<K, V> {
    pending: Mutex<Pending<K, V>>,
    wake: Notify,
}

#[derive(Debug)]
struct Pending<K, V> {
    values: BTreeMap<K, (u64, V)>,
    next: u64,
    closed: bool,
}

impl<K: Ord + Clone, V> Outbox<K, V> {
    pub fn new() -> Outbox<K, V> {
        let pending = Pending { values: BTreeMap::new(), next: 0, closed: false };
        Outbox { pending: Mutex::new(pending), wake: Notify::new() }
    }

    /// Puts a value in; one of the same key that was not taken yet is replaced.
    pub fn put(&self, key: K, value: V) {
        let mut pending = self.pending.lock();
        let number = pending.next;
        pending.next += 1;
        pending.values.insert(key, (number, value));
        self.wake.notify_one();
    }

    /// Nothing more will be put in.
    pub fn close(&self) {
        self.pending.lock().closed = true;
        self.wake.notify_one();
    }

    /// Everything that is in, in the order in which it was put; none once the box is closed and empty. For one taker.
    pub async fn take(&self) -> Option<Vec<(K, V)>> {
        loop {
            {
                let mut pending = self.pending.lock();
                if !pending.values.is_empty() {
                    let values = std::mem::take(&mut pending.values);
                    let mut values: Vec<_> = values.into_iter().collect();
                    values.sort_by_key(|(_, (number, _))| *number);
                    return Some(
                        values.into_iter().map(|(key, (_, value))| (key, value)).collect(),
                    );
                }
                if pending.closed {
                    return None;
                }
            }
            self.wake.notified().await;
        }
    }
}

impl<K: Ord + Clone, V> Default for Outbox<K, V> {
    fn default() -> Self {
        Outbox::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_value_of_each_key_comes_out_in_order() {
        let outbox = Outbox::new();
        outbox.put("b", 1);
        outbox.put("a", 2);
        outbox.put("b", 3);
        assert_eq!(outbox.take().await, Some(vec![("a", 2), ("b", 3)]));
        outbox.put("a", 4);
        outbox.close();
        assert_eq!(outbox.take().await, Some(vec![("a", 4)]));
        assert_eq!(outbox.take().await, None);
    }
}
