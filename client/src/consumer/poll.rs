//! `poll`: rebalances, errors, records.

use std::time::{Duration, Instant};

use super::partitions::push_limited;
use super::{ConsumeError, Consumer, ConsumerRecord, Rebalance, RebalanceEvent, Shared};

/// Marks the consumer as polling, which keeps it in its group.
struct InPoll<'a>(&'a Shared);

impl<'a> InPoll<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.state.lock().in_poll = true;
        Self(shared)
    }
}

impl Drop for InPoll<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.in_poll = false;
        state.last_poll = Instant::now();
    }
}

impl Consumer {
    /// Records that have arrived, waiting up to `timeout` for the first; empty when there are none, or when a
    /// rebalance needs the caller's attention ([`Consumer::take_rebalance_events`]).
    pub async fn poll(&self, timeout: Duration) -> Result<Vec<ConsumerRecord>, ConsumeError> {
        let shared = &*self.shared;
        let _one = shared.polling.lock().await;
        let _in_poll = InPoll::begin(shared);
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            if shared.stop.is_cancelled() {
                return Err(ConsumeError::Closed);
            }
            shared.auto_commit().await;
            if shared.rebalance().await {
                return Ok(Vec::new());
            }
            let taken = {
                let mut state = shared.state.lock();
                if let Some(error) = state.errors.pop_front() {
                    return Err(error);
                }
                state.partitions.take_records(shared.config.max_poll_records.max(1), &shared.config)
            };
            let records = taken?;
            if !records.is_empty() {
                shared.fetch.notify_one();
                return Ok(records);
            }
            tokio::select! {
                () = shared.arrived.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(Vec::new()),
            }
        }
    }
}

impl Shared {
    async fn auto_commit(&self) {
        let Some(interval) = self.config.auto_commit_interval_ms else { return };
        if self.coordinator.is_none() {
            return;
        }
        let due = {
            let mut state = self.state.lock();
            let due = state.last_auto_commit.elapsed() >= Duration::from_millis(interval.into());
            if due {
                state.last_auto_commit = Instant::now();
            }
            due
        };
        if due {
            self.commit_positions().await;
        }
    }

    /// Does what a rebalance asks for; true when the caller has to be given a chance to act first.
    async fn rebalance(&self) -> bool {
        let rebalance = std::mem::take(&mut self.state.lock().rebalance);
        match rebalance {
            Rebalance::None => false,
            Rebalance::Wanted(done) if self.state.lock().listener.is_some() => {
                self.hand_over().await;
                let _ = done.send(());
                false
            }
            Rebalance::Wanted(done) => {
                let mut state = self.state.lock();
                let ids = state.partitions.ids();
                push_limited(&mut state.events, RebalanceEvent::Revoked(ids));
                state.rebalance = Rebalance::Told(done);
                true
            }
            Rebalance::Told(done) => {
                self.hand_over().await;
                let _ = done.send(());
                false
            }
            Rebalance::Lost => {
                self.lose().await;
                false
            }
            Rebalance::Assigned { ids, lost } => {
                if lost {
                    self.lose().await;
                }
                let listener = {
                    let mut state = self.state.lock();
                    state.partitions.set(&ids, false);
                    let listener = state.listener.clone();
                    if listener.is_none() {
                        push_limited(&mut state.events, RebalanceEvent::Assigned(ids.clone()));
                    }
                    listener
                };
                if let Some(listener) = listener {
                    listener.assigned(&ids).await;
                }
                self.fetch.notify_one();
                false
            }
        }
    }

    /// Gives the partitions up in order.
    pub(super) async fn hand_over(&self) {
        let (ids, listener) = {
            let state = self.state.lock();
            (state.partitions.ids(), state.listener.clone())
        };
        if let Some(listener) = listener
            && !ids.is_empty()
        {
            listener.revoked(&ids).await;
        }
        if self.config.auto_commit_interval_ms.is_some() {
            self.commit_positions().await;
        }
        self.state.lock().partitions.set(&[], false);
    }

    async fn lose(&self) {
        let (ids, listener) = {
            let mut state = self.state.lock();
            let ids = state.partitions.ids();
            state.partitions.set(&[], false);
            if state.listener.is_none() && !ids.is_empty() {
                push_limited(&mut state.events, RebalanceEvent::Lost(ids.clone()));
            }
            (ids, state.listener.clone())
        };
        if let Some(listener) = listener
            && !ids.is_empty()
        {
            listener.lost(&ids).await;
        }
    }
}
