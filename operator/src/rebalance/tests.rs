//! Whole rebalances, with a change of mind, and with the operator killed before anything is written down.

use std::sync::Mutex;

use crds::Reason;
use crds::rebalance::RebalancePhase;

use super::*;
use crate::safety::{MovesAnswer, ProposalAnswer, ProposedMoveAnswer};

/// Partitions that are in the wrong place, and those that are on their way.
#[derive(Clone, Copy, Default)]
struct World {
    misplaced: u64,
    moving: u64,
    silent: bool,
    stops: usize,
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
            Order::Spread => {
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
        };
        let step = plan::next(&situation);
        let (status, verdict) = carry_out(&step, self.status.clone(), &self.brokers).await;
        if !killed {
            self.status = RebalanceStatus { observed_generation: Some(self.generation), ..status };
        }
        verdict
    }

    /// As it is now.
    fn world(&self) -> World {
        *self.brokers.0.lock().unwrap()
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
