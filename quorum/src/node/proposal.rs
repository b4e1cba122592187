//! [`Proposal`]: a command for the active controller, and whom to tell.

use std::fmt;

use thiserror::Error;

use crate::controller::{Command, Controller, Entropy};
use crate::record::MetadataRecord;

/// Why a proposal has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// This node does not lead; nothing was changed.
    #[error("not the active controller")]
    NotLeader {
        /// Who does, when it is known.
        leader: Option<i32>,
    },
    /// The leadership ended before the records were committed: they may come to be, or not.
    #[error("the leadership ended before the change was committed")]
    Lost,
    /// The log could not take the records.
    #[error("{0}")]
    Log(String),
}

type Decided = (Vec<MetadataRecord>, Waiter);

/// A command on its way to the active controller.
pub struct Proposal(Box<dyn Proposed>);

impl Proposal {
    /// A command, and who is told of its answer. `on_done` is called just once, on the node's thread (or where the
    /// [`Done`] is dropped): it must not block.
    pub fn new<C>(
        command: C,
        on_done: impl FnOnce(Result<C::Answer, ProposeError>) + Send + 'static,
    ) -> Proposal
    where
        C: Command + Send + 'static,
        C::Answer: Send + 'static,
    {
        Proposal(Box::new(Typed { command, on_done }))
    }

    pub(super) fn decide(self, controller: &mut Controller, entropy: &mut dyn Entropy) -> Decided {
        self.0.decide(controller, entropy)
    }

    pub(super) fn refuse(self, error: ProposeError) -> Done {
        self.0.waiter().done(Err(error))
    }
}

impl fmt::Debug for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proposal")
    }
}

trait Proposed: Send {
    fn decide(self: Box<Self>, controller: &mut Controller, entropy: &mut dyn Entropy) -> Decided;
    /// For a proposal that is not decided at all.
    fn waiter(self: Box<Self>) -> Waiter;
}

struct Typed<C, F> {
    command: C,
    on_done: F,
}

impl<C, F> Proposed for Typed<C, F>
where
    C: Command + Send,
    C::Answer: Send + 'static,
    F: FnOnce(Result<C::Answer, ProposeError>) + Send + 'static,
{
    fn decide(self: Box<Self>, controller: &mut Controller, entropy: &mut dyn Entropy) -> Decided {
        let decision = controller.decide(self.command, entropy);
        let (answer, on_done) = (decision.answer, self.on_done);
        (decision.records, Waiter::new(move |result| on_done(result.map(|()| answer))))
    }

    fn waiter(self: Box<Self>) -> Waiter {
        let on_done = self.on_done;
        // Nobody says Ok to a proposal that was not decided.
        Waiter::new(move |result| on_done(Err(result.err().unwrap_or(ProposeError::Lost))))
    }
}

/// Who waits for a decision's records to be committed.
pub(super) struct Waiter(Box<dyn FnOnce(Result<(), ProposeError>) + Send>);

impl Waiter {
    pub(super) fn new(f: impl FnOnce(Result<(), ProposeError>) + Send + 'static) -> Self {
        Self(Box::new(f))
    }

    pub(super) fn done(self, result: Result<(), ProposeError>) -> Done {
        Done(Some((self, result)))
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiter")
    }
}

/// A proposal's result on its way to who waits: `on_done` is called by [`Done::call`], or when this is dropped.
///
/// It is an [`super::Output`] of its own so that the image that it speaks of can be published first.
pub struct Done(Option<(Waiter, Result<(), ProposeError>)>);

impl Done {
    /// Calls `on_done`.
    pub fn call(self) {
        drop(self);
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some((waiter, result)) = self.0.take() {
            (waiter.0)(result);
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.0.as_ref().map(|(_, result)| result);
        f.debug_tuple("Done").field(&result).finish()
    }
}
