//! Wakes groups when their deadlines come.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::Str;
use tokio::sync::Notify;

use super::coordinator::{Inner, Slot, SlotState};
use super::waiter::Shard;

/// Deadlines of groups, the earliest first. A deadline that has moved away stays in the queue and wakes for nothing:
/// heartbeats move deadlines all the time, and then nothing has to be done here.
#[derive(Debug, Default)]
pub(super) struct Timer {
    queue: Mutex<BinaryHeap<Reverse<Due>>>,
    changed: Notify,
}

#[derive(Debug)]
struct Due {
    at_ms: u64,
    slot: Weak<Slot>,
    group_id: Str,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.at_ms == other.at_ms
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_ms.cmp(&other.at_ms)
    }
}

impl Timer {
    fn add(&self, due: Due) {
        let mut queue = self.queue.lock();
        let earliest = queue.peek().is_none_or(|Reverse(first)| due.at_ms < first.at_ms);
        queue.push(Reverse(due));
        drop(queue);
        if earliest {
            self.changed.notify_one();
        }
    }

    /// The next that is due, or how long until one is.
    fn next(&self, now_ms: u64) -> Result<Due, Option<Duration>> {
        let mut queue = self.queue.lock();
        match queue.peek() {
            None => Err(None),
            Some(Reverse(first)) if first.at_ms > now_ms => {
                Err(Some(Duration::from_millis(first.at_ms - now_ms)))
            }
            Some(_) => queue.pop().map(|Reverse(due)| due).ok_or(None),
        }
    }
}

impl Inner {
    /// Sees to it that a group is woken in time. Under the shard's lock.
    pub(super) fn schedule(&self, slot: &Arc<Slot>, shard: &mut Shard, group_id: &Str) {
        let Some(cell) = shard.cells.get_mut(group_id) else { return };
        let Some(at_ms) = cell.group.next_deadline() else { return };
        if cell.wake_at.is_none_or(|known| at_ms < known) {
            cell.wake_at = Some(at_ms);
            let slot = Arc::downgrade(slot);
            self.timer.add(Due { at_ms, slot, group_id: cell.group.id().clone() });
        }
    }

    pub(super) async fn wake_groups(self: Arc<Self>) {
        loop {
            match self.timer.next(self.now().monotonic_ms) {
                Ok(due) => self.wake(&due),
                Err(wait) => {
                    let wait = wait.unwrap_or(Duration::from_secs(3600));
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.timer.changed.notified() => {}
                    }
                }
            }
        }
    }

    fn wake(self: &Arc<Self>, due: &Due) {
        let Some(slot) = due.slot.upgrade() else { return };
        let SlotState::Ready(shard) = &mut *slot.state.lock() else { return };
        let Some(cell) = shard.cells.get_mut(&due.group_id) else { return };
        if cell.wake_at != Some(due.at_ms) {
            // An earlier deadline took this one's place; it has scheduled anew.
            return;
        }
        cell.wake_at = None;
        let mut effects = Vec::new();
        cell.group.tick(&self.settings, self.now(), &mut effects);
        self.carry_out(&slot, shard, &due.group_id, effects);
    }
}
