//! Runs [`QuorumNode`] on a thread of its own: feeds it what comes, does what it says, in its order.
//!
//! The node decides and writes to the disk; here are the clock, the channel to others and the waiting. Inputs that have
//! come together share one sync of the disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use quorum::controller::Command;
use quorum::node::{
    ChangeDone, ChangeVotersError, Input, Output, Proposal, ProposeError, QuorumNode, QuorumStatus,
    VoterChange,
};
use quorum::raft::{Request, Response};
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::messages::Messenger;
use super::metadata::NewestImage;
use crate::context::Clock;
use crate::entropy::SystemEntropy;

/// Inputs that are handed to the node at once: bounds the frame's size and how long the others wait.
const MAX_BATCH: usize = 1_000;
/// Longest sleep, so that a jump of the deadline cannot make the thread deaf.
const MAX_SLEEP: Duration = Duration::from_secs(1);
/// Requests of other nodes that wait for their answer; more are pruned of those that nobody waits for any more.
const PRUNE_ABOVE: usize = 1_000;

/// Why a command was not carried out, although it may have been a good one.
#[derive(Debug, Clone, Error)]
pub(crate) enum SubmitError {
    /// This node is not the active controller, or has ceased to be while the command waited.
    #[error(transparent)]
    Quorum(#[from] ProposeError),
    /// The broker is stopping, or its metadata log failed.
    #[error("the broker is stopping")]
    Stopping,
}

/// Who leads the quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct QuorumLeader {
    pub(crate) node_id: Option<i32>,
    pub(crate) epoch: i32,
}

enum Event {
    Input(Input),
    Message { from: i32, request: Request, reply: oneshot::Sender<Response> },
    Status(oneshot::Sender<QuorumStatus>),
    Stop,
}

/// How the rest of the broker talks to the node; clones share it.
#[derive(Clone)]
pub(crate) struct QuorumHandle {
    node_id: i32,
    events: mpsc::Sender<Event>,
    leader: watch::Receiver<QuorumLeader>,
    /// Offset of the newest image that was given to [`NewestImage`].
    committed: Arc<AtomicU64>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for QuorumHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuorumHandle").field("leader", &*self.leader.borrow()).finish()
    }
}

impl QuorumHandle {
    /// Has a command decided, if this node is the active controller. Answered once the records are committed. The
    /// second value is how much metadata the answer rests on: an image at least that new shows what was done.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn propose<C>(&self, command: C) -> Result<(C::Answer, u64), SubmitError>
    where
        C: Command + Send + 'static,
        C::Answer: Send + 'static,
    {
        let (done, answered) = oneshot::channel();
        // Nobody listens any more when the request was given up: that is no failure.
        let proposal = Proposal::new(command, move |answer| drop(done.send(answer)));
        self.send(Event::Input(Input::Propose(proposal)))?;
        let answer = answered.await.map_err(|_| SubmitError::Stopping)??;
        Ok((answer, self.committed.load(Ordering::Acquire)))
    }

    /// Adds or removes a voter, if this node leads.
    ///
    /// # Errors
    /// `None` when the broker is stopping.
    pub(crate) async fn change_voters(
        &self,
        change: VoterChange,
    ) -> Result<(), Option<ChangeVotersError>> {
        let (done, changed) = oneshot::channel();
        let done = ChangeDone::new(move |result| drop(done.send(result)));
        self.send(Event::Input(Input::ChangeVoters { change, done })).map_err(|_| None)?;
        changed.await.map_err(|_| None)?.map_err(Some)
    }

    /// Hands another node's message in; `None` when it will not be answered.
    pub(crate) async fn message(&self, from: i32, request: Request) -> Option<Response> {
        let (reply, answered) = oneshot::channel();
        self.send(Event::Message { from, request, reply }).ok()?;
        answered.await.ok()
    }

    /// What DescribeQuorum tells.
    pub(crate) async fn status(&self) -> Option<QuorumStatus> {
        let (reply, answered) = oneshot::channel();
        self.send(Event::Status(reply)).ok()?;
        answered.await.ok()
    }

    /// Who leads, as far as is known here.
    pub(crate) fn leader(&self) -> QuorumLeader {
        *self.leader.borrow()
    }

    /// Tells whenever another leads.
    pub(crate) fn leader_changes(&self) -> watch::Receiver<QuorumLeader> {
        self.leader.clone()
    }

    /// Waits until a leader is known here.
    pub(crate) async fn wait_for_leader(&self) {
        let mut leader = self.leader.clone();
        // Without its sender there will be none.
        leader.wait_for(|leader| leader.node_id.is_some()).await.ok();
    }

    /// Whether this node leads.
    pub(crate) fn leads(&self) -> bool {
        self.leader().node_id == Some(self.node_id)
    }

    /// If this node leads, hands over to the voter that is furthest.
    pub(crate) fn resign(&self) {
        // A node that has stopped does not lead.
        self.send(Event::Input(Input::Resign)).ok();
    }

    /// Ends the thread and waits for that; the log is closed then. Blocks.
    pub(crate) fn stop(&self) {
        self.send(Event::Stop).ok();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the metadata quorum's thread has panicked");
        }
    }

    fn send(&self, event: Event) -> Result<(), SubmitError> {
        self.events.send(event).map_err(|_| SubmitError::Stopping)
    }
}

/// What the thread works with.
pub(crate) struct QuorumThread {
    pub(crate) node: QuorumNode,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) messenger: Messenger,
    pub(crate) newest: Arc<NewestImage>,
    /// Told when the node cannot go on.
    pub(crate) failed: Arc<watch::Sender<Option<String>>>,
}

impl QuorumThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system refuses one.
    pub(crate) fn start(self, node_id: i32) -> std::io::Result<QuorumHandle> {
        let (events, received) = mpsc::channel();
        let (leader, leader_changes) = watch::channel(QuorumLeader::default());
        let committed = Arc::new(AtomicU64::new(self.node.image().offset()));
        let running = Running {
            parts: self,
            events: events.clone(),
            leader,
            committed: Arc::clone(&committed),
            waiting: HashMap::new(),
            next_id: 0,
        };
        let thread = std::thread::Builder::new()
            .name("quorum".to_owned())
            .spawn(move || running.run(&received))?;
        let thread = Arc::new(Mutex::new(Some(thread)));
        Ok(QuorumHandle { node_id, events, leader: leader_changes, committed, thread })
    }
}

struct Running {
    parts: QuorumThread,
    events: mpsc::Sender<Event>,
    leader: watch::Sender<QuorumLeader>,
    committed: Arc<AtomicU64>,
    /// Other nodes' requests, by the id that they were handed in with.
    waiting: HashMap<u64, oneshot::Sender<Response>>,
    next_id: u64,
}

impl Running {
    fn run(mut self, received: &mpsc::Receiver<Event>) {
        self.parts.newest.set(Arc::clone(self.parts.node.image()));
        loop {
            let until = self.parts.node.deadline_ms().saturating_sub(self.now_ms());
            let until = Duration::from_millis(until).min(MAX_SLEEP);
            let mut inputs = Vec::new();
            match received.recv_timeout(until) {
                Ok(event) => {
                    let more = received.try_iter().take(MAX_BATCH);
                    for event in std::iter::once(event).chain(more) {
                        if self.take(event, &mut inputs).is_break() {
                            return;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if inputs.is_empty() {
                inputs.push(Input::Tick);
            }
            let now_ms = self.now_ms();
            match self.parts.node.handle_all(now_ms, inputs, &mut SystemEntropy) {
                Ok(outputs) => outputs.into_iter().for_each(|output| self.perform(output)),
                Err(error) => {
                    tracing::error!("the metadata quorum cannot go on: {error}");
                    self.leader.send_replace(QuorumLeader::default());
                    self.parts.failed.send_replace(Some(error.to_string()));
                    return;
                }
            }
        }
    }

    fn now_ms(&self) -> u64 {
        self.parts.clock.monotonic_ms()
    }

    fn take(&mut self, event: Event, inputs: &mut Vec<Input>) -> std::ops::ControlFlow<()> {
        match event {
            Event::Input(input) => inputs.push(input),
            Event::Message { from, request, reply } => {
                if self.waiting.len() >= PRUNE_ABOVE {
                    self.waiting.retain(|_, reply| !reply.is_closed());
                }
                self.next_id += 1;
                self.waiting.insert(self.next_id, reply);
                inputs.push(Input::Request { from, id: self.next_id, request });
            }
            Event::Status(reply) => drop(reply.send(self.parts.node.status())),
            Event::Stop => return std::ops::ControlFlow::Break(()),
        }
        std::ops::ControlFlow::Continue(())
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Request { to, id, request } => {
                let events = self.events.clone();
                self.parts.messenger.send(to, request, move |answer| {
                    let input = match answer {
                        Ok(response) => Input::Response { from: to, id, response },
                        Err(why) => Input::RequestFailed { to, id, why },
                    };
                    // The thread has ended: nobody needs the answer.
                    events.send(Event::Input(input)).ok();
                });
            }
            Output::Response { id, response, .. } => {
                if let Some(reply) = self.waiting.remove(&id) {
                    // Whoever asked may have gone.
                    reply.send(response).ok();
                }
            }
            Output::Published(image) => {
                self.parts.newest.set(Arc::clone(&image));
                self.committed.store(image.offset(), Ordering::Release);
            }
            Output::Done(done) => done.call(),
            Output::LeaderChanged { leader, epoch } => {
                tracing::info!(?leader, epoch, "the metadata quorum has another leader");
                self.leader.send_replace(QuorumLeader { node_id: leader, epoch });
            }
        }
    }
}
