//! What a broker answers followers and clients, and whom it keeps waiting.

use std::sync::Arc;

use bytes::Bytes;
use protocol::ErrorCode;
use replica::throttle::Allowance;
use replica::{Changed, FetchPosition, FollowerFetch, ServeError};

use super::hosted::{Appended, CommitWait, Hosted, Waited};
use super::message::{Key, Message, Part, Records};
use super::world::{Task, World};
use super::{CHURN_TOPIC, Mistake, PRODUCE_MS};

/// `replica.fetch.wait.max.ms`.
const MAX_WAIT_MS: u64 = 60;

/// A fetch that waits for news.
#[derive(Debug)]
pub(super) struct Poll {
    from: usize,
    id: u64,
    deadline: u64,
    parts: Vec<(Key, FetchPosition)>,
}

impl World {
    pub(super) fn serve(
        &mut self,
        machine: usize,
        from: usize,
        message: Message,
    ) -> Result<(), String> {
        match message {
            Message::Fetch { id, broker_epoch, parts } => {
                self.serve_fetch(machine, from, id, broker_epoch, parts);
            }
            Message::Produce { id, key, batch } => {
                let key = self.by_name(machine, key);
                self.produce(machine, from, id, key, &batch);
            }
            Message::Consume { id, key, leader_epoch, offset, elsewhere } => {
                let key = self.by_name(machine, key);
                let result = self.consume(machine, key, leader_epoch, (offset, elsewhere));
                self.send(machine, from, Message::Consumed { id, result });
            }
            Message::DeleteRecords { key, leader_epoch, before } => {
                return self.delete_records(machine, key, leader_epoch, before);
            }
            Message::ListEnd { id, key, leader_epoch } => {
                let result = self.list_end(machine, key, leader_epoch);
                self.send(machine, from, Message::Ended { id, result });
            }
            Message::Group { id, key, group, ask } => {
                self.serve_group(machine, (from, id), key, group, ask);
            }
            Message::Metadata => {
                let Some(process) = self.process(machine) else { return Ok(()) };
                if process.serving {
                    let image = Arc::clone(&process.applied);
                    self.send(machine, from, Message::MetadataIs { image });
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The partition that is asked for. A mistake on purpose takes what has the name when the topic is another.
    fn by_name(&self, machine: usize, key: Key) -> Key {
        let process = self.machines[machine].process.as_ref();
        let process = process.filter(|_| self.has(Mistake::ServesByName));
        let mut churn = process.into_iter().flat_map(|process| {
            let partitions = process.partitions.iter();
            partitions.filter(|(_, hosted)| hosted.topic == CHURN_TOPIC).map(|(key, _)| *key)
        });
        let known = self.checker.topics.is_of_churn(&key);
        churn.find(|of| known && of.1 == key.1).unwrap_or(key)
    }

    fn serve_fetch(
        &mut self,
        machine: usize,
        from: usize,
        id: u64,
        broker_epoch: i64,
        parts: Vec<(Key, FetchPosition)>,
    ) {
        let (now_ms, _) = self.clocks(machine);
        let deadline = self.now() + MAX_WAIT_MS;
        let Some(process) = self.process(machine) else { return };
        let registered = process.registration(from as i32);
        let mut urgent = false;
        let mut news = Vec::new();
        for (key, position) in &parts {
            let Some(hosted) = process.partitions.get_mut(key) else { continue };
            let fetch = FollowerFetch {
                id: from as i32,
                broker_epoch,
                leader_epoch: position.leader_epoch,
                offset: position.offset,
                last_fetched_epoch: position.last_fetched_epoch,
                log_start_offset: position.log_start_offset,
            };
            match hosted.replica.note_fetch(&fetch, registered, now_ms) {
                Ok(noted) => {
                    urgent |= noted.has_news;
                    hosted.isr_wanted |= noted.may_join;
                    news.push((*key, noted.changed, noted.may_join));
                }
                Err(_) => urgent = true,
            }
        }
        for (key, changed, may_join) in news {
            self.news(machine, key, changed);
            if may_join {
                self.want_isr(machine);
            }
        }
        let poll = Poll { from, id, deadline, parts };
        if urgent || self.has_news_for(machine, &poll) {
            return self.answer_poll(machine, &poll);
        }
        let Some(process) = self.process(machine) else { return };
        process.polls.push(poll);
        self.task(machine, MAX_WAIT_MS, Task::PollTimeout);
    }

    /// Bytes of a partition that may go to a follower now, and one batch in any case unless there are none.
    fn may_send(&self, machine: usize, hosted: &Hosted, to: usize) -> usize {
        let limits = self.limits_of_sending(hosted, to);
        let Some(process) = self.machines[machine].process.as_ref().filter(|_| limits.any()) else {
            return usize::MAX;
        };
        let now_ms = self.machines[machine].mono(self.now());
        match process.sending.lock().allowance(limits, now_ms) {
            Allowance::Bytes(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
            Allowance::After(_) => 0,
        }
    }

    /// So many bytes go to a follower, or none because a throttle holds for it.
    fn sent(&mut self, machine: usize, key: &Key, (to, bytes, held_back): (usize, usize, bool)) {
        let now_ms = self.machines[machine].mono(self.now());
        let Some(process) = &self.machines[machine].process else { return };
        let Some(hosted) = process.partitions.get(key) else { return };
        let limits = self.limits_of_sending(hosted, to);
        if !limits.any() {
            return;
        }
        process.sending.lock().took(limits, bytes, now_ms);
        let isr = Arc::clone(&hosted.replica.assignment().isr);
        if held_back {
            self.holds_back(&isr, (machine, to));
        }
    }

    fn part(&self, machine: usize, to: usize, key: &Key, position: &FetchPosition) -> Part {
        let Some(process) = &self.machines[machine].process else {
            return Part::Error(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        };
        let Some(hosted) = process.partitions.get(key) else {
            return Part::Error(ErrorCode::UNKNOWN_TOPIC_ID);
        };
        let replica = &hosted.replica;
        if let Err(error) = replica.serve(position.leader_epoch) {
            return Part::Error(error.code());
        }
        if let Some(diverging) = replica.divergence(position.last_fetched_epoch, position.offset) {
            return Part::Diverging(diverging);
        }
        let start = replica.log().start_offset();
        if !(start..=replica.log().end_offset()).contains(&position.offset) {
            return Part::OutOfRange { start };
        }
        let bytes = self.may_send(machine, hosted, to).min(self.plan.fetch_bytes);
        let read = match bytes {
            0 => Ok(Bytes::new()),
            bytes => hosted.read(position.offset, bytes, false),
        };
        match read {
            Ok(records) => {
                let high_watermark = replica.high_watermark().offset;
                Part::Records { high_watermark, start, records }
            }
            Err(_) => Part::Error(ErrorCode::KAFKA_STORAGE_ERROR),
        }
    }

    /// Whether there is more to tell than that nothing has come.
    fn has_news_for(&self, machine: usize, poll: &Poll) -> bool {
        poll.parts.iter().any(|(key, position)| {
            let part = self.part(machine, poll.from, key, position);
            !matches!(part, Part::Records { records, .. } if records.is_empty())
        })
    }

    fn answer_poll(&mut self, machine: usize, poll: &Poll) {
        let mut parts = Vec::with_capacity(poll.parts.len());
        for (key, position) in &poll.parts {
            let part = self.part(machine, poll.from, key, position);
            if let Part::Records { records, .. } = &part {
                let process = self.machines[machine].process.as_ref();
                let hosted = process.and_then(|process| process.partitions.get(key));
                let more = hosted.is_some_and(|of| of.replica.log().end_offset() > position.offset);
                let sent = (poll.from, records.len(), more && records.is_empty());
                self.sent(machine, key, sent);
            }
            if let Part::Records { high_watermark, .. } = &part
                && let Some(process) = self.process(machine)
                && let Some(hosted) = process.partitions.get_mut(key)
            {
                hosted.replica.told(poll.from as i32, *high_watermark);
            }
            parts.push((*key, part));
        }
        self.send(machine, poll.from, Message::Fetched { id: poll.id, parts });
    }

    /// Answers polls whose time is over, and those that wait for a partition of which there are news.
    pub(super) fn look_at_polls(&mut self, machine: usize, key: Option<Key>) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        let due = |poll: &mut Poll| {
            poll.deadline <= now
                || key.is_some_and(|key| poll.parts.iter().any(|(of, _)| *of == key))
        };
        let due: Vec<Poll> = process.polls.extract_if(.., due).collect();
        for poll in due {
            self.answer_poll(machine, &poll);
        }
        Ok(())
    }

    fn produce(&mut self, machine: usize, from: usize, id: u64, key: Key, batch: &Bytes) {
        match self.append(machine, key, batch) {
            Ok(appended) => self.wait(machine, key, (from, id), Waited::Produced, appended),
            Err(error) => self.send(machine, from, Message::Produced { id, result: Err(error) }),
        }
    }

    pub(super) fn append(
        &mut self,
        machine: usize,
        key: Key,
        batch: &Bytes,
    ) -> Result<Appended, ErrorCode> {
        let (_, wall) = self.clocks(machine);
        let forgetful = self.has(Mistake::ProducersForgotten);
        let process = self.process(machine).ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        if !process.serving {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        let hosted =
            process.partitions.get_mut(&key).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let result = hosted.append(batch, &mut process.gate.lock(), wall, forgetful);
        if let (Ok(Appended::New { .. }), CHURN_TOPIC) = (&result, &*hosted.topic) {
            let known = process.applied.topic_by_id(&key.0).is_some();
            self.checker.topics.written(machine, key, batch, known);
        }
        self.look_at_gate(machine);
        result
    }

    /// Answers when what was appended is committed.
    pub(super) fn wait(
        &mut self,
        machine: usize,
        key: Key,
        (from, id): (usize, u64),
        what: Waited,
        appended: Appended,
    ) {
        let (base, end, changed) = match appended {
            Appended::New { base, end, changed } => (base, end, changed),
            Appended::Duplicate { base, end } => (base, end, Changed::default()),
        };
        let produced = matches!(what, Waited::Produced);
        let early = match produced {
            true => self.has(Mistake::AnswersBeforeCommit),
            false => self.has(Mistake::GroupAnswersEarly),
        };
        // A coordinator waits for as long as it leads.
        let deadline = if produced { self.now() + PRODUCE_MS } else { u64::MAX };
        let wait = CommitWait { from, id, base, end, deadline, what };
        if early {
            self.settle(machine, key, wait, Ok(()));
        } else if let Some(process) = self.process(machine)
            && let Some(hosted) = process.partitions.get_mut(&key)
        {
            hosted.waits.push(wait);
            if produced {
                self.task(machine, PRODUCE_MS, Task::ProduceTimeout(key));
            }
        }
        if self.plan.flush_before_ack {
            self.request_flush(machine, key);
        }
        // A duplicate may be committed already.
        self.news(machine, key, Changed { committed: true, ..changed });
    }

    /// Somebody has waited long enough.
    fn settle(
        &mut self,
        machine: usize,
        key: Key,
        wait: CommitWait,
        result: Result<(), ErrorCode>,
    ) {
        let CommitWait { from, id, base, .. } = wait;
        match wait.what {
            Waited::Produced => {
                let result = result.map(|()| base);
                self.send(machine, from, Message::Produced { id, result });
            }
            Waited::Offset(offset) => {
                self.offset_settled(machine, key, (from, id), (offset, base), result);
            }
            Waited::Group { epoch, group, persist } => {
                self.group_settled(machine, key, (epoch, group, persist), result);
            }
        }
    }

    /// Nobody here will learn what becomes of these records.
    pub(super) fn fail_waits(
        &mut self,
        machine: usize,
        key: Key,
        waits: Vec<CommitWait>,
        error: ErrorCode,
    ) {
        for wait in waits {
            self.settle(machine, key, wait, Err(error));
        }
    }

    pub(super) fn produce_timeout(&mut self, machine: usize, key: Key) -> Result<(), String> {
        let now = self.now();
        let Some(process) = self.process(machine) else { return Ok(()) };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        let late: Vec<CommitWait> =
            hosted.waits.extract_if(.., |wait| wait.deadline <= now).collect();
        for wait in late {
            self.settle(machine, key, wait, Err(ErrorCode::REQUEST_TIMED_OUT));
        }
        Ok(())
    }

    /// Tells everybody whom an event concerns.
    pub(super) fn news(&mut self, machine: usize, key: Key, changed: Changed) {
        let acknowledges = self.has(Mistake::LostLeaderAcknowledges);
        let of = &mut self.machines[machine];
        let Some(process) = &mut of.process else { return };
        let Some(hosted) = process.partitions.get_mut(&key) else { return };
        of.disk.look(|| self.checker.looked_at(machine, key, hosted));
        let mut answered = Vec::new();
        if changed.lost {
            let waits = std::mem::take(&mut hosted.waits);
            if acknowledges {
                answered = waits;
            } else {
                self.fail_waits(machine, key, waits, ErrorCode::NOT_LEADER_OR_FOLLOWER);
            }
        } else if changed.committed {
            let mark = hosted.replica.high_watermark().offset;
            answered = hosted.waits.extract_if(.., |wait| wait.end <= mark).collect();
        }
        for wait in answered {
            self.settle(machine, key, wait, Ok(()));
        }
        if changed.role {
            self.role_taken(machine, key);
        }
        if changed != Changed::default() {
            let _ = self.look_at_polls(machine, Some(key));
        }
    }

    fn led<'a>(&'a self, machine: usize, key: &Key) -> Result<&'a Hosted, ErrorCode> {
        let process = self.machines[machine].process.as_ref();
        let process = process.filter(|process| process.serving);
        let process = process.ok_or(ErrorCode::NOT_LEADER_OR_FOLLOWER)?;
        process.partitions.get(key).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    fn consume(
        &self,
        machine: usize,
        key: Key,
        leader_epoch: i32,
        (offset, elsewhere): (i64, bool),
    ) -> Result<Records, ErrorCode> {
        let hosted = self.led(machine, &key)?;
        let replica = &hosted.replica;
        let may =
            if elsewhere { replica.serve_any(leader_epoch) } else { replica.serve(leader_epoch) };
        may.map_err(ServeError::code)?;
        let (start, high_watermark) =
            (replica.log().start_offset(), replica.high_watermark().offset);
        if offset > replica.log().end_offset() {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        if offset < start {
            // Not as in Kafka, where a consumer has to ask once more for the start.
            return Ok(Records { high_watermark, start, bytes: Bytes::new() });
        }
        let careless = elsewhere && self.has(Mistake::FollowerServesAll);
        let read = hosted.read(offset, self.plan.fetch_bytes, !careless);
        let bytes = read.map_err(|_| ErrorCode::KAFKA_STORAGE_ERROR)?;
        Ok(Records { high_watermark, start, bytes })
    }

    /// As `broker::partition` does for DeleteRecords: nothing goes that is not committed, and it is durable at once.
    fn delete_records(
        &mut self,
        machine: usize,
        key: Key,
        leader_epoch: i32,
        before: i64,
    ) -> Result<(), String> {
        let careless = self.has(Mistake::DeletesUncommitted);
        let Some(process) = self.process(machine).filter(|process| process.serving) else {
            return Ok(());
        };
        let Some(hosted) = process.partitions.get_mut(&key) else { return Ok(()) };
        let mark = hosted.replica.high_watermark().offset;
        if hosted.replica.serve(leader_epoch).is_err() || (before > mark && !careless) {
            return Ok(());
        }
        hosted.replica.log_mut().advance_start(before);
        if let Err(error) = process.checkpoint()
            && !error.is_transient()
        {
            return self.disk_failed(machine, &error);
        }
        self.news(machine, key, Changed::default());
        self.look_at_polls(machine, Some(key))
    }

    fn list_end(&self, machine: usize, key: Key, leader_epoch: i32) -> Result<i64, ErrorCode> {
        let hosted = self.led(machine, &key)?;
        hosted.replica.committed_end(leader_epoch).map_err(ServeError::code)
    }

    pub(super) fn coordinates(&self, machine: usize, key: &Key) -> Result<(), ErrorCode> {
        let hosted = self.led(machine, key)?;
        hosted.replica.serve(-1).map_err(|_| ErrorCode::NOT_COORDINATOR)?;
        let coordinator = hosted.coordinator.as_ref().ok_or(ErrorCode::NOT_COORDINATOR)?;
        if coordinator.loaded { Ok(()) } else { Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS) }
    }
}
