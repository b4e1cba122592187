//! The follower's side of fetching: frames, divergence, snapshots.

use bytes::{Bytes, BytesMut};

use super::effect::Effect;
use super::message::{Answer, Call, Fetched};
use super::state::Role;
use super::voters::VoterSet;
use super::{MAX_SNAPSHOT_BYTES, MAX_SNAPSHOT_CHUNK_BYTES, Raft};
use crate::log::{Frame, SnapshotId};

/// What a follower has asked for; one request at a time.
#[derive(Debug, Default)]
pub(super) struct Fetcher {
    outstanding: Option<Outstanding>,
    /// Not before this.
    next_at: u64,
    download: Option<Download>,
    /// What the leader said to be committed.
    leader_high_watermark: u64,
    /// Attempts in a row that found nobody listening.
    refused: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outstanding {
    to: i32,
    id: u64,
    until: u64,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was heard: the request or its answer may be lost, or late.
    Silence,
    /// The connection was refused: nobody listens where the node is said to be.
    Refused,
}

/// A process that restarts may be refused for a moment although it goes on: so many refusals in a row mean that it has
/// ended.
const REFUSALS: u32 = 2;
/// A follower that sees the leader's process end waits for a random part of this part of the election timeout: all
/// followers see it at the same time.
const HASTE: u64 = 4;

/// A snapshot that is being fetched.
#[derive(Debug)]
struct Download {
    id: SnapshotId,
    bytes: BytesMut,
}

impl Fetcher {
    pub(super) fn due_at(&self) -> u64 {
        self.outstanding.map_or(self.next_at, |outstanding| outstanding.until)
    }

    fn failed(&mut self, to: i32, id: u64, next_at: u64, why: NoAnswer) {
        if self.outstanding.is_some_and(|of| (of.to, of.id) == (to, id)) {
            self.outstanding = None;
            self.next_at = next_at;
            self.refused = match why {
                NoAnswer::Silence => 0,
                NoAnswer::Refused => self.refused.saturating_add(1),
            };
        }
    }
}

impl Raft {
    /// Sends the next fetch when there is none on its way: to the leader, or (who may not elect one) to anybody who may
    /// know it.
    pub(super) fn poll_fetch(&mut self) {
        let leader = match &self.role {
            Role::Follower { leader, .. } => Some(*leader),
            Role::Unattached { .. } if !self.can_campaign() => None,
            _ => return,
        };
        if let Some(outstanding) = self.fetcher.outstanding {
            if self.now < outstanding.until {
                return;
            }
            self.fetcher.outstanding = None;
            self.fetcher.next_at = self.now;
        }
        // A fetch says what is durable.
        if self.now < self.fetcher.next_at || self.durable_end != self.log.end() {
            return;
        }
        let Some(to) = leader.or_else(|| self.any_contact()) else {
            self.fetcher.next_at = self.now + self.timing.fetch_timeout_ms;
            return;
        };
        let call = self.next_fetch();
        let id = self.ask(to, self.hard.epoch, call);
        let wait = self.timing.request_timeout_ms + self.timing.fetch_max_wait_ms;
        self.fetcher.outstanding = Some(Outstanding { to, id, until: self.now + wait.max(1) });
    }

    /// A request of this replica will have no answer.
    pub fn request_failed(&mut self, now: u64, to: i32, id: u64, why: NoAnswer) {
        self.at(now);
        self.fetcher.failed(to, id, self.now + self.timing.retry_backoff_ms, why);
        if self.fetcher.refused >= REFUSALS && self.leader() == Some(to) {
            self.bury_leader();
        }
        self.poll_fetch();
    }

    /// The leader's process has ended: it need not be waited for. If it lives after all, the other voters follow it still
    /// and the pre-vote fails.
    fn bury_leader(&mut self) {
        self.lost_epoch = Some(self.hard.epoch);
        let wait = self.random.below(self.timing.election_timeout_ms / HASTE + 1);
        self.become_unattached(self.hard.epoch);
        if let Role::Unattached { election_at } = &mut self.role {
            *election_at = self.now + wait;
        }
    }

    fn next_fetch(&self) -> Call {
        match &self.fetcher.download {
            Some(download) => Call::FetchSnapshot {
                offset: download.id.offset,
                snapshot_epoch: download.id.epoch,
                position: download.bytes.len() as u64,
                max_bytes: MAX_SNAPSHOT_CHUNK_BYTES as u32,
            },
            None => Call::Fetch {
                offset: self.log.end(),
                last_epoch: self.log.last_epoch(),
                max_bytes: self.max_fetch_bytes,
                max_wait_ms: self.timing.fetch_max_wait_ms.min(u64::from(u32::MAX)) as u32,
                high_watermark: self.high_watermark,
            },
        }
    }

    /// Takes the answer to a fetch (or what came in its place).
    pub(super) fn on_fetch_answer(&mut self, from: i32, id: u64, epoch: i32, answer: Answer) {
        if self.fetcher.outstanding.is_none_or(|of| (of.to, of.id) != (from, id)) {
            return;
        }
        self.fetcher.outstanding = None;
        self.fetcher.refused = 0;
        let (now, backoff) = (self.now, self.timing.retry_backoff_ms.max(1));
        // Answers that bring nothing on must not be asked for again at once.
        self.fetcher.next_at = now + backoff;
        let timeout = self.timing.fetch_timeout_ms;
        let from_leader = epoch == self.hard.epoch;
        match &mut self.role {
            Role::Follower { leader, gone_at } if *leader == from && from_leader => {
                if matches!(answer, Answer::Fetch { .. } | Answer::Snapshot { .. }) {
                    *gone_at = now + timeout;
                }
            }
            _ => return,
        }
        match answer {
            Answer::Fetch { offset, last_epoch, high_watermark, fetched } => {
                if (offset, last_epoch) != (self.log.end(), self.log.last_epoch()) {
                    return;
                }
                self.fetcher.next_at = now;
                match fetched {
                    Fetched::Frames(frames) => self.take_frames(frames, high_watermark),
                    Fetched::Diverging { epoch, end_offset } => self.part(epoch, end_offset),
                    Fetched::Snapshot { offset, epoch } => {
                        self.begin_download(SnapshotId { offset, epoch });
                    }
                }
            }
            Answer::Snapshot { offset, snapshot_epoch, position, total_bytes, bytes } => {
                let id = SnapshotId { offset, epoch: snapshot_epoch };
                self.take_chunk(id, position, total_bytes, &bytes);
            }
            Answer::Refused(super::Refusal::NotLeader) => {
                // It led this epoch and does not any more.
                self.lost_epoch = Some(self.hard.epoch);
                self.become_unattached(self.hard.epoch);
                self.fetcher.next_at = now + backoff;
            }
            _ => self.fetcher.download = None,
        }
    }

    fn take_frames(&mut self, frames: Vec<Frame>, high_watermark: u64) {
        for frame in frames {
            let epochs = self.log.last_epoch()..=self.hard.epoch;
            if frame.first_offset() != self.log.end() || !epochs.contains(&frame.epoch()) {
                self.fetcher.next_at = self.now + self.timing.retry_backoff_ms;
                break;
            }
            self.take_frame(&frame);
            self.push(Effect::Append(frame));
        }
        self.fetcher.leader_high_watermark = high_watermark;
        self.follow_high_watermark();
    }

    /// What the leader said to be committed, as far as it is on this disk.
    pub(super) fn follow_high_watermark(&mut self) {
        let committed = self.fetcher.leader_high_watermark.min(self.durable_end);
        if committed > self.high_watermark {
            self.high_watermark = committed;
            self.push(Effect::Committed(committed));
        }
    }

    /// The leader's log parts from this one: cuts off what the leader cannot have.
    fn part(&mut self, epoch: i32, end_offset: u64) {
        let (own_epoch, own_end) = self.log.end_of(epoch).unwrap_or((0, 0));
        let end = if own_epoch == epoch { own_end.min(end_offset) } else { own_end };
        #[allow(unused_mut)]
        let mut to = self.log.boundary(end);
        #[cfg(feature = "planted")]
        if self.is_planted(super::Planted::TruncateCommitted) {
            let below = self.log.boundary(to.min(self.high_watermark).saturating_sub(1));
            to = below.max(self.log.snapshot().offset);
            self.high_watermark = self.high_watermark.min(to);
        }
        if to < self.high_watermark {
            let committed = self.high_watermark;
            return self.push(Effect::Diverged { end_offset: to, committed });
        }
        if to >= self.log.end() {
            // Nothing to cut: the answer makes no sense, and neither does the same question at once.
            self.fetcher.next_at = self.now + self.timing.retry_backoff_ms.max(1);
            return;
        }
        self.truncate(to);
    }

    pub(super) fn truncate(&mut self, to: u64) {
        self.log.truncate(to);
        self.voters.truncate(to);
        self.durable_end = self.durable_end.min(to);
        self.push(Effect::Truncate(to));
    }

    fn begin_download(&mut self, id: SnapshotId) {
        if id.offset < self.high_watermark || id.offset == 0 {
            self.fetcher.next_at = self.now + self.timing.retry_backoff_ms.max(1);
            return;
        }
        self.fetcher.download = Some(Download { id, bytes: BytesMut::new() });
    }

    fn take_chunk(&mut self, id: SnapshotId, position: u64, total_bytes: u64, bytes: &Bytes) {
        let Some(download) = &mut self.fetcher.download else { return };
        if download.id != id || download.bytes.len() as u64 != position {
            return;
        }
        self.fetcher.next_at = self.now;
        download.bytes.extend_from_slice(bytes);
        let have = download.bytes.len() as u64;
        if have > MAX_SNAPSHOT_BYTES
            || have > total_bytes
            || (bytes.is_empty() && have < total_bytes)
        {
            self.fetcher.download = None;
            self.fetcher.next_at = self.now + self.timing.retry_backoff_ms.max(1);
        } else if have == total_bytes {
            let bytes = std::mem::take(&mut download.bytes).freeze();
            self.fetcher.download = None;
            self.push(Effect::Install { id, bytes });
        }
    }

    /// The snapshot of an [`Effect::Install`] is in place of the log (`Some`, with the voters that it names), or is damaged
    /// and nothing has changed (`None`).
    pub fn installed(&mut self, now: u64, snapshot: Option<(SnapshotId, Option<VoterSet>)>) {
        self.now = self.now.max(now);
        match snapshot {
            None => self.fetcher.next_at = self.now + self.timing.fetch_timeout_ms,
            Some((id, voters)) => {
                self.log.reset(id);
                self.voters.reset(voters);
                self.durable_end = id.offset;
                if id.offset > self.high_watermark {
                    self.high_watermark = id.offset;
                    self.push(Effect::Committed(id.offset));
                }
            }
        }
        self.poll_fetch();
    }
}
