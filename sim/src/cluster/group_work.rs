//! What a coordinator does for the members of its groups, as `broker::group` does around [`groups::Shard`].

use std::collections::VecDeque;

use bytes::Bytes;
use groups::{
    CommittedOffset, Effect, GroupSettings, Join, JoinAnswer, Leaving, Now, Persist, Sync,
    SyncAnswer, record, refusal,
};
use protocol::{ErrorCode, Str, Uuid};

use super::Mistake;
use super::client::topic_of;
use super::coordinator::{Coordinator, group_name};
use super::hosted::{Appended, OffsetWait, Waited, record_batch};
use super::message::{Ask, Key, Message, Told};
use super::world::{Task, World};

const SETTINGS: GroupSettings = GroupSettings {
    initial_rebalance_delay_ms: 80,
    min_session_timeout_ms: 100,
    max_session_timeout_ms: 60_000,
    max_size: 100,
};
/// `session.timeout.ms` of members.
const SESSION_MS: i32 = 1_200;
/// `max.poll.interval.ms` of members.
const REBALANCE_MS: i32 = 1_500;
/// How often deadlines are looked at.
const TICK_MS: u64 = 40;

/// The only assignor.
const ASSIGNOR: &str = "range";
const PROTOCOL_TYPE: &str = "consumer";

impl World {
    pub(super) fn serve_group(
        &mut self,
        machine: usize,
        (from, id): (usize, u64),
        key: Key,
        group: usize,
        ask: Ask,
    ) {
        if let Err(error) = self.coordinates(machine, &key) {
            return self.tell_member(machine, (from, id), elsewhere(&ask, error));
        }
        let now = self.group_now(machine);
        match ask {
            Ask::Join { member } => self.join_group(machine, (from, id), key, group, member),
            Ask::Sync { member, generation, assignments } => {
                let assignments = assignments
                    .into_iter()
                    .map(|(member, parts)| (member, parts.iter().map(|p| *p as u8).collect()))
                    .collect();
                let sync = Sync {
                    request: 0,
                    generation,
                    member_id: member,
                    instance_id: None,
                    protocol_type: None,
                    protocol_name: None,
                    assignments,
                };
                self.sync_group(machine, (from, id), key, group, sync);
            }
            Ask::Heartbeat { member, generation } => {
                let cell = self.coordinator(machine, &key).and_then(|of| of.cell(group));
                let code = cell.map_or(ErrorCode::UNKNOWN_MEMBER_ID, |cell| {
                    cell.group.heartbeat(&member, None, generation, now)
                });
                self.tell_member(machine, (from, id), Told::Code(code));
            }
            Ask::Leave { member } => {
                let leaving = Leaving { member_id: member, instance_id: None };
                let mut effects = Vec::new();
                let cell = self.coordinator(machine, &key).and_then(|of| of.cell(group));
                let code = cell.map_or(ErrorCode::UNKNOWN_MEMBER_ID, |cell| {
                    cell.group.leave(&leaving, &SETTINGS, now, &mut effects)
                });
                self.carry_out(machine, key, group, effects);
                self.tell_member(machine, (from, id), Told::Code(code));
            }
            Ask::Commit { member, generation, lane, topic_id, offset } => {
                let commit = (group, lane, topic_id, offset);
                let done = self.commit(machine, (from, id), key, (&member, generation), commit);
                if let Err(code) = done {
                    self.tell_member(machine, (from, id), Told::Code(code));
                }
            }
            Ask::Offsets => {
                let offsets = self.offsets_of(machine, &key, group);
                self.tell_member(machine, (from, id), Told::Offsets(Ok(offsets)));
            }
        }
    }

    /// As `broker::group::operations` tells them: what was committed for a topic of before is not this one's.
    fn offsets_of(&self, machine: usize, key: &Key, group: usize) -> Vec<(i32, Uuid, i64)> {
        let by_name = self.has(Mistake::OffsetsByName);
        let Some(process) = &self.machines[machine].process else { return Vec::new() };
        let hosted = process.partitions.get(key);
        let Some(coordinator) = hosted.and_then(|hosted| hosted.coordinator.as_ref()) else {
            return Vec::new();
        };
        let offset = |lane| {
            let topic_id = topic_of(&process.applied, &self.plan, lane)?;
            let (topic, index) = self.plan.lane(lane);
            let topic = (topic, (!by_name).then_some(&topic_id));
            Some((lane, topic_id, coordinator.offset(group, topic, index)))
        };
        (0..self.plan.lanes()).filter_map(offset).collect()
    }

    /// Offsets of deleted topics go, as `broker::group` has it when it sees a new image.
    pub(super) fn forget_offsets(&mut self, machine: usize, deleted: &[(Str, Uuid)]) {
        let Some(process) = self.process(machine) else { return };
        let mut tombstones = Vec::new();
        for (key, hosted) in &mut process.partitions {
            if let Some(coordinator) = hosted.coordinator.as_mut().filter(|of| of.loaded) {
                let mut of = coordinator.shard.forget_topics(deleted).unwrap_or_default();
                // The groups are in no order.
                of.sort();
                tombstones.extend(of.into_iter().map(|tombstone| (*key, tombstone)));
            }
        }
        let (_, wall) = self.clocks(machine);
        for (key, tombstone) in tombstones {
            let batch = record_batch(wall, &tombstone);
            let Some(Ok(appended)) = batch.map(|batch| self.append(machine, key, &batch)) else {
                return;
            };
            if self.plan.flush_before_ack {
                self.request_flush(machine, key);
            }
            if let Appended::New { changed, .. } = appended {
                self.news(machine, key, changed);
            }
        }
    }

    fn tell_member(&mut self, machine: usize, (to, id): (usize, u64), told: Told) {
        self.send(machine, to, Message::GroupTold { id, told });
    }

    fn coordinator(&mut self, machine: usize, key: &Key) -> Option<&mut Coordinator> {
        self.process(machine)?.partitions.get_mut(key)?.coordinator.as_mut()
    }

    pub(super) fn group_now(&self, machine: usize) -> Now {
        let (monotonic, wall_ms) = self.clocks(machine);
        Now { monotonic_ms: u64::try_from(monotonic).unwrap_or(0), wall_ms }
    }

    fn join_group(
        &mut self,
        machine: usize,
        who: (usize, u64),
        key: Key,
        group: usize,
        member: Str,
    ) {
        let fresh = Str::from(format!("m{:x}", self.random.u64(..)));
        let (now, name) = (self.group_now(machine), group_name(group));
        let Some(coordinator) = self.coordinator(machine, &key) else { return };
        let known = member.is_empty() || coordinator.shard.cells.contains_key(&name);
        let request = coordinator.request();
        let Some(cell) = coordinator.shard.get_or_create(&name, now).filter(|_| known) else {
            let answer = JoinAnswer::error(member, ErrorCode::UNKNOWN_MEMBER_ID);
            return self.tell_member(machine, who, Told::Joined(answer));
        };
        let join = Join {
            request,
            member_id: member,
            instance_id: None,
            fresh_member_id: fresh,
            require_known_member_id: true,
            can_skip_assignment: false,
            client_id: Str::EMPTY,
            client_host: Str::EMPTY,
            rebalance_timeout_ms: REBALANCE_MS,
            session_timeout_ms: SESSION_MS,
            protocol_type: PROTOCOL_TYPE.into(),
            protocols: vec![(ASSIGNOR.into(), Bytes::new())],
        };
        let mut effects = Vec::new();
        cell.group.join(join, &SETTINGS, now, &mut effects);
        coordinator.shard.waiting.insert(request, who);
        self.carry_out(machine, key, group, effects);
    }

    fn sync_group(
        &mut self,
        machine: usize,
        who: (usize, u64),
        key: Key,
        group: usize,
        sync: Sync,
    ) {
        let now = self.group_now(machine);
        let Some(coordinator) = self.coordinator(machine, &key) else { return };
        let request = coordinator.request();
        let Some(cell) = coordinator.cell(group) else {
            let answer = SyncAnswer::error(ErrorCode::UNKNOWN_MEMBER_ID);
            return self.tell_member(machine, who, Told::Synced(answer));
        };
        let mut effects = Vec::new();
        cell.group.sync(Sync { request, ..sync }, now, &mut effects);
        coordinator.shard.waiting.insert(request, who);
        self.carry_out(machine, key, group, effects);
    }

    /// Carries out a group's effects, and those that follow from them.
    fn carry_out(&mut self, machine: usize, key: Key, group: usize, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let Some(coordinator) = self.coordinator(machine, &key) else { return };
            match effect {
                Effect::Joined(request, answer) => {
                    if let Some(who) = coordinator.shard.waiting.remove(&request) {
                        self.tell_member(machine, who, Told::Joined(answer));
                    }
                }
                Effect::Synced(request, answer) => {
                    if let Some(who) = coordinator.shard.waiting.remove(&request) {
                        self.tell_member(machine, who, Told::Synced(answer));
                    }
                }
                Effect::Persist(persist) => {
                    if let Err(error) = self.persist(machine, key, group, &persist) {
                        effects.extend(self.persisted(machine, &key, group, persist, Err(error)));
                    }
                }
            }
        }
    }

    fn persist(
        &mut self,
        machine: usize,
        key: Key,
        group: usize,
        persist: &Persist,
    ) -> Result<(), ErrorCode> {
        let (_, wall) = self.clocks(machine);
        let Some(coordinator) = self.coordinator(machine, &key) else { return Ok(()) };
        let epoch = coordinator.epoch;
        let Some(cell) = coordinator.cell(group) else { return Ok(()) };
        let record = record::group_record(&cell.group).map_err(|_| ErrorCode::INVALID_REQUEST)?;
        let batch = record_batch(wall, &record).ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let appended = self.append(machine, key, &batch).map_err(refusal)?;
        let what = Waited::Group { epoch, group, persist: persist.clone() };
        self.wait(machine, key, (machine, 0), what, appended);
        Ok(())
    }

    fn persisted(
        &mut self,
        machine: usize,
        key: &Key,
        group: usize,
        persist: Persist,
        result: Result<(), ErrorCode>,
    ) -> Vec<Effect> {
        let now = self.group_now(machine);
        let mut effects = Vec::new();
        if let Some(cell) = self.coordinator(machine, key).and_then(|of| of.cell(group)) {
            cell.group.persisted(persist, result, &SETTINGS, now, &mut effects);
        }
        effects
    }

    /// A group's record is committed, or will not be.
    pub(super) fn group_settled(
        &mut self,
        machine: usize,
        key: Key,
        (epoch, group, persist): (i32, usize, Persist),
        result: Result<(), ErrorCode>,
    ) {
        if self.coordinator(machine, &key).is_some_and(|of| of.epoch == epoch) {
            let result = result.map_err(refusal);
            let effects = self.persisted(machine, &key, group, persist, result);
            self.carry_out(machine, key, group, effects);
        }
    }

    /// A member commits an offset: written as a record, answered when that is committed.
    fn commit(
        &mut self,
        machine: usize,
        who: (usize, u64),
        key: Key,
        (member, generation): (&str, i32),
        commit: (usize, i32, Uuid, i64),
    ) -> Result<(), ErrorCode> {
        let (now, at) = (self.group_now(machine), self.now());
        let unfenced = self.has(Mistake::CommitsUnfenced);
        let (group, lane, topic_id, offset) = commit;
        let (topic, partition) = self.plan.lane(lane);
        let process = self.process(machine).ok_or(ErrorCode::NOT_COORDINATOR)?;
        if process.applied.topic_by_id(&topic_id).is_none_or(|of| of.partition(partition).is_none())
        {
            return Err(ErrorCode::UNKNOWN_TOPIC_ID);
        }
        let coordinator = self.coordinator(machine, &key).ok_or(ErrorCode::NOT_COORDINATOR)?;
        let epoch = coordinator.epoch;
        let cell = coordinator.cell(group).ok_or(ErrorCode::ILLEGAL_GENERATION)?;
        if !unfenced {
            cell.group.check_commit(member, None, generation, now)?;
        }
        let committed = CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: Str::EMPTY,
            commit_ms: now.wall_ms,
            expire_ms: None,
            log_offset: -1,
            topic_id,
        };
        let topic = Str::from_static(topic);
        let name = group_name(group);
        let record = record::offset_record(&name, &topic, partition, Some(&committed));
        let record = record.map_err(|_| ErrorCode::INVALID_REQUEST)?;
        let batch = record_batch(now.wall_ms, &record).ok_or(ErrorCode::UNKNOWN_SERVER_ERROR)?;
        let appended = self.append(machine, key, &batch).map_err(refusal)?;
        let wait = OffsetWait { epoch, group, lane, committed, generation, at };
        self.wait(machine, key, who, Waited::Offset(wait), appended);
        Ok(())
    }

    /// A committed offset is committed, or will not be.
    pub(super) fn offset_settled(
        &mut self,
        machine: usize,
        key: Key,
        who: (usize, u64),
        (wait, base): (OffsetWait, i64),
        result: Result<(), ErrorCode>,
    ) {
        let (topic, partition) = self.plan.lane(wait.lane);
        if result.is_ok() {
            self.checker.offset_taken(wait.group, wait.generation, wait.at);
            if let Some(coordinator) = self.coordinator(machine, &key)
                && coordinator.epoch == wait.epoch
                && let Some(cell) = coordinator.cell(wait.group)
            {
                let committed = CommittedOffset { log_offset: base, ..wait.committed };
                cell.offsets.put(&Str::from_static(topic), partition, committed);
            }
        }
        let code = result.err().map_or(ErrorCode::NONE, |_| ErrorCode::COORDINATOR_NOT_AVAILABLE);
        self.tell_member(machine, who, Told::Code(code));
    }

    /// Deadlines of members and rebalances, for as long as this leadership lasts.
    pub(super) fn tick_groups(
        &mut self,
        machine: usize,
        key: Key,
        epoch: i32,
    ) -> Result<(), String> {
        for group in 0..self.plan.groups {
            let now = self.group_now(machine);
            let Some(coordinator) = self.coordinator(machine, &key) else { return Ok(()) };
            if coordinator.epoch != epoch {
                return Ok(());
            }
            let mut effects = Vec::new();
            if let Some(cell) = coordinator.cell(group) {
                cell.group.tick(&SETTINGS, now, &mut effects);
            }
            self.carry_out(machine, key, group, effects);
        }
        self.task(machine, TICK_MS, Task::Groups(key, epoch));
        Ok(())
    }
}

/// What a member is told by who cannot serve it, as `broker::group::operations` does.
fn elsewhere(ask: &Ask, error: ErrorCode) -> Told {
    let loading = error == ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    match ask {
        Ask::Join { member } => Told::Joined(JoinAnswer::error(member.clone(), error)),
        // The rebalance that the member took part in is lost with the coordinator that led it.
        Ask::Sync { .. } if loading => {
            Told::Synced(SyncAnswer::error(ErrorCode::REBALANCE_IN_PROGRESS))
        }
        Ask::Sync { .. } => Told::Synced(SyncAnswer::error(error)),
        Ask::Heartbeat { .. } if loading => Told::Code(ErrorCode::NONE),
        Ask::Heartbeat { .. } | Ask::Leave { .. } | Ask::Commit { .. } => Told::Code(error),
        Ask::Offsets => Told::Offsets(Err(error)),
    }
}
