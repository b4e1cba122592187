//! [`Active`]: the controller while this node leads, and who waits for it.

use std::collections::VecDeque;

use super::io::{ChangeDone, ChangeVotersError};
use super::proposal::{Done, Proposal, ProposeError, Waiter};
use crate::controller::Controller;

/// The most proposals that wait for a new leader's first commit; more are refused.
const MAX_EARLY: usize = 1000;
/// The most proposals that wait to be committed. A leader that has lost its followers notices in seconds.
const MAX_WAITING: usize = 100_000;

/// The leader's part of a node.
#[derive(Debug, Default)]
pub(super) struct Active {
    /// There once the leader's first frame is committed.
    pub(super) controller: Option<Controller>,
    /// Proposals from before that.
    early: Vec<Proposal>,
    /// Who waits, by the offset that must be committed; offsets never fall.
    waiting: VecDeque<(u64, Waiter)>,
    changes: Vec<(u64, ChangeDone)>,
}

impl Active {
    /// Keeps a proposal until the leader may decide; gives it back when there are too many.
    pub(super) fn keep(&mut self, proposal: Proposal) -> Option<Proposal> {
        if self.early.len() >= MAX_EARLY {
            return Some(proposal);
        }
        self.early.push(proposal);
        None
    }

    pub(super) fn take_early(&mut self) -> Vec<Proposal> {
        std::mem::take(&mut self.early)
    }

    /// Whether nobody more may wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    pub(super) fn wait(&mut self, offset: u64, waiter: Waiter) {
        self.waiting.push_back((offset, waiter));
    }

    pub(super) fn wait_for_change(&mut self, offset: u64, done: ChangeDone) {
        self.changes.push((offset, done));
    }

    /// Who waits for no more than `offset`.
    pub(super) fn done_up_to(&mut self, offset: u64) -> Vec<Done> {
        let mut done = Vec::new();
        while let Some((_, waiter)) = self.waiting.pop_front_if(|(at, _)| *at <= offset) {
            done.push(waiter.done(Ok(())));
        }
        for (_, change) in self.changes.extract_if(.., |(at, _)| *at <= offset) {
            done.push(change.later(Ok(())));
        }
        done
    }

    /// The leadership is over: nobody that waits will be answered. `result` is what they are told.
    pub(super) fn end(
        &mut self,
        result: &Result<(), ProposeError>,
        leader: Option<i32>,
    ) -> Vec<Done> {
        self.controller = None;
        let mut done = Vec::new();
        for proposal in self.early.drain(..) {
            done.push(proposal.refuse(ProposeError::NotLeader { leader }));
        }
        for (_, waiter) in self.waiting.drain(..) {
            done.push(waiter.done(result.clone()));
        }
        for (_, change) in self.changes.drain(..) {
            done.push(change.later(Err(ChangeVotersError::Lost)));
        }
        done
    }
}
