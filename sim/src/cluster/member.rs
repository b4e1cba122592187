//! [`Member`]: of a consumer group. It joins, takes partitions, commits offsets, and goes now and then.

use std::collections::BTreeMap;

use groups::{JoinAnswer, SyncAnswer};
use protocol::{ErrorCode, Str, Uuid};

use super::client::{ANSWER_MS, Kind};
use super::message::{Ask, Key, Message, Told};
use super::world::World;

/// How long a join or sync is waited for: a rebalance waits for the others.
const REBALANCE_MS: u64 = 4_000;
/// `heartbeat.interval.ms`.
const BEAT_MS: u64 = 250;
/// Signs of life after everything is healed.
const LAST_BEATS: u32 = 3;

/// A member of a group; every offset that it commits is greater by one than what was committed before.
pub(super) struct Member {
    pub(super) group: usize,
    /// Empty before a coordinator has given one.
    id: Str,
    generation: i32,
    phase: Phase,
    assigned: Vec<i32>,
    /// What is committed, as far as it knows.
    positions: BTreeMap<i32, (Uuid, i64)>,
    asked: Option<(u64, u64, Wanted)>,
    beat_at: u64,
    after_healing: u32,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Out,
    /// In a generation; the leader knows what to assign to whom.
    Joined(Vec<(Str, Vec<i32>)>),
    /// It has its partitions, and does not know where to go on.
    Synced,
    In,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Join,
    Sync,
    Offsets,
    Beat,
    Leave,
    Commit(i32, Uuid, i64),
    /// What is committed, without going back to it.
    Look,
}

impl Member {
    pub(super) fn new(group: usize) -> Self {
        Self {
            group,
            id: Str::EMPTY,
            generation: -1,
            phase: Phase::Out,
            assigned: Vec::new(),
            positions: BTreeMap::new(),
            asked: None,
            beat_at: 0,
            after_healing: 0,
        }
    }

    /// The generation that it takes part in for good, with what it was assigned; `None` as long as it has not settled.
    pub(super) fn settled(&self) -> Option<(i32, &[i32])> {
        let done = self.phase == Phase::In && self.after_healing >= LAST_BEATS;
        done.then_some((self.generation, &self.assigned))
    }

    /// What it asks next; `draw` is chance, `topics` tells the topic of each partition that is there.
    fn next(
        &mut self,
        now: u64,
        (may_leave, draw): (bool, usize),
        topics: impl Fn(i32) -> Option<Uuid>,
    ) -> Option<(Wanted, Ask)> {
        let (member, generation) = (self.id.clone(), self.generation);
        Some(match &self.phase {
            Phase::Out => (Wanted::Join, Ask::Join { member }),
            Phase::Joined(assignments) => {
                let assignments = assignments.clone();
                (Wanted::Sync, Ask::Sync { member, generation, assignments })
            }
            Phase::Synced => (Wanted::Offsets, Ask::Offsets),
            Phase::In if may_leave && draw.is_multiple_of(150) => {
                (Wanted::Leave, Ask::Leave { member })
            }
            Phase::In if now >= self.beat_at + BEAT_MS => {
                self.beat_at = now;
                (Wanted::Beat, Ask::Heartbeat { member, generation })
            }
            Phase::In if draw.is_multiple_of(5) && self.after_healing < LAST_BEATS => {
                (Wanted::Look, Ask::Offsets)
            }
            // At the end there is silence, so that all replicas come to one end.
            Phase::In if self.after_healing >= LAST_BEATS => return None,
            Phase::In => {
                let lane = *self.assigned.get(draw % self.assigned.len().max(1))?;
                let topic_id = topics(lane)?;
                let known = self.positions.get(&lane).filter(|(of, _)| *of == topic_id);
                let offset = known.map_or(-1, |(_, offset)| *offset) + 1;
                let ask = Ask::Commit { member, generation, lane, topic_id, offset };
                (Wanted::Commit(lane, topic_id, offset), ask)
            }
        })
    }

    fn joined(&mut self, answer: JoinAnswer, partitions: i32) {
        self.id = answer.member_id;
        self.generation = answer.generation;
        let mut assignments = Vec::new();
        if answer.leader == self.id {
            let members = &answer.members;
            assignments.extend(members.iter().map(|of| (of.member_id.clone(), Vec::new())));
            for partition in 0..partitions {
                let to = partition as usize % assignments.len().max(1);
                if let Some((_, parts)) = assignments.get_mut(to) {
                    parts.push(partition);
                }
            }
        }
        self.phase = Phase::Joined(assignments);
    }

    fn synced(&mut self, answer: &SyncAnswer) {
        self.assigned = answer.assignment.iter().map(|p| i32::from(*p)).collect();
        self.phase = Phase::Synced;
    }

    /// Takes a refusal; whether another may be the coordinator.
    fn refused(&mut self, code: ErrorCode) -> bool {
        match code {
            ErrorCode::UNKNOWN_MEMBER_ID => {
                (self.id, self.phase) = (Str::EMPTY, Phase::Out);
                false
            }
            ErrorCode::REBALANCE_IN_PROGRESS | ErrorCode::ILLEGAL_GENERATION => {
                self.phase = Phase::Out;
                false
            }
            _ => true,
        }
    }
}

impl World {
    pub(super) fn member_acts(&mut self, client: usize) {
        let (now, may_leave) = (self.now(), !self.healed);
        let draw = self.random.usize(..10_000);
        let of = &mut self.clients[client];
        let Some((key, leader, _)) = of.coordinator() else { return };
        let id = of.id();
        let topics: Vec<_> =
            (0..self.plan.lanes()).map(|lane| of.topic_of(&self.plan, lane)).collect();
        let Kind::Member(member) = &mut of.kind else { return };
        if let Some((_, until, wanted)) = member.asked {
            if now < until {
                return;
            }
            member.asked = None;
            if matches!(wanted, Wanted::Join | Wanted::Sync) {
                member.phase = Phase::Out;
            }
        }
        let topic = |lane: i32| topics.get(lane as usize).copied().flatten();
        let Some((wanted, ask)) = member.next(now, (may_leave, draw), topic) else { return };
        let patience =
            if matches!(wanted, Wanted::Join | Wanted::Sync) { REBALANCE_MS } else { ANSWER_MS };
        member.asked = Some((id, now + patience, wanted));
        let group = member.group;
        if let Wanted::Commit(lane, topic_id, offset) = wanted {
            let key = (topic_id, self.plan.lane(lane).1);
            self.checker.groups.asks_to_commit((group, key, offset));
        }
        self.client_sends(client, leader, Message::Group { id, key, group, ask });
    }

    pub(super) fn member_is_told(
        &mut self,
        client: usize,
        id: u64,
        told: Told,
    ) -> Result<(), String> {
        let (now, healed, partitions) = (self.now(), self.healed, self.plan.lanes());
        let key = self.clients[client].coordinator().map(|(key, ..)| key);
        let Kind::Member(member) = &mut self.clients[client].kind else { return Ok(()) };
        let Some((_, _, wanted)) = member.asked.take_if(|(asked, ..)| *asked == id) else {
            return Ok(());
        };
        let group = member.group;
        self.say(|| format!("client {client} of group {group}, on {wanted:?}: {told:?}"));
        let Kind::Member(member) = &mut self.clients[client].kind else { return Ok(()) };
        let code = match &told {
            Told::Joined(answer) => answer.error,
            Told::Synced(answer) => answer.error,
            Told::Code(code) => *code,
            Told::Offsets(offsets) => offsets.as_ref().err().copied().unwrap_or(ErrorCode::NONE),
        };
        match (wanted, told) {
            (Wanted::Leave, _) => (member.id, member.phase) = (Str::EMPTY, Phase::Out),
            (Wanted::Join, Told::Joined(answer)) if code == ErrorCode::MEMBER_ID_REQUIRED => {
                member.id = answer.member_id;
            }
            _ if code != ErrorCode::NONE => {
                let elsewhere = member.refused(code);
                if elsewhere && matches!(wanted, Wanted::Join | Wanted::Sync) {
                    member.phase = Phase::Out;
                }
                if elsewhere {
                    self.ask_metadata(client);
                }
            }
            (Wanted::Join, Told::Joined(answer)) => member.joined(answer, partitions),
            (Wanted::Sync, Told::Synced(answer)) => {
                member.synced(&answer);
                let (of, assigned) = ((member.group, member.generation), member.assigned.clone());
                return self.checker.groups.assigned(now, of, member.id.clone(), assigned);
            }
            (Wanted::Offsets, Told::Offsets(Ok(offsets))) => {
                let position =
                    |(lane, topic_id, offset): &(i32, Uuid, i64)| (*lane, (*topic_id, *offset));
                member.positions = offsets.iter().map(position).collect();
                member.phase = Phase::In;
                return self.offsets_are_told(key, group, offsets);
            }
            (Wanted::Look, Told::Offsets(Ok(offsets))) => {
                return self.offsets_are_told(key, group, offsets);
            }
            (Wanted::Beat, _) => member.after_healing += u32::from(healed),
            (Wanted::Commit(lane, topic_id, offset), _) => {
                member.after_healing += u32::from(healed);
                member.positions.insert(lane, (topic_id, offset));
                let commit = (member.group, (topic_id, self.plan.lane(lane).1), offset);
                self.checker.count_acknowledged();
                self.offset_is_known(key, commit);
            }
            _ => {}
        }
        Ok(())
    }

    /// Somebody hears what a group has committed.
    fn offsets_are_told(
        &mut self,
        coordinator: Option<Key>,
        group: usize,
        offsets: Vec<(i32, Uuid, i64)>,
    ) -> Result<(), String> {
        for (lane, topic_id, offset) in offsets.into_iter().filter(|told| told.2 >= 0) {
            let offset = (group, (topic_id, self.plan.lane(lane).1), offset);
            self.checker.groups.is_told(offset)?;
            self.offset_is_known(coordinator, offset);
        }
        Ok(())
    }

    fn offset_is_known(&mut self, key: Option<Key>, offset: super::coordinator::Offset) {
        if let Some(key) = key {
            self.checker.offset_told(key, offset);
        }
    }
}
