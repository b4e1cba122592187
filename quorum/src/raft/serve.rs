//! The leader's side of fetching.

use super::effect::Effect;
use super::lead::Parked;
use super::message::{Answer, Call, Fetched, Refusal, Request};
use super::voters::Voter;
use super::{MAX_FETCH_BYTES, MAX_SNAPSHOT_CHUNK_BYTES, Raft};
use crate::log::SnapshotId;

impl Raft {
    pub(super) fn on_fetch(&mut self, id: u64, request: &Request) {
        let Call::Fetch { offset, last_epoch, max_bytes, max_wait_ms, high_watermark } =
            request.call
        else {
            return;
        };
        let from = request.from;
        if self.leadership().is_none() {
            return self.refuse(from.id, id, Refusal::NotLeader);
        }
        self.note_contact(from);
        if let Some(fetched) = self.not_of_this_log(offset, last_epoch) {
            let answer = self.fetch_answer(offset, last_epoch, fetched);
            return self.answer(from.id, id, answer);
        }
        self.note_progress(from, offset);
        // A newer fetch replaces what its sender waits for; the old one is given up.
        let wait = u64::from(max_wait_ms).min(self.timing.fetch_max_wait_ms);
        let until = self.now + wait;
        let max_bytes = (max_bytes as usize).min(MAX_FETCH_BYTES);
        let parked = Parked { id, offset, last_epoch, max_bytes, high_watermark, until };
        match self.leadership_mut() {
            Some(leadership) => {
                leadership.parked.insert(from, parked);
                self.wake_parked();
            }
            // The fetch itself ended the leadership: a transfer.
            None => self.refuse(from.id, id, Refusal::NotLeader),
        }
    }

    /// What to answer when the fetcher's log does not end within this one.
    fn not_of_this_log(&mut self, offset: u64, last_epoch: i32) -> Option<Fetched> {
        let snapshot = self.log.snapshot();
        let whole = Fetched::Snapshot { offset: snapshot.offset, epoch: snapshot.epoch };
        if !self.log.reaches_back_to(offset) {
            return Some(whole);
        }
        if self.log.epoch_before(offset) == Some(last_epoch) {
            return None;
        }
        #[cfg(feature = "planted")]
        if self.is_planted(super::Planted::LeaderTruncates) {
            self.cut_own_log(offset, last_epoch);
        }
        Some(match self.log.end_of(last_epoch) {
            Some((epoch, end_offset)) => Fetched::Diverging { epoch, end_offset },
            None => whole,
        })
    }

    #[cfg(feature = "planted")]
    fn cut_own_log(&mut self, offset: u64, last_epoch: i32) {
        let end = self.log.end_of(last_epoch).map_or(0, |(_, end)| end);
        let to = self.log.boundary(end.min(offset)).max(self.log.snapshot().offset);
        if to < self.log.end() && self.log.epoch_before(to).is_some() {
            self.truncate(to);
        }
    }

    fn fetch_answer(&self, offset: u64, last_epoch: i32, fetched: Fetched) -> Answer {
        Answer::Fetch { offset, last_epoch, high_watermark: self.high_watermark, fetched }
    }

    /// Answers the fetches for which there is something new, and those that waited for long enough.
    pub(super) fn wake_parked(&mut self) {
        let (now, end, high_watermark) = (self.now, self.log.end(), self.high_watermark);
        let Some(leadership) = self.leadership_mut() else { return };
        let due = |_: &Voter, parked: &mut Parked| {
            parked.offset < end || parked.high_watermark < high_watermark || parked.until <= now
        };
        let due: Vec<_> = leadership.parked.extract_if(.., due).collect();
        for (replica, parked) in due {
            let Parked { id, offset, last_epoch, max_bytes, .. } = parked;
            let answer = self.fetch_answer(offset, last_epoch, Fetched::Frames(Vec::new()));
            let response = self.response_with(answer);
            let to = replica.id;
            self.push(if offset < end {
                Effect::ServeFrames { to, id, response, offset, max_bytes }
            } else {
                Effect::Response { to, id, response }
            });
        }
    }

    pub(super) fn on_fetch_snapshot(&mut self, id: u64, request: &Request) {
        let Call::FetchSnapshot { offset, snapshot_epoch, position, max_bytes } = request.call
        else {
            return;
        };
        let to = request.from.id;
        if self.leadership().is_none() {
            return self.refuse(to, id, Refusal::NotLeader);
        }
        self.note_contact(request.from);
        let snapshot = SnapshotId { offset, epoch: snapshot_epoch };
        if snapshot != self.log.snapshot() {
            return self.refuse(to, id, Refusal::UnknownSnapshot);
        }
        let response = self.response_with(Answer::Snapshot {
            offset,
            snapshot_epoch,
            position,
            total_bytes: 0,
            bytes: Default::default(),
        });
        let max_bytes = (max_bytes as usize).clamp(1, MAX_SNAPSHOT_CHUNK_BYTES);
        self.push(Effect::ServeSnapshot { to, id, response, snapshot, position, max_bytes });
    }
}
