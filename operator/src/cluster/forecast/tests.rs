//! Edits of a cluster of three, and what is said of each.

use std::collections::BTreeSet;

use super::change::Change;
use super::toll::{Toll, ask, nobody_said};
use super::words::{sentences, stuck};
use crate::safety::{
    Answer, Brokers, Done, Obstacle, Order, Question, ReplicasAnswer, RestartAnswer, SafetyFailure,
};

fn cluster_of_three() -> Change {
    Change { there: vec![0, 1, 2], together: 1, ..Change::default() }
}

fn held(replicas: u64, bytes_left: u64) -> ReplicasAnswer {
    ReplicasAnswer { replicas, bytes_left, ..ReplicasAnswer::default() }
}

/// Brokers that hold ten replicas of 100 MiB each, and a topic with one replica on broker 1.
struct Ten;

impl Brokers for Ten {
    async fn ask(&self, question: &Question) -> Result<Answer, SafetyFailure> {
        Ok(match question {
            Question::Replicas(ids) => {
                let count = 10 * ids.len() as u64;
                Answer::Replicas(held(count, count * (100 << 20)))
            }
            Question::Restart(ids) => {
                let lonely = Obstacle { topic: Some("lonely".into()), ..Obstacle::default() };
                let unavoidable = if ids == &[1] { vec![lonely] } else { Vec::new() };
                Answer::Restart(RestartAnswer { unavoidable, ..RestartAnswer::default() })
            }
            other => panic!("{other:?} tells nothing of a change"),
        })
    }

    async fn order(&self, order: &Order) -> Result<Done, SafetyFailure> {
        panic!("a forecast changes nothing: {order:?}")
    }
}

async fn said(change: &Change, edited: &[&str]) -> Vec<String> {
    let edited: Vec<String> = edited.iter().map(|path| (*path).to_owned()).collect();
    sentences(change, &ask(change, &Ten).await, &edited)
}

#[tokio::test]
async fn an_edit_that_touches_no_broker_says_nothing() {
    assert_eq!(said(&cluster_of_three(), &["spec.brokers.maxUnavailable"]).await, [""; 0]);
}

#[tokio::test]
async fn new_brokers_get_their_share() {
    let change = Change { adds: vec![3, 4], ..cluster_of_three() };
    assert_eq!(
        said(&change, &["spec.brokers.replicas"]).await,
        ["brokers 3, 4 would be added, and about 12 replicas (1.1 GiB) would move on to them"]
    );
}

#[tokio::test]
async fn brokers_that_go_are_emptied_first() {
    let change = Change { removes: vec![1], ..cluster_of_three() };
    let kept = said(&change, &[]).await;
    assert_eq!(
        kept,
        [
            "broker 1 would be removed: 10 replicas (1000.0 MiB) would move to the others first; the volume is kept"
        ]
    );
    let change = Change { deletes_volumes: true, ..change };
    assert!(said(&change, &[]).await[0].ends_with("the volume is deleted"));
    let blocked = ReplicasAnswer {
        blocked: vec![Obstacle {
            topic: Some("t".into()),
            message: "too few".into(),
            ..Obstacle::default()
        }],
        ..held(10, 1)
    };
    let toll = Toll { going: Some(Ok(blocked)), ..Toll::default() };
    assert_eq!(sentences(&change, &toll, &[])[1], "the removal could not be completed: t: too few");
}

#[tokio::test]
async fn restarts_name_the_fields_and_what_is_away_meanwhile() {
    let change = Change { restarts: vec![0, 1, 2], ..cluster_of_three() };
    let fields = ["spec.config.a", "b", "c", "d", "e", "f"];
    assert_eq!(
        said(&change, &fields).await,
        [
            "brokers 0, 1, 2 would be restarted, one at a time, for spec.config.a, b, c, d and 2 more",
            "while a broker restarts, what only it has is away: lonely"
        ]
    );
    let zones = Change { together: 2, ..change };
    assert!(said(&zones, &[]).await[0].ends_with("those of a zone together where that is safe"));
}

#[test]
fn brokers_that_do_not_answer_are_no_promise() {
    let change =
        Change { adds: vec![3], removes: vec![1], restarts: vec![0], ..cluster_of_three() };
    let toll = nobody_said(super::BROKERS_TIMEOUT);
    let said = sentences(&change, &toll, &[]);
    assert_eq!(said.len(), 4);
    assert!(said[0].ends_with("is not known: nobody said within 1 s"), "{}", said[0]);
    let silent = Toll { silent: Some(Ok(BTreeSet::new())), ..toll };
    assert_eq!(sentences(&change, &silent, &[]).len(), 3);
}

#[test]
fn a_sentence_ends_where_the_api_server_would_cut_it() {
    let text = stuck(&"x".repeat(400));
    assert_eq!(text.chars().count(), 256);
    assert!(text.ends_with('…'));
}
