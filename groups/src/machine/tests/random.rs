//! Members that do anything at any time, with the invariants checked after every step.

use std::collections::{BTreeMap, HashSet};

use super::*;

const STEPS: usize = 400;
const SEEDS: u64 = 300;

/// What a client knows.
#[derive(Debug, Default, Clone)]
struct Client {
    instance: Option<String>,
    member_id: String,
    generation: i32,
    join: Option<RequestId>,
    sync: Option<RequestId>,
    /// Who is in the generation that it leads.
    leads: Vec<Str>,
}

struct Run {
    world: World,
    rng: fastrand::Rng,
    clients: Vec<Client>,
    requests: Vec<RequestId>,
    /// Generation → leader that was told the members.
    leaders: BTreeMap<i32, Str>,
    last_generation: i32,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::new(rng.u64(0..200));
        world.settings.max_size = rng.usize(1..5);
        let client = |i: usize| Client {
            instance: i.is_multiple_of(2).then(|| format!("instance-{i}")),
            ..Client::default()
        };
        let clients = (0..5).map(client).collect();
        Self {
            world,
            rng,
            clients,
            requests: Vec::new(),
            leaders: BTreeMap::new(),
            last_generation: 0,
        }
    }

    fn step(&mut self) {
        let i = self.rng.usize(..self.clients.len());
        match self.rng.u32(..20) {
            0..=5 => self.join(i),
            6..=10 => self.sync(i),
            11 | 12 => drop(self.heartbeat(i)),
            13 => self.leave(i),
            // The process died and comes back knowing nothing.
            14 => self.forget(i),
            15..=17 if !self.world.writes.is_empty() => {
                let fails = self.rng.u32(..10) == 0;
                self.world.written(if fails { Err(ErrorCode::NOT_COORDINATOR) } else { Ok(()) });
            }
            _ => {
                let ms = self.rng.u64(0..400);
                self.world.pass(ms);
            }
        }
        self.learn();
        self.check();
    }

    fn join(&mut self, i: usize) {
        let client = self.clients[i].clone();
        let metadata = if self.rng.u32(..8) == 0 { "other" } else { "topics" };
        let joining = Joining {
            id: &client.member_id,
            instance: client.instance.as_deref(),
            require_id: self.rng.bool(),
            can_skip: self.rng.bool(),
            protocols: if self.rng.u32(..4) == 0 { &["sticky", "range"] } else { &["range"] },
            metadata,
            ..Joining::new("")
        };
        let id = self.world.join(joining);
        self.requests.push(id);
        self.clients[i].join = Some(id);
        self.clients[i].sync = None;
    }

    fn sync(&mut self, i: usize) {
        let client = self.clients[i].clone();
        let assignments: Vec<(String, String)> = client
            .leads
            .iter()
            .map(|m| {
                (m.to_string(), format!("{} of {m} by {}", client.generation, client.member_id))
            })
            .collect();
        let assignments: Vec<(&str, &str)> =
            assignments.iter().map(|(m, a)| (&**m, &**a)).collect();
        let id = self.world.sync(&client.member_id, client.generation, &assignments);
        self.requests.push(id);
        self.clients[i].sync = Some(id);
    }

    fn heartbeat(&mut self, i: usize) -> ErrorCode {
        let client = &self.clients[i];
        self.world.heartbeat(&client.member_id.clone(), client.generation)
    }

    fn leave(&mut self, i: usize) {
        let client = self.clients[i].clone();
        self.world.leave(&client.member_id, client.instance.as_deref());
        self.forget(i);
    }

    fn forget(&mut self, i: usize) {
        let instance = self.clients[i].instance.take();
        self.clients[i] = Client { instance, ..Client::default() };
    }

    /// Clients read their answers.
    fn learn(&mut self) {
        for client in &mut self.clients {
            if let Some(answer) = client.join.and_then(|id| self.world.joined.get(&id)) {
                client.join = None;
                match answer.error {
                    ErrorCode::NONE => {
                        client.member_id = answer.member_id.to_string();
                        client.generation = answer.generation;
                        client.leads = answer.members.iter().map(|m| m.member_id.clone()).collect();
                        if !answer.members.is_empty() && !answer.skip_assignment {
                            let leader = self.leaders.entry(answer.generation);
                            let leader = leader.or_insert_with(|| answer.member_id.clone());
                            assert_eq!(*leader, answer.member_id, "two leaders of a generation");
                        }
                    }
                    ErrorCode::MEMBER_ID_REQUIRED => {
                        client.member_id = answer.member_id.to_string();
                    }
                    _ => client.member_id.clear(),
                }
            }
            if let Some(answer) = client.sync.and_then(|id| self.world.synced.get(&id)) {
                client.sync = None;
                if answer.error == ErrorCode::NONE && !answer.assignment.is_empty() {
                    let text = String::from_utf8(answer.assignment.to_vec()).unwrap();
                    let (generation, _) = text.split_once(' ').unwrap();
                    assert_eq!(
                        generation,
                        client.generation.to_string(),
                        "an assignment of another generation: {text}"
                    );
                }
            }
        }
    }

    fn check(&mut self) {
        let group = &self.world.group;
        assert!(group.generation() >= self.last_generation, "generations do not go back");
        self.last_generation = group.generation();
        assert!(group.members().len() <= self.world.settings.max_size, "more members than may be");
        for (instance, member) in &group.static_members {
            let owner = group.members.get(member).expect("a static member is a member");
            assert_eq!(owner.instance_id.as_ref(), Some(instance));
        }
        let waiting = group.members().any(|m| m.joining.is_some() || m.syncing.is_some());
        if waiting {
            assert!(group.next_deadline().is_some(), "a request waits for ever: {group:?}");
        }
        match group.state() {
            State::Empty => assert!(group.members.is_empty() && group.rebalance.is_none()),
            State::Stable => {
                assert!(group.members().all(|m| m.joining.is_none() && m.syncing.is_none()));
                assert!(group.leader.as_ref().is_some_and(|l| group.members.contains_key(l)));
            }
            State::CompletingRebalance => {
                assert!(group.members().all(|m| m.joining.is_none()));
            }
            State::PreparingRebalance => {
                assert!(group.members().all(|m| m.syncing.is_none()));
                assert!(group.rebalance.is_some());
            }
            State::Dead => panic!("nobody deleted it"),
        }
        let assigned: Vec<&Member> = group.members().filter(|m| !m.assignment.is_empty()).collect();
        let generations: HashSet<&[u8]> = assigned
            .iter()
            .map(|m| m.assignment.split(|b| *b == b' ').next().unwrap_or_default())
            .collect();
        assert!(generations.len() <= 1, "assignments of several generations: {group:?}");
    }

    /// After long enough nobody waits any more.
    fn settle(&mut self) {
        while !self.world.writes.is_empty() {
            self.world.written(Ok(()));
        }
        self.world.pass(2 * NEW_MEMBER_JOIN_TIMEOUT_MS);
        while !self.world.writes.is_empty() {
            self.world.written(Ok(()));
        }
        for id in &self.requests {
            assert!(!self.world.waits(*id), "request {id} was never answered");
        }
        assert_eq!(self.world.group.state(), State::Empty);
    }
}

#[test]
fn whatever_members_do_the_invariants_hold() {
    let mut generations = 0;
    for seed in 0..SEEDS {
        let outcome = std::panic::catch_unwind(|| {
            let mut run = Run::new(seed);
            for _ in 0..STEPS {
                run.step();
            }
            run.settle();
            run.last_generation
        });
        generations += outcome.unwrap_or_else(|_| panic!("seed {seed}"));
    }
    assert!(generations > SEEDS as i32 * 5, "the runs must get somewhere: {generations}");
}
