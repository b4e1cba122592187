mod random;
mod scenarios;

use std::collections::HashMap;

use super::*;

/// A group, a clock and the answers so far.
struct World {
    group: Group,
    settings: GroupSettings,
    now_ms: u64,
    next: RequestId,
    joined: HashMap<RequestId, JoinAnswer>,
    synced: HashMap<RequestId, SyncAnswer>,
    /// Writes that are under way.
    writes: Vec<Persist>,
}

impl World {
    fn new(initial_rebalance_delay_ms: u64) -> Self {
        let now = Now { monotonic_ms: 0, wall_ms: 1_000_000 };
        Self {
            group: Group::new("g".into(), now),
            settings: GroupSettings {
                initial_rebalance_delay_ms,
                min_session_timeout_ms: 10,
                max_session_timeout_ms: 100_000,
                max_size: 4,
            },
            now_ms: 0,
            next: 0,
            joined: HashMap::new(),
            synced: HashMap::new(),
            writes: Vec::new(),
        }
    }

    fn now(&self) -> Now {
        Now { monotonic_ms: self.now_ms, wall_ms: 1_000_000 + self.now_ms as i64 }
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Joined(id, answer) => {
                    assert_eq!(self.joined.insert(id, answer), None, "join {id} answered twice");
                }
                Effect::Synced(id, answer) => {
                    assert_eq!(self.synced.insert(id, answer), None, "sync {id} answered twice");
                }
                Effect::Persist(persist) => self.writes.push(persist),
            }
        }
    }

    fn request(&mut self) -> RequestId {
        self.next += 1;
        self.next
    }

    fn join(&mut self, member: Joining<'_>) -> RequestId {
        let id = self.request();
        let join = Join {
            request: id,
            member_id: Str::copy(member.id),
            instance_id: member.instance.map(Str::copy),
            fresh_member_id: Str::from(format!("{}-{id}", member.instance.unwrap_or("m"))),
            require_known_member_id: member.require_id,
            can_skip_assignment: member.can_skip,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            protocol_type: Str::copy(member.protocol_type),
            protocols: member
                .protocols
                .iter()
                .map(|name| (Str::copy(name), Bytes::copy_from_slice(member.metadata.as_bytes())))
                .collect(),
        };
        let mut out = Vec::new();
        self.group.join(join, &self.settings, self.now(), &mut out);
        self.take(out);
        id
    }

    fn sync(
        &mut self,
        member_id: &str,
        generation: i32,
        assignments: &[(&str, &str)],
    ) -> RequestId {
        let id = self.request();
        let sync = Sync {
            request: id,
            generation,
            member_id: Str::copy(member_id),
            instance_id: None,
            protocol_type: None,
            protocol_name: None,
            assignments: assignments
                .iter()
                .map(|(m, a)| (Str::copy(m), Bytes::copy_from_slice(a.as_bytes())))
                .collect(),
        };
        let mut out = Vec::new();
        self.group.sync(sync, self.now(), &mut out);
        self.take(out);
        id
    }

    fn heartbeat(&mut self, member_id: &str, generation: i32) -> ErrorCode {
        let now = self.now();
        self.group.heartbeat(member_id, None, generation, now)
    }

    fn leave(&mut self, member_id: &str, instance: Option<&str>) -> ErrorCode {
        let leaving =
            Leaving { member_id: Str::copy(member_id), instance_id: instance.map(Str::copy) };
        let mut out = Vec::new();
        let code = self.group.leave(&leaving, &self.settings, self.now(), &mut out);
        self.take(out);
        code
    }

    /// The oldest write ends.
    fn written(&mut self, result: Result<(), ErrorCode>) {
        let write = self.writes.remove(0);
        let mut out = Vec::new();
        self.group.persisted(write, result, &self.settings, self.now(), &mut out);
        self.take(out);
    }

    /// Time goes on; deadlines are kept at their moment, as the coordinator does.
    fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(at) = self.group.next_deadline().filter(|at| *at <= until) {
            self.now_ms = self.now_ms.max(at);
            let mut out = Vec::new();
            self.group.tick(&self.settings, self.now(), &mut out);
            self.take(out);
        }
        self.now_ms = until;
    }

    fn answer(&self, id: RequestId) -> &JoinAnswer {
        self.joined.get(&id).unwrap_or_else(|| panic!("join {id} waits"))
    }

    fn waits(&self, id: RequestId) -> bool {
        !self.joined.contains_key(&id) && !self.synced.contains_key(&id)
    }

    /// Members of these instances (static) in a Stable group, in that order; the first one leads.
    fn stable(instances: &[&str]) -> (World, Vec<Str>) {
        let mut world = World::new(50);
        let requests: Vec<_> =
            instances.iter().map(|i| world.join(Joining::new("").instance(i))).collect();
        world.pass(120);
        let ids: Vec<Str> = requests.iter().map(|r| world.answer(*r).member_id.clone()).collect();
        let leader = world.answer(requests[0]).leader.clone();
        let assignments: Vec<(String, String)> =
            ids.iter().map(|id| (id.to_string(), format!("part of {id}"))).collect();
        let assignments: Vec<(&str, &str)> =
            assignments.iter().map(|(m, a)| (&**m, &**a)).collect();
        for id in &ids {
            let mine = if *id == leader { &assignments[..] } else { &[] };
            world.sync(id, 1, mine);
        }
        world.written(Ok(()));
        assert_eq!(world.group.state(), State::Stable);
        (world, ids)
    }
}

/// How a member joins.
#[derive(Clone, Copy)]
struct Joining<'a> {
    id: &'a str,
    instance: Option<&'a str>,
    require_id: bool,
    can_skip: bool,
    session_timeout_ms: i32,
    rebalance_timeout_ms: i32,
    protocol_type: &'a str,
    protocols: &'a [&'a str],
    metadata: &'a str,
}

impl<'a> Joining<'a> {
    fn new(id: &'a str) -> Self {
        Self {
            id,
            instance: None,
            require_id: false,
            can_skip: true,
            session_timeout_ms: 1000,
            rebalance_timeout_ms: 300,
            protocol_type: "consumer",
            protocols: &["range"],
            metadata: "topics",
        }
    }

    fn instance(self, instance: &'a str) -> Self {
        Self { instance: Some(instance), ..self }
    }
}
