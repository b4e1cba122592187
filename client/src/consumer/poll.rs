//! `poll`: rebalances, errors, records.

use std::time::{Duration, Instant};

use super::partitions::push_limited;
use super::{ConsumeError, Consumer, ConsumerRecord, Rebalance, RebalanceEvent, Shared, State};
use crate::TopicPartition;

/// What `poll` has to do about a rebalance.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    None,
    HandOver,
    Lose,
    Take { ids: Vec<TopicPartition>, lost: bool },
}

impl Rebalance {
    fn step(&self) -> Step {
        match self {
            Self::None => Step::None,
            Self::Wanted(_) | Self::Told(_) => Step::HandOver,
            Self::Lost => Step::Lose,
            Self::Assigned { ids, lost } => Step::Take { ids: ids.clone(), lost: *lost },
        }
    }
}

impl State {
    /// Tells of a revocation by an event.
    fn tell_revocation(&mut self) {
        if let Rebalance::Wanted(done) = std::mem::take(&mut self.rebalance) {
            let ids = self.partitions.ids();
            push_limited(&mut self.events, RebalanceEvent::Revoked(ids));
            self.rebalance = Rebalance::Told(done);
        }
    }

    /// Takes note that a step was done, unless the rebalance has gone on meanwhile.
    fn done_with(&mut self, step: &Step) {
        if self.rebalance.step() != *step {
            return;
        }
        match std::mem::take(&mut self.rebalance) {
            Rebalance::Wanted(done) | Rebalance::Told(done) => {
                // Nobody waits any more if the member was lost meanwhile.
                let _ = done.send(());
            }
            Rebalance::Assigned { ids, .. } if self.listener.is_none() => {
                push_limited(&mut self.events, RebalanceEvent::Assigned(ids));
            }
            _ => {}
        }
    }
}

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
            if shared.closing.is_cancelled() {
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
                () = shared.closing.cancelled() => {}
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
    ///
    /// The future of `poll` may be dropped at any await: what is asked for stays asked for until it is done, so that
    /// the next poll does it (and may tell a listener twice).
    async fn rebalance(&self) -> bool {
        let (step, listener) = {
            let mut state = self.state.lock();
            let has_listener = state.listener.is_some();
            if let Rebalance::Wanted(_) = &state.rebalance
                && !has_listener
            {
                state.tell_revocation();
                return true;
            }
            (state.rebalance.step(), state.listener.clone())
        };
        match step {
            Step::None => {}
            Step::HandOver => {
                self.hand_over().await;
                self.state.lock().done_with(&Step::HandOver);
            }
            Step::Lose => {
                self.lose().await;
                self.state.lock().done_with(&Step::Lose);
            }
            Step::Take { ids, lost } => {
                if lost {
                    self.lose().await;
                }
                self.state.lock().partitions.set(&ids, true);
                if let Some(listener) = listener {
                    listener.assigned(&ids).await;
                }
                self.state.lock().done_with(&Step::Take { ids, lost });
                self.fetch.notify_one();
            }
        }
        false
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
