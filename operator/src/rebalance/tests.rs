//! Whole rebalances, with a change of mind, and with the operator killed before anything is written down.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crds::Reason;
use crds::rebalance::RebalancePhase;

use super::*;
use crate::safety::{BandwidthAnswer, MovesAnswer, ProposalAnswer, ProposedMoveAnswer};

/// Partitions that are in the wrong place, and those that are on their way.
#[derive(Clone, Default)]
struct World {
    misplaced: u64,
    moving: u64,
    silent: bool,
    stops: usize,
    /// What limits the moves.
    limit: Option<u64>,
    /// Limits under which moves were begun.
    seen: BTreeSet<Option<u64>>,
}

struct Played(Mutex<World>);

impl Brokers for Played {
    async fn ask(&self, question: &Question) -> Result<Answer, SafetyFailure> {
        let world = self.0.lock().unwrap();
        if world.silent {
            return Err(SafetyFailure::Unknown("no answer".into()));
        }
        Ok(match question {
            Question::Proposal => Answer::Proposal(ProposalAnswer {
                moves: world.misplaced,
                bytes: world.misplaced * 1024,
                partitions: (0..100)
                    .map(|partition| ProposedMoveAnswer { partition, ..Default::default() })
                    .collect(),
                blocked: Vec::new(),
                notes: vec!["traffic is not known".into()],
            }),
            Question::Bandwidth => Answer::Bandwidth(BandwidthAnswer {
                bytes_per_second: world.limit.map(|limit| limit as i64),
            }),
            Question::Registered => Answer::Registered(vec![0, 1, 2]),
            other => panic!("asked {other:?}"),
        })
    }

    async fn order(&self, order: &Order) -> Result<Done, SafetyFailure> {
        let mut world = self.0.lock().unwrap();
        if world.silent {
            return Err(SafetyFailure::Unknown("no answer".into()));
        }
        match order {
            Order::Limit(limit) => {
                world.limit = *limit;
                Ok(Done::Done)
            }
            Order::Spread => {
                if world.misplaced > 0 {
                    let limit = world.limit;
                    world.seen.insert(limit);
                }
                world.moving = 0;
                let planned = world.misplaced.min(2);
                (world.misplaced, world.moving) = (world.misplaced - planned, planned);
                Ok(Done::Moves(MovesAnswer {
                    planned,
                    moving: planned,
                    left: world.misplaced + planned,
                    bytes_left: 0,
                    blocked: Vec::new(),
                }))
            }
            Order::StopMoves(ids) => {
                assert_eq!(*ids, [0, 1, 2]);
                world.stops += 1;
                world.misplaced += std::mem::take(&mut world.moving);
                Ok(Done::Done)
            }
            other => panic!("told {other:?}"),
        }
    }
}

/// A Rebalance, its brokers, and what is written down of it.
struct Run {
    brokers: Played,
    status: RebalanceStatus,
    approved: bool,
    generation: i64,
    scales: bool,
    limits: Limits,
}

impl Run {
    fn of(misplaced: u64) -> Self {
        let world = World { misplaced, ..World::default() };
        let status = RebalanceStatus::default();
        Self {
            brokers: Played(Mutex::new(world)),
            status,
            approved: false,
            generation: 1,
            scales: false,
            limits: Limits::default(),
        }
    }

    fn approve(&mut self, approved: bool) {
        self.approved = approved;
        self.generation += 1;
    }

    async fn pass(&mut self, killed: bool) -> Verdict {
        let situation = Situation {
            approved: self.approved,
            phase: self.status.phase.unwrap_or_default(),
            is_of_this_spec: self.status.observed_generation == Some(self.generation),
            scales: self.scales,
            owes_note: self.limits.own && self.status.limit_before.is_none(),
        };
        let step = plan::next(&situation);
        let (status, verdict) =
            carry_out(&step, self.status.clone(), self.limits, &self.brokers).await;
        if !killed {
            self.status = RebalanceStatus { observed_generation: Some(self.generation), ..status };
        }
        verdict
    }

    /// As it is now.
    fn world(&self) -> World {
        self.brokers.0.lock().unwrap().clone()
    }

    fn change(&self, change: impl FnOnce(&mut World)) {
        change(&mut self.brokers.0.lock().unwrap());
    }
}

#[tokio::test]
async fn nothing_moves_before_a_person_approves() {
    let mut run = Run::of(5);
    for _ in 0..3 {
        let verdict = run.pass(false).await;
        assert_eq!(verdict.reason(), Reason::ProposalReady);
        assert!(verdict.message().contains("5 partitions would move"), "{verdict:?}");
    }
    let proposal = run.status.proposal.clone().unwrap();
    assert_eq!((proposal.moves, proposal.bytes, proposal.partitions.len()), (5, 5 * 1024, 20));
    assert_eq!((run.world().misplaced, run.world().moving), (5, 0));
}

#[tokio::test]
async fn it_is_carried_out_once_whoever_is_killed_when() {
    for killed_at in 0..6 {
        let mut run = Run::of(5);
        run.pass(false).await;
        run.approve(true);
        let mut passes = 0;
        while run.status.phase != Some(RebalancePhase::Completed) {
            run.pass(passes == killed_at).await;
            passes += 1;
            assert!(passes < 12, "it never ends");
        }
        assert_eq!((run.world().misplaced, run.world().moving), (0, 0), "killed at {killed_at}");
        // What becomes uneven later is another matter.
        run.change(|world| world.misplaced = 3);
        assert!(matches!(run.pass(false).await, Verdict::Ready(Reason::Ready, _)));
        assert_eq!(run.world().misplaced, 3);
    }
}

#[tokio::test]
async fn progress_is_told() {
    let mut run = Run::of(5);
    run.approve(true);
    run.pass(false).await;
    let verdict = run.pass(false).await;
    assert_eq!(verdict.reason(), Reason::Rebalancing);
    let progress = run.status.progress.clone().unwrap();
    assert_eq!((progress.partitions_left, progress.partitions_moving), (5, 2));
}

#[tokio::test]
async fn a_change_of_mind_stops_the_moves_also_after_a_kill() {
    for killed in [false, true] {
        let mut run = Run::of(5);
        run.approve(true);
        run.pass(false).await;
        run.pass(killed).await;
        run.approve(false);
        run.pass(false).await;
        assert_eq!((run.world().misplaced, run.world().moving, run.world().stops), (5, 0, 1));
        assert_eq!(run.pass(false).await.reason(), Reason::ProposalReady);
        assert_eq!(run.status.phase, Some(RebalancePhase::Proposed));
    }
}

#[tokio::test]
async fn no_answer_completes_and_stops_nothing() {
    let mut run = Run::of(5);
    run.approve(true);
    run.pass(false).await;
    run.change(|world| world.silent = true);
    for approved in [true, false] {
        run.approved = approved;
        assert_eq!(run.pass(false).await.reason(), Reason::SafetyUnknown);
        assert_eq!(run.status.phase, Some(RebalancePhase::Executing));
    }
}

#[tokio::test]
async fn brokers_that_come_or_go_come_first() {
    let mut run = Run::of(5);
    run.scales = true;
    run.approve(true);
    assert_eq!(run.pass(false).await.reason(), Reason::ClusterNotReady);
    assert_eq!(run.world().misplaced, 5);
}

const OWN: Limits = Limits { bandwidth: Some(50), own: true };

#[tokio::test]
async fn its_own_limit_holds_for_its_moves_and_what_was_there_is_put_back_whoever_is_killed_when() {
    for (before, killed_at) in [None, Some(7)].into_iter().flat_map(|b| (0..7).map(move |k| (b, k)))
    {
        let mut run = Run::of(5);
        run.change(|world| world.limit = before);
        run.limits = OWN;
        run.approve(true);
        let mut passes = 0;
        while run.status.phase != Some(RebalancePhase::Completed) {
            run.pass(passes == killed_at).await;
            passes += 1;
            assert!(passes < 12, "it never ends");
        }
        let what = format!("killed at {killed_at}, {before:?} before");
        assert_eq!(run.world().seen, BTreeSet::from([Some(50)]), "{what}");
        assert_eq!(run.world().limit, before, "{what}");
        assert_eq!(run.status.limit_before, None, "{what}");
    }
}

#[tokio::test]
async fn a_stop_puts_the_limit_back_also_after_a_kill() {
    for killed in [false, true] {
        let mut run = Run::of(5);
        run.change(|world| world.limit = Some(7));
        run.limits = OWN;
        run.approve(true);
        run.pass(false).await;
        run.pass(killed).await;
        run.approve(false);
        run.pass(killed).await;
        run.pass(false).await;
        assert_eq!((run.world().limit, run.status.limit_before), (Some(7), None));
    }
}

#[tokio::test]
async fn a_limit_may_come_and_change_while_it_moves() {
    let mut run = Run::of(5);
    run.approve(true);
    run.pass(false).await;
    run.pass(false).await;
    assert_eq!(run.world().limit, None);
    run.limits = OWN;
    run.pass(false).await;
    assert_eq!(run.status.limit_before.map(|before| before.bytes_per_second), Some(None));
    let verdict = run.pass(false).await;
    assert_eq!(run.world().limit, Some(50));
    assert!(verdict.message().contains("at most 50 bytes a second"), "{verdict:?}");
    run.limits.bandwidth = Some(60);
    run.pass(false).await;
    assert_eq!(run.world().limit, Some(60));
}

#[tokio::test]
async fn the_clusters_limit_is_set_and_stays() {
    let mut run = Run::of(1);
    run.limits = Limits { bandwidth: Some(9), own: false };
    run.approve(true);
    for _ in 0..4 {
        run.pass(false).await;
    }
    assert_eq!(run.status.phase, Some(RebalancePhase::Completed));
    assert_eq!((run.world().limit, run.world().seen), (Some(9), BTreeSet::from([Some(9)])));
}

#[test]
fn its_own_bandwidth_goes_before_the_clusters_and_what_does_not_read_is_told() {
    let rebalance = |bandwidth: Option<&str>| -> Rebalance {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "vltava.dev/v1alpha1", "kind": "Rebalance", "metadata": {"name": "r"},
            "spec": {"clusterRef": {"name": "demo"}, "bandwidth": bandwidth}}))
        .unwrap()
    };
    let cluster = |bandwidth: &str| -> Cluster {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "vltava.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "demo"},
            "spec": {"rebalance": {"bandwidth": bandwidth}}}))
        .unwrap()
    };
    let of = |own: Option<&str>, clusters: &str| {
        let limits = limits(&rebalance(own), Some(&cluster(clusters)));
        limits
            .map(|limits| (limits.bandwidth, limits.own))
            .map_err(|verdict| verdict.message().to_owned())
    };
    assert_eq!(of(Some("50Mi"), "10Mi"), Ok((Some(50 << 20), true)));
    assert_eq!(of(None, "10Mi"), Ok((Some(10 << 20), false)));
    for (own, clusters) in [(Some("fast"), "10Mi"), (None, "fast")] {
        let message = of(own, clusters).unwrap_err();
        assert!(message.contains("is fast: write bytes a second, such as 50Mi"), "{message}");
    }
    assert_eq!(limits(&rebalance(None), None).unwrap().bandwidth, None);
}
