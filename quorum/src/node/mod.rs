//! [`QuorumNode`]: a replica of the metadata, from messages to the committed image.
//!
//! Joins the Raft engine, the log on its [`Disk`], the committed image and (on the leader) the [`Controller`]. Synchronous,
//! on one thread, without a clock and sockets: whoever owns it feeds [`Input`]s and does what the [`Output`]s say.
//!
//! # Invariants
//! - Nothing leaves the node before what it rests on is durable: epoch and vote first, then the log (one sync a batch),
//!   then the outputs.
//! - A proposal is answered only when everything that its decision rests on is committed, and after the image with it is
//!   published. (A decision that changes nothing is answered when the image that it saw is committed; like Kafka's, it may
//!   come from a leader that has been replaced a moment ago and does not know yet.)
//! - At the end of a leadership whoever waits is told [`ProposeError::Lost`].

mod active;
mod config;
mod images;
mod io;
mod proposal;
mod state_file;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::disk::{Disk, DiskError};
use thiserror::Error;

pub use config::{Limits, NodeConfig};
pub use io::{ChangeDone, ChangeVotersError, Input, Output, VoterChange};
pub use proposal::{Done, Proposal, ProposeError};
pub use state_file::FILE_NAME as STATE_FILE_NAME;
pub use status::{QuorumStatus, ReplicaStatus};

use active::Active;
use images::Images;

use crate::controller::{ConfigSchema, Controller, ControllerSettings, Entropy};
use crate::image::MetadataImage;
use crate::log::{LogError, MetadataLog};
use crate::raft::{
    Answer, Effect, Fetched, HardState, LogView, Raft, RaftConfig, Response, Voter, VoterHistory,
    VoterSet,
};

/// The node cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The log is damaged or the disk refuses.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk refuses.
    #[error("quorum state: {0}")]
    Disk(#[from] DiskError),
    /// The quorum's state is damaged: a vote might be given twice by going on.
    #[error(
        "{path} is damaged: {why}; restore the folder from a backup, or empty it and add the voter again"
    )]
    State {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
}

/// The node cannot go on: it must be dropped, and opened again once the cause is gone.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The log is damaged or the disk refuses.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The disk refuses.
    #[error("quorum state: {0}")]
    Disk(#[from] DiskError),
    /// The leader's log contradicts what was committed here.
    #[error(
        "the leader's log ends at {end_offset}, before what is committed here ({committed}): a quorum was lost or a disk put back"
    )]
    Diverged {
        /// Where the leader's log and this one part.
        end_offset: u64,
        /// What is committed here.
        committed: u64,
    },
}

/// A replica of the metadata.
#[derive(Debug)]
pub struct QuorumNode {
    raft: Raft,
    log: MetadataLog,
    images: Images,
    active: Active,
    settings: ControllerSettings,
    schema: Arc<dyn ConfigSchema>,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    saved: HardState,
    keep_bytes: u64,
    /// What waits for the end of the batch.
    outputs: Vec<Output>,
    /// Results of what is committed or refused in this batch.
    done: Vec<Done>,
    published: bool,
    #[cfg(feature = "planted")]
    planted: Option<crate::raft::Planted>,
    #[cfg(feature = "planted")]
    controller_planted: Option<crate::controller::Planted>,
}

impl QuorumNode {
    /// Opens the replica in a folder (`__cluster_metadata`; made when missing). Nothing is sent before the first
    /// [`QuorumNode::handle`], which is due at once.
    ///
    /// # Errors
    /// The log or the quorum's state is damaged, or the disk refuses.
    pub fn open(
        config: NodeConfig,
        schema: Arc<dyn ConfigSchema>,
        disk: Arc<dyn Disk>,
        dir: &Path,
        now_ms: u64,
    ) -> Result<QuorumNode, OpenError> {
        Self::open_with(config, schema, disk, dir, now_ms, Limits::default())
    }

    /// As [`QuorumNode::open`], with other sizes.
    ///
    /// # Errors
    /// As [`QuorumNode::open`].
    pub fn open_with(
        config: NodeConfig,
        schema: Arc<dyn ConfigSchema>,
        disk: Arc<dyn Disk>,
        dir: &Path,
        now_ms: u64,
        limits: Limits,
    ) -> Result<QuorumNode, OpenError> {
        let opened = MetadataLog::open_replica(Arc::clone(&disk), dir, limits.compact_from_bytes)?;
        let saved = state_file::read(&*disk, dir)?;
        let log = opened.log;
        let view = LogView::new(
            log.start_offset(),
            log.snapshot(),
            log.marks().map(|mark| (mark.first_offset, mark.epoch)),
            log.next_offset(),
        );
        let configured = VoterSet::new(config.initial_voters.iter().copied());
        let mut voters = VoterHistory::new(opened.voters, configured);
        for frame in &opened.tail {
            voters.take(frame);
        }
        let raft = RaftConfig {
            me: Voter { id: config.node_id, directory_id: config.directory_id },
            is_voter: config.is_voter,
            cluster_id: config.cluster_id.into(),
            timing: config.timing,
            contacts: config.initial_voters.iter().map(|voter| voter.id).collect(),
            max_fetch_bytes: limits.max_fetch_bytes,
            seed: config.seed,
        };
        Ok(Self {
            raft: Raft::new(raft, saved, view, voters, now_ms),
            log,
            images: Images::new(opened.image, opened.tail),
            active: Active::default(),
            settings: config.controller,
            schema,
            disk,
            dir: dir.to_owned(),
            saved,
            keep_bytes: limits.keep_bytes,
            outputs: Vec::new(),
            done: Vec::new(),
            published: false,
            #[cfg(feature = "planted")]
            planted: None,
            #[cfg(feature = "planted")]
            controller_planted: None,
        })
    }

    /// Where brokers are, as far as is written in this node's log. What is not committed may come to nothing, but to find
    /// the others after a restart it is better than nothing: the first voters may all be gone.
    pub fn addresses(&self) -> BTreeMap<i32, (String, u16)> {
        self.images.addresses()
    }

    /// Makes a known mistake from here on.
    #[cfg(feature = "planted")]
    pub fn plant(&mut self, planted: crate::raft::Planted) {
        self.raft.plant(planted);
        self.planted = Some(planted);
    }

    /// Makes a known mistake whenever its controller is active.
    #[cfg(feature = "planted")]
    pub fn plant_controller(&mut self, planted: crate::controller::Planted) {
        self.controller_planted = Some(planted);
    }

    /// Takes one input. See [`QuorumNode::handle_all`].
    ///
    /// # Errors
    /// As [`QuorumNode::handle_all`].
    pub fn handle(
        &mut self,
        now_ms: u64,
        input: Input,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Output>, NodeError> {
        self.handle_all(now_ms, vec![input], entropy)
    }

    /// Takes inputs that came together; they share one sync of the disk. `now_ms` is any clock that does not run
    /// backwards (one that does is taken for standing still).
    ///
    /// # Errors
    /// The disk failed, or the log contradicts the leader's: the node must be dropped. Who waits has been told.
    pub fn handle_all(
        &mut self,
        now_ms: u64,
        inputs: Vec<Input>,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Output>, NodeError> {
        let result = self.run(now_ms, inputs, entropy);
        if let Err(e) = &result {
            let told = Err(ProposeError::Log(e.to_string()));
            self.done.append(&mut self.active.end(&told, None));
            self.outputs.clear();
            self.done.clear();
        }
        result
    }

    fn run(
        &mut self,
        now_ms: u64,
        inputs: Vec<Input>,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<Output>, NodeError> {
        if self.raft.leader().is_none() {
            // Who votes alone leads before it is asked for anything.
            self.raft.tick(now_ms);
            self.do_effects(now_ms, entropy)?;
        }
        for input in inputs {
            self.feed(now_ms, input, entropy);
            self.do_effects(now_ms, entropy)?;
        }
        // Timeouts only now: what came while the disk was slow has come in time. Due or not, looking is cheap; and a caller
        // that only feeds messages cannot forget it.
        self.raft.tick(now_ms);
        self.do_effects(now_ms, entropy)?;
        // What is persisted may be committed, and what is committed may lead to more frames (a voter's directory id).
        while self.make_durable()? || !self.raft.is_durable() {
            self.raft.persisted(now_ms);
            self.acknowledge_early();
            self.do_effects(now_ms, entropy)?;
        }
        self.compact()?;
        Ok(self.take_outputs())
    }

    fn feed(&mut self, now_ms: u64, input: Input, entropy: &mut dyn Entropy) {
        match input {
            Input::Tick => {}
            Input::Request { from, id, request } => self.raft.request(now_ms, from, id, &request),
            Input::Response { from, id, response } => {
                self.raft.response(now_ms, from, id, response);
            }
            Input::RequestFailed { to, id, why } => {
                self.raft.request_failed(now_ms, to, id, why);
            }
            Input::Propose(proposal) => self.propose(proposal, entropy),
            Input::ChangeVoters { change, done } => match self.raft.change_voters(now_ms, change) {
                Ok(offset) => self.active.wait_for_change(offset, done),
                Err(e) => self.done.push(done.later(Err(e))),
            },
            Input::Transfer { to } => self.raft.transfer(now_ms, to),
            Input::Resign => self.raft.resign(now_ms),
        }
    }

    /// Decides a command on the newest image, and appends its records.
    fn propose(&mut self, proposal: Proposal, entropy: &mut dyn Entropy) {
        if self.active.is_full() {
            let error = "too many changes wait to be committed".to_owned();
            return self.done.push(proposal.refuse(ProposeError::Log(error)));
        }
        let leader = self.raft.leader();
        let leads = leader == Some(self.raft.me().id);
        let Some(controller) = self.active.controller.as_mut().filter(|_| self.raft.is_active())
        else {
            let refused = if leads { self.active.keep(proposal) } else { Some(proposal) };
            // A leader that cannot serve yet, or hands over, is no leader to ask again at once.
            let leader = leader.filter(|_| !leads);
            let error = ProposeError::NotLeader { leader };
            self.done.extend(refused.map(|proposal| proposal.refuse(error)));
            return;
        };
        let (records, waiter) = proposal.decide(controller, entropy);
        let before = controller.image().offset();
        if records.is_empty() {
            if before <= self.raft.high_watermark() {
                self.done.push(waiter.done(Ok(())));
            } else {
                self.active.wait(before, waiter);
            }
            return;
        }
        let appended = match controller.image().with(&records) {
            Err(e) => Err(e.to_string()),
            Ok(image) => match self.raft.append(records) {
                Err(e) => Err(e.to_string()),
                Ok(offset) => {
                    controller.advance(Arc::new(image));
                    Ok(offset)
                }
            },
        };
        match appended {
            Ok(offset) => self.active.wait(offset, waiter),
            Err(e) => self.done.push(waiter.done(Err(ProposeError::Log(e)))),
        }
    }

    fn do_effects(&mut self, now_ms: u64, entropy: &mut dyn Entropy) -> Result<(), NodeError> {
        loop {
            let effects = self.raft.take_effects();
            if !effects.is_empty() {
                for effect in effects {
                    self.do_effect(now_ms, effect)?;
                }
                continue;
            }
            // Only now has the controller seen every frame that is in the log.
            let serves = self.active.controller.is_some() && self.raft.is_active();
            let early = if serves { self.active.take_early() } else { Vec::new() };
            if early.is_empty() {
                return Ok(());
            }
            for proposal in early {
                self.propose(proposal, entropy);
            }
        }
    }

    fn do_effect(&mut self, now_ms: u64, effect: Effect) -> Result<(), NodeError> {
        match effect {
            Effect::Append(frame) => {
                self.advance_controller(&frame);
                self.images.push(frame.clone());
                self.log.push(frame)?;
            }
            Effect::Truncate(offset) => {
                self.make_durable()?;
                self.log.truncate(offset)?;
                self.images.truncate(offset);
            }
            Effect::Install { id, bytes } => {
                self.save_state()?;
                self.install(now_ms, id, &bytes)?;
            }
            Effect::Request { to, id, request } => {
                self.outputs.push(Output::Request { to, id, request });
            }
            Effect::Response { to, id, response } => {
                self.outputs.push(Output::Response { to, id, response });
            }
            Effect::ServeFrames { to, id, response, offset, max_bytes } => {
                let frames = self.log.frames(offset, max_bytes)?;
                let response = with_frames(response, frames);
                self.outputs.push(Output::Response { to, id, response });
            }
            Effect::ServeSnapshot { to, id, response, snapshot, position, max_bytes } => {
                let part = self.log.read_snapshot(snapshot, position, max_bytes)?;
                let response = with_chunk(response, part);
                self.outputs.push(Output::Response { to, id, response });
            }
            Effect::Committed(offset) => self.commit(offset)?,
            Effect::Active => {
                let image = Arc::clone(self.images.committed());
                let settings = self.settings.clone();
                let controller = Controller::new(image, settings, Arc::clone(&self.schema));
                #[cfg(feature = "planted")]
                let controller = {
                    let mut controller = controller;
                    controller.plant(self.controller_planted);
                    controller
                };
                self.active.controller = Some(controller);
            }
            Effect::Deposed => {
                let told = self.told_when_deposed();
                self.done.append(&mut self.active.end(&told, self.raft.leader()));
            }
            Effect::LeaderChanged { leader, epoch } => {
                self.outputs.push(Output::LeaderChanged { leader, epoch });
            }
            Effect::Diverged { end_offset, committed } => {
                return Err(NodeError::Diverged { end_offset, committed });
            }
        }
        Ok(())
    }

    fn told_when_deposed(&self) -> Result<(), ProposeError> {
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::raft::Planted::StaleLeaderAnswers) {
            return Ok(());
        }
        Err(ProposeError::Lost)
    }

    /// The engine's own frames (voters) go past the controller; its image must count them all the same.
    fn advance_controller(&mut self, frame: &crate::log::Frame) {
        if let Some(controller) = &mut self.active.controller
            && controller.image().offset() == frame.first_offset()
            && let Ok(image) = controller.image().with(frame.records())
        {
            controller.advance(Arc::new(image));
        }
    }

    fn commit(&mut self, offset: u64) -> Result<(), NodeError> {
        let newest = self.active.controller.as_ref().map(Controller::image);
        let committed = self.images.commit(offset, newest);
        self.published |= committed.map_err(|(at, e)| self.log.cannot_apply(at, e))?;
        self.done.append(&mut self.active.done_up_to(offset));
        Ok(())
    }

    fn install(
        &mut self,
        now_ms: u64,
        id: crate::log::SnapshotId,
        bytes: &[u8],
    ) -> Result<(), NodeError> {
        match self.log.install(id, bytes) {
            Ok((image, voters)) => {
                self.images.reset(image);
                self.published = true;
                self.raft.installed(now_ms, Some((id, voters)));
                Ok(())
            }
            Err(LogError::Corrupt { path, why, .. }) => {
                tracing::warn!("the leader's snapshot {} is damaged: {why}", path.display());
                self.raft.installed(now_ms, None);
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Writes epoch and vote, then the log. Whether the log had anything new.
    fn make_durable(&mut self) -> Result<bool, NodeError> {
        self.save_state()?;
        Ok(self.log.flush()?)
    }

    fn save_state(&mut self) -> Result<(), NodeError> {
        let state = self.raft.hard_state();
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::raft::Planted::VoteNotDurable) {
            return Ok(());
        }
        if state != self.saved {
            state_file::write(&*self.disk, &self.dir, state)?;
            self.saved = state;
        }
        Ok(())
    }

    fn acknowledge_early(&mut self) {
        #[cfg(feature = "planted")]
        if self.planted == Some(crate::raft::Planted::AcknowledgeBeforeMajority) {
            let end = self.log.next_offset();
            self.done.append(&mut self.active.done_up_to(end));
        }
    }

    fn compact(&mut self) -> Result<(), NodeError> {
        let image = self.images.committed();
        let voters = self.raft.voters().before(image.offset());
        if self.log.compact_committed(image, voters, self.keep_bytes)? {
            self.raft.compacted(self.log.start_offset(), self.log.snapshot());
        }
        Ok(())
    }

    /// The image first, then who waits for it, then the others.
    fn take_outputs(&mut self) -> Vec<Output> {
        let mut outputs = Vec::with_capacity(self.outputs.len() + self.done.len() + 1);
        if std::mem::take(&mut self.published) {
            outputs.push(Output::Published(Arc::clone(self.images.committed())));
        }
        outputs.extend(self.done.drain(..).map(Output::Done));
        outputs.append(&mut self.outputs);
        outputs
    }

    /// When to hand in [`Input::Tick`] at the latest.
    pub fn deadline_ms(&self) -> u64 {
        self.raft.deadline()
    }

    /// The newest image that is known to be committed.
    pub fn image(&self) -> &Arc<MetadataImage> {
        self.images.committed()
    }

    /// The leader's node id and its epoch.
    pub fn leader(&self) -> Option<(i32, i32)> {
        self.raft.leader().map(|leader| (leader, self.raft.epoch()))
    }

    /// The newest epoch that this node knows of.
    pub fn epoch(&self) -> i32 {
        self.raft.epoch()
    }

    /// Whether this node is the active controller: leads, has committed in its epoch, and is not handing over.
    pub fn is_active(&self) -> bool {
        self.raft.is_active()
    }

    /// The voters of the newest record, committed or not.
    pub fn voters(&self) -> &VoterSet {
        self.raft.voters().current()
    }

    /// The voters of the newest committed record; `None` while no record names any.
    pub fn committed_voters(&self) -> Option<&VoterSet> {
        self.raft.voters().before(self.raft.high_watermark())
    }

    /// The log, for checks.
    pub fn log(&self) -> &MetadataLog {
        &self.log
    }

    /// For DescribeQuorum.
    pub fn status(&self) -> QuorumStatus {
        status::of(&self.raft)
    }
}

fn with_frames(response: Response, frames: Vec<crate::log::Frame>) -> Response {
    match response.answer {
        Answer::Fetch { offset, last_epoch, high_watermark, .. } => {
            let fetched = Fetched::Frames(frames);
            let answer = Answer::Fetch { offset, last_epoch, high_watermark, fetched };
            Response { answer, ..response }
        }
        _ => response,
    }
}

fn with_chunk(response: Response, part: Option<(bytes::Bytes, u64)>) -> Response {
    let answer = match (response.answer, part) {
        (Answer::Snapshot { offset, snapshot_epoch, position, .. }, Some((bytes, total_bytes))) => {
            Answer::Snapshot { offset, snapshot_epoch, position, total_bytes, bytes }
        }
        _ => Answer::Refused(crate::raft::Refusal::UnknownSnapshot),
    };
    Response { answer, ..response }
}
