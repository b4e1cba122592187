//! A cluster to play with: brokers, replicas, voters and StatefulSets as numbers, and an operator that may be killed
//! anywhere. It checks, at every action, what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use crds::Scaling;
use k8s_openapi::jiff::Timestamp;

use super::{
    Action, Answers, Request, Seen, Situation, Step, Volume, next, outcome, voter_count, wanted_ids,
};
use crate::safety::{
    Answer, Done, MovesAnswer, Obstacle, Order, Question, QuorumAnswer, QuorumMember,
    ReplicasAnswer, RestartAnswer, SafetyFailure,
};
use crate::verdict::Verdict;
use crate::workload::PodState;

/// Passes in which any change must be through.
const MAX_PASSES: usize = 400;
/// Passes that a pod needs to start.
const START: u8 = 2;

/// Where the operator dies in a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kill {
    /// It has decided and done nothing.
    Before,
    /// It has done one half of an action that has two.
    Within,
    /// It has acted and not written it down.
    After,
}

/// A broker's StatefulSet and pod.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) version: u32,
    /// Passes until it is ready.
    pub(super) starting: u8,
    pub(super) crashing: bool,
    /// Whether it runs and says that it is busy with its log.
    pub(super) recovering: bool,
    /// Whether somebody evicts it.
    pub(super) evicted: bool,
    /// Whether it has a node, and so its volume.
    pub(super) holds: bool,
}

/// A claim.
#[derive(Clone, Debug, Default)]
pub(super) struct Claim {
    /// How many came before it.
    pub(super) generation: u32,
    pub(super) lost: bool,
    pub(super) deleted: bool,
    pub(super) request: Option<Request>,
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) replicas: i32,
    pub(super) remove: Vec<i32>,
    pub(super) version: u32,
    /// Versions whose pods crash.
    pub(super) bad: BTreeSet<u32>,
    pub(super) pods: BTreeMap<i32, Pod>,
    /// Pods that end, and passes until they have.
    pub(super) ending: BTreeMap<i32, u8>,
    /// Replicas by broker.
    pub(super) load: BTreeMap<i32, u64>,
    pub(super) registered: BTreeSet<i32>,
    pub(super) voters: BTreeSet<i32>,
    pub(super) first_voters: usize,
    /// Voters whose disks were lost: the vote is that of a data folder that is no more.
    pub(super) lost: BTreeSet<i32>,
    pub(super) leader: i32,
    pub(super) volumes: BTreeMap<i32, Claim>,
    pub(super) delete_volumes: bool,
    pub(super) replace_lost: bool,
    /// Brokers that have something alone.
    pub(super) sole: BTreeSet<i32>,
    /// Replicas that are not in sync, by broker.
    pub(super) behind: BTreeMap<i32, u64>,
    /// Most brokers of a zone that restart together.
    pub(super) together: usize,
    /// Zones by broker.
    pub(super) zones: BTreeMap<i32, &'static str>,
    /// Pairs of brokers that some partition cannot do without.
    pub(super) pairs: Vec<[i32; 2]>,
    /// Whether the brokers are of a release that says nothing of either.
    pub(super) old_release: bool,
    /// Whether votes can be given.
    pub(super) no_votes: bool,
    /// Brokers that work and whose pods are not ready.
    pub(super) unready: BTreeSet<i32>,
    /// Brokers that work and whose nodes are not heard from.
    pub(super) unheard: BTreeSet<i32>,
    /// Whether brokers answer at all.
    pub(super) silent: bool,
    /// Whether they answer that nobody leads.
    pub(super) leaderless: bool,
    /// A topic that cannot move.
    pub(super) blocked: Option<String>,
    /// What the status says, the only memory.
    pub(super) scaling: Scaling,
    pub(super) known: BTreeSet<i32>,
    /// Brokers restarted or removed, in order.
    pub(super) log: Vec<String>,
    pub(super) verdict: Option<Verdict>,
}

impl World {
    /// A cluster of so many brokers that has come up, with three replicas on each.
    pub(super) fn of(brokers: i32) -> Self {
        let ids: Vec<i32> = (0..brokers).collect();
        let mut world = Self {
            replicas: brokers,
            remove: Vec::new(),
            version: 1,
            bad: BTreeSet::new(),
            pods: BTreeMap::new(),
            ending: BTreeMap::new(),
            load: ids.iter().map(|id| (*id, 3)).collect(),
            registered: BTreeSet::new(),
            voters: ids.iter().copied().take(voter_count(ids.len())).collect(),
            first_voters: voter_count(ids.len()),
            lost: BTreeSet::new(),
            leader: 0,
            volumes: BTreeMap::new(),
            delete_volumes: false,
            replace_lost: false,
            sole: BTreeSet::new(),
            behind: BTreeMap::new(),
            together: 1,
            zones: BTreeMap::new(),
            pairs: Vec::new(),
            old_release: false,
            no_votes: false,
            unready: BTreeSet::new(),
            unheard: BTreeSet::new(),
            silent: false,
            leaderless: false,
            blocked: None,
            scaling: Scaling::default(),
            known: BTreeSet::new(),
            log: Vec::new(),
            verdict: None,
        };
        world.settle();
        world.log.clear();
        world
    }

    fn wanted(&self) -> Vec<i32> {
        let live: Vec<i32> = self.pods.keys().chain(&self.known).copied().collect();
        wanted_ids(self.replicas, &self.remove, &live)
    }

    pub(super) fn situation(&self) -> Situation {
        let seen = |(id, pod): (&i32, &Pod)| Seen {
            id: *id,
            current: pod.version == self.version,
            settled: true,
            starting: pod.recovering,
            evicted: pod.evicted,
            runs: pod.recovering || self.unready.contains(id) || self.unheard.contains(id),
            unheard: self.unheard.contains(id),
            holds: pod.holds,
            zone: self.zones.get(id).map(|zone| (*zone).to_owned()),
            volume: self.volumes.get(id).map(|claim| Volume {
                uid: format!("{id}-{}", claim.generation),
                lost: claim.lost,
                deleted: claim.deleted,
                request: claim.request,
            }),
            pod: Some(if pod.crashing {
                PodState::Failing("has crashed".into())
            } else if pod.starting > 0
                || !pod.holds
                || pod.recovering
                || self.unready.contains(id)
                || self.unheard.contains(id)
            {
                PodState::Waiting("is starting".into())
            } else {
                PodState::Ready
            }),
        };
        Situation {
            name: "demo".into(),
            wanted: self.wanted(),
            brokers: self.pods.iter().map(seen).collect(),
            lingering: self.ending.keys().copied().collect(),
            scaling: self.scaling.clone(),
            first_voters: self.first_voters,
            delete_volumes: self.delete_volumes,
            replace_lost: self.replace_lost,
            together: self.together,
            bandwidth: None,
        }
    }

    pub(super) fn down(&self) -> Vec<i32> {
        let down = |(_, pod): &(&i32, &Pod)| {
            pod.starting > 0 || pod.crashing || pod.recovering || !pod.holds
        };
        self.pods.iter().filter(down).map(|(id, _)| *id).collect()
    }

    /// Whether the quorum lives on without these, as a strict judge sees it who knows no exception.
    fn majority_without(&self, ids: &[i32]) -> bool {
        let rest = self.voters.iter().filter(|id| !ids.contains(id)).count();
        rest * 2 > self.voters.len()
    }

    fn answer(&self, question: &Question) -> Result<Answer, SafetyFailure> {
        if self.silent {
            return Err(SafetyFailure::Unknown("no answer".into()));
        }
        if self.leaderless {
            return Err(SafetyFailure::Leaderless("the metadata quorum has no leader".into()));
        }
        let left = |ids: &[i32]| ids.iter().filter_map(|id| self.load.get(id)).sum::<u64>();
        Ok(match question {
            Question::Restart(ids) => Answer::Restart(RestartAnswer {
                safe: self.down().iter().all(|id| ids.contains(id))
                    && self.behind.iter().all(|(id, left)| *left == 0 || ids.contains(id))
                    && !self.pairs.iter().any(|pair| pair.iter().all(|id| ids.contains(id)))
                    && self.majority_without(ids),
                reasons: vec![Obstacle {
                    kind: if self.majority_without(ids) { "partition" } else { "quorum" }.into(),
                    topic: None,
                    message: "a replica is behind".into(),
                }],
                controller: Some(self.leader),
                ..Default::default()
            }),
            Question::Replicas(ids) => Answer::Replicas(ReplicasAnswer {
                replicas: left(ids),
                moving: 0,
                bytes_left: left(ids) * 1024,
                behind: (!self.old_release)
                    .then(|| ids.iter().filter_map(|id| self.behind.get(id)).sum()),
                sole: (!self.old_release)
                    .then(|| ids.iter().filter(|id| self.has_alone(**id)).count() as u64),
                sole_topics: vec!["orders".into()],
                ..ReplicasAnswer::default()
            }),
            Question::Quorum => {
                // What is no more is listed for some minutes, and first.
                let gone = |(id, claim): (&i32, &Claim)| {
                    let former = |generation| QuorumMember {
                        id: *id,
                        directory_id: format!("disk-{id}-{generation}"),
                        lag: Some(0),
                        last_caught_up_ms: Some(90_000),
                    };
                    (0..claim.generation).map(former).collect::<Vec<_>>()
                };
                let gone = self.volumes.iter().flat_map(gone);
                let disk = |disk: &str, id: &i32| QuorumMember {
                    id: *id,
                    directory_id: match self.volumes.get(id) {
                        Some(claim) => format!("{disk}-{id}-{}", claim.generation),
                        None => format!("{disk}-{id}"),
                    },
                    lag: Some(0),
                    last_caught_up_ms: Some(if disk == "old" { 90_000 } else { 200 }),
                };
                let voter = |id| disk(if self.lost.contains(id) { "old" } else { "disk" }, id);
                let votes = |id: &&i32| self.voters.contains(id) && !self.lost.contains(id);
                let observers = self.registered.iter().filter(|id| !votes(id));
                Answer::Quorum(QuorumAnswer {
                    leader: Some(self.leader),
                    voters: self.voters.iter().map(voter).collect(),
                    observers: gone.chain(observers.map(|id| disk("disk", id))).collect(),
                })
            }
            Question::Proposal | Question::Bandwidth => panic!("only a Rebalance asks for it"),
            Question::Registered => Answer::Registered(self.registered.iter().copied().collect()),
            Question::Recovery(id) => {
                Answer::Recovery(self.pods.get(id).is_some_and(|pod| pod.recovering))
            }
        })
    }

    /// Whether nobody else who works has everything that a broker has.
    fn has_alone(&self, id: i32) -> bool {
        let others = || self.pods.keys().filter(|other| **other != id);
        let behind = |other: &&i32| self.behind.get(other).is_some_and(|left| *left > 0);
        self.sole.contains(&id) || others().next().is_none() || others().all(|o| behind(&o))
    }

    /// Moves at most two replicas from one set of brokers to the emptiest other.
    fn shift(&mut self, from: &[i32], to: &[i32]) -> MovesAnswer {
        let mut moving = 0;
        if self.blocked.is_none() {
            for _ in 0..2 {
                let source = from.iter().copied().max_by_key(|id| self.load.get(id).copied());
                let target = to.iter().copied().min_by_key(|id| self.load.get(id).copied());
                let (Some(source), Some(target)) = (source, target) else { break };
                let excess = self.load.get(&source).copied().unwrap_or(0);
                let spare = self.load.get(&target).copied().unwrap_or(0);
                if excess == 0 || (from == to && excess <= spare + 1) {
                    break;
                }
                *self.load.entry(source).or_default() -= 1;
                *self.load.entry(target).or_default() += 1;
                moving += 1;
            }
        }
        let left =
            if from == to { 0 } else { from.iter().filter_map(|id| self.load.get(id)).sum() };
        let blocked = self.blocked.iter().map(|topic| Obstacle {
            kind: "partition".into(),
            topic: Some(topic.clone()),
            message: "it needs more brokers".into(),
        });
        MovesAnswer {
            planned: moving,
            moving,
            left,
            bytes_left: left * 1024,
            blocked: blocked.collect(),
        }
    }

    fn order(&mut self, order: &Order) -> Result<Done, SafetyFailure> {
        if self.silent {
            return Err(SafetyFailure::Unknown("no answer".into()));
        }
        match order {
            Order::Evacuate(ids) => {
                let others: Vec<i32> =
                    self.registered.iter().copied().filter(|id| !ids.contains(id)).collect();
                return Ok(Done::Moves(self.shift(ids, &others)));
            }
            Order::Spread => {
                let all: Vec<i32> = self.registered.iter().copied().collect();
                return Ok(Done::Moves(self.shift(&all, &all)));
            }
            // Not the plan's, but an eviction's, a topic's, and what comes before moves.
            Order::Drain(_) | Order::Resize { .. } | Order::Limit(_) => {}
            Order::StopMoves(ids) => self.log.push(format!("stop {ids:?}")),
            Order::AddVoter { .. } if self.no_votes => {
                return Err(SafetyFailure::Refused("it has not caught up".into()));
            }
            Order::AddVoter { id, directory_id } => {
                let generation = self.volumes[id].generation;
                assert_eq!(*directory_id, format!("disk-{id}-{generation}"), "it is no more");
                assert!(self.pods.contains_key(id), "a broker that is not there votes");
                assert!(!self.voters.contains(id), "it votes already");
                self.voters.insert(*id);
            }
            Order::RemoveVoter { id, .. } => {
                self.voters.remove(id);
                self.lost.remove(id);
                assert!(!self.voters.is_empty(), "nobody votes");
                if self.leader == *id {
                    self.leader = *self.voters.first().unwrap();
                }
            }
            Order::Unregister(id) => {
                if self.load.get(id).is_some_and(|load| *load > 0) {
                    return Err(SafetyFailure::Refused("replicas are left".into()));
                }
                self.registered.remove(id);
            }
        }
        Ok(Done::Done)
    }

    fn start(&mut self, id: i32) {
        assert!(!self.ending.contains_key(&id), "{id} is made while its predecessor ends");
        let crashing = self.bad.contains(&self.version);
        self.volumes.entry(id).or_default();
        self.load.entry(id).or_default();
        self.pods.insert(
            id,
            Pod {
                version: self.version,
                starting: START,
                crashing,
                recovering: false,
                evicted: false,
                holds: true,
            },
        );
    }

    /// A volume goes, and with it everything on it.
    fn empty(&mut self, id: i32, claim_uid: &str, half: bool) {
        let others = self.down().into_iter().filter(|other| *other != id).count();
        let works = !self.down().contains(&id);
        let alone = self.has_alone(id);
        let only = self.pods.len() == 1;
        let claim = self.volumes.get_mut(&id).expect("it has a volume");
        assert_eq!(claim_uid, format!("{id}-{}", claim.generation), "it is another volume");
        if !claim.deleted {
            assert!(!works || others == 0, "{id} is emptied while another is down");
            assert!(!alone || claim.request == Some(Request::Anyway), "{id} is the only one");
            assert!(only || !self.voters.contains(&id), "{id} is emptied while it votes");
        }
        claim.deleted = true;
        self.log.push(format!("empty {id}"));
        if !half {
            let pod = self.pods.get_mut(&id).expect("it has a pod");
            (pod.holds, pod.crashing, pod.starting) = (false, false, START);
        }
    }

    /// Kubernetes deletes claims that no pod holds, and the operator makes them anew.
    fn collect_claims(&mut self) {
        for (id, pod) in &mut self.pods {
            let Some(claim) = self.volumes.get_mut(id) else { continue };
            if claim.deleted && !pod.holds {
                let generation = claim.generation + 1;
                *claim = Claim { generation, ..Claim::default() };
                (pod.holds, pod.starting) = (true, START);
                self.registered.remove(id);
                self.sole.remove(id);
                let others = self.load.values().sum::<u64>();
                self.behind.insert(*id, others.min(3));
            }
        }
    }

    /// Carries an action out; with `half`, only its first half.
    fn perform(&mut self, action: &Action, half: bool) -> Result<Done, SafetyFailure> {
        match action {
            Action::Intend(_) => {}
            Action::Create(ids) => {
                let ids = if half { &ids[..1] } else { ids };
                ids.iter().for_each(|id| self.start(*id));
            }
            Action::Replace(ids) => {
                let others = self.down().into_iter().filter(|other| !ids.contains(other)).count();
                let works = ids.iter().any(|id| !self.down().contains(id));
                assert!(!works || others == 0, "{ids:?} are restarted while another is down");
                let zone = |id: &i32| self.zones.get(id);
                let one_zone = ids.iter().all(|id| zone(id).is_some() && zone(id) == zone(&ids[0]));
                assert!(ids.len() <= self.together && (ids.len() == 1 || one_zone), "{ids:?}");
                assert!(ids.len() == 1 || self.majority_without(ids), "{ids:?} take the quorum");
                assert!(
                    ids.len() == 1 || !ids.contains(&self.leader),
                    "{ids:?} take the controller"
                );
                let ids = if half { &ids[..1] } else { ids };
                let names: Vec<_> = ids.iter().map(ToString::to_string).collect();
                self.log.push(format!("restart {}", names.join("+")));
                ids.iter().for_each(|id| self.start(*id));
            }
            Action::Tell(order) => return self.order(order),
            Action::Retire(id) => {
                assert!(!self.voters.contains(id), "{id} still votes");
                self.order(&Order::Unregister(*id))?;
                if half {
                    return Ok(Done::Done);
                }
                self.pods.remove(id).expect("it is there");
                self.ending.insert(*id, START);
                self.log.push(format!("remove {id}"));
            }
            Action::Empty { id, claim_uid } => self.empty(*id, claim_uid, half),
            Action::Forget { id, delete_volume } => {
                assert!(!self.pods.contains_key(id) && !self.ending.contains_key(id));
                self.order(&Order::Unregister(*id))?;
                if *delete_volume && !half {
                    self.volumes.remove(id);
                }
            }
        }
        Ok(Done::Done)
    }

    /// One pass of the operator, and one moment of everything else. Says whether nothing is left to do.
    pub(super) fn pass(&mut self, kill: Option<Kill>) -> bool {
        let settled = self.reconcile(kill);
        self.ending.retain(|_, passes| {
            *passes -= 1;
            *passes > 0
        });
        for (id, pod) in &mut self.pods {
            pod.starting = pod.starting.saturating_sub(1);
            if pod.starting == 0 && !pod.crashing && !pod.recovering && pod.holds {
                self.registered.insert(*id);
                let left = self.behind.entry(*id).or_default();
                *left = left.saturating_sub(1);
            }
        }
        self.collect_claims();
        settled
    }

    fn reconcile(&mut self, kill: Option<Kill>) -> bool {
        let situation = self.situation();
        let mut answers = Answers::default();
        let (action, said, result) = loop {
            match next(&situation, &answers) {
                Step::Ask(question) => {
                    let answer = self.answer(&question);
                    answers.learn(question, answer);
                }
                Step::Do(_, _) if kill == Some(Kill::Before) => return false,
                Step::Do(action, said) => {
                    let result = self.perform(&action, kill == Some(Kill::Within));
                    match &result {
                        Err(failure) if action.gives_vote() => {
                            answers.learn_no_vote(failure.clone());
                        }
                        _ => break (action, said, result),
                    }
                }
                Step::Wait(verdict) => {
                    self.verdict = Some(verdict);
                    return false;
                }
                Step::Settled => {
                    assert!(self.behind.values().all(|left| *left == 0), "ready too early");
                    assert!(self.volumes.values().all(|claim| !claim.deleted), "ready too early");
                    self.write(&situation, Scaling::default());
                    self.verdict = None;
                    return true;
                }
            }
        };
        if kill.is_some() {
            return false;
        }
        let (scaling, verdict) = outcome(&situation, &action, said, &result, Timestamp::UNIX_EPOCH);
        self.write(&situation, scaling);
        self.verdict = Some(verdict);
        false
    }

    fn write(&mut self, situation: &Situation, scaling: Scaling) {
        self.scaling = scaling;
        let there = situation.brokers.iter().map(|b| b.id);
        self.known = situation.wanted.iter().copied().chain(there).collect();
    }

    /// Passes until nothing is left to do; how many that took.
    pub(super) fn settle(&mut self) -> usize {
        self.settle_with(|_| None)
    }

    pub(super) fn settle_with(&mut self, mut kill: impl FnMut(usize) -> Option<Kill>) -> usize {
        for pass in 0..MAX_PASSES {
            if self.pass(kill(pass)) {
                return pass + 1;
            }
        }
        panic!("it never ends: {:?} {:?}", self.verdict, self);
    }

    pub(super) fn ids(&self) -> Vec<i32> {
        self.pods.keys().copied().collect()
    }
}
