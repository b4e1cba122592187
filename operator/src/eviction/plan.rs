//! May this broker be evicted? Pure: what is there and what the brokers answer go in, one step comes out.

use super::candidate::Candidate;
use crate::safety::{RestartAnswer, SafetyFailure};

/// The answer to whoever evicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    Allow,
    /// Not now; the text says why and what it waits for.
    Refuse(String),
}

/// What is known so far.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) candidate: Candidate,
    /// Whether there is a Cluster of that name which is not being deleted.
    pub(crate) managed: bool,
    pub(crate) dry_run: bool,
    /// Another broker that is being changed.
    pub(crate) motion: Option<String>,
    /// Whether the brokers say that it may stop.
    pub(crate) restart: Option<Result<RestartAnswer, SafetyFailure>>,
    /// Whether its leaders have been told to move off.
    pub(crate) drained: Option<Result<(), SafetyFailure>>,
    /// Whether the grant is written down, and `motion` was looked at since.
    pub(crate) granted: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ask whether it may stop.
    Ask,
    /// Move its leaders off.
    Drain,
    /// Write the grant down, then look again for other brokers that are being changed.
    Grant,
    Rule(Ruling),
}

/// The next step.
pub(crate) fn next(known: &Known) -> Step {
    if !known.managed || !known.candidate.runs {
        // There is nothing to disturb.
        return Step::Rule(Ruling::Allow);
    }
    if let Some(motion) = &known.motion {
        return refuse(known, &format!("{motion}; it waits until that one is back"));
    }
    let Some(answer) = &known.restart else { return Step::Ask };
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            return refuse(known, &format!("the brokers do not say that it is safe: {failure}"));
        }
    };
    // Leaders move off also while it may not go yet, so that it costs nothing when it may.
    if !known.dry_run && known.drained.is_none() {
        return Step::Drain;
    }
    if !answer.safe {
        return refuse(known, &obstacles(answer));
    }
    if let Some(Err(failure)) = &known.drained {
        return refuse(known, &format!("its leaders could not be moved off: {failure}"));
    }
    if known.dry_run || known.granted { Step::Rule(Ruling::Allow) } else { Step::Grant }
}

fn refuse(known: &Known, why: &str) -> Step {
    let Candidate { cluster, id, .. } = &known.candidate;
    Step::Rule(Ruling::Refuse(format!("broker {id} of Cluster {cluster} may not stop yet: {why}")))
}

fn obstacles(answer: &RestartAnswer) -> String {
    let why = answer.reasons.first().map_or("the brokers say that it is not safe", |r| &r.message);
    match answer.reasons.len() {
        0 | 1 => why.to_owned(),
        all => format!("{why} (and {} more)", all - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::safety::Obstacle;

    fn known() -> Known {
        Known {
            candidate: Candidate { cluster: "demo".into(), id: 1, runs: true },
            managed: true,
            dry_run: false,
            motion: None,
            restart: None,
            drained: None,
            granted: false,
        }
    }

    fn safe() -> Option<Result<RestartAnswer, SafetyFailure>> {
        Some(Ok(RestartAnswer { safe: true, ..RestartAnswer::default() }))
    }

    fn unsafe_now() -> Option<Result<RestartAnswer, SafetyFailure>> {
        let reason = |message: &str| Obstacle { message: message.into(), ..Obstacle::default() };
        let reasons = vec![reason("t-0 would have 1 replica"), reason("t-1 too")];
        Some(Ok(RestartAnswer { reasons, ..RestartAnswer::default() }))
    }

    fn refusal(known: &Known) -> String {
        match next(known) {
            Step::Rule(Ruling::Refuse(text)) => text,
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn a_broker_goes_after_asking_draining_and_granting() {
        let mut known = known();
        assert_eq!(next(&known), Step::Ask);
        known.restart = safe();
        assert_eq!(next(&known), Step::Drain);
        known.drained = Some(Ok(()));
        assert_eq!(next(&known), Step::Grant);
        known.granted = true;
        assert_eq!(next(&known), Step::Rule(Ruling::Allow));
    }

    #[test]
    fn no_answer_is_a_no() {
        let restart = Some(Err(SafetyFailure::Unknown("no broker is there".into())));
        assert!(refusal(&Known { restart, ..known() }).contains("no broker is there"));
        let drained = Some(Err(SafetyFailure::Unknown("gone".into())));
        assert!(refusal(&Known { restart: safe(), drained, ..known() }).contains("gone"));
    }

    #[test]
    fn an_unsafe_broker_is_drained_and_stays() {
        let known = Known { restart: unsafe_now(), ..known() };
        assert_eq!(next(&known), Step::Drain);
        let text = refusal(&Known { drained: Some(Ok(())), ..known });
        assert_eq!(
            text,
            "broker 1 of Cluster demo may not stop yet: t-0 would have 1 replica (and 1 more)"
        );
    }

    #[test]
    fn a_dry_run_changes_nothing() {
        for restart in [safe(), unsafe_now()] {
            let known = Known { dry_run: true, restart, ..known() };
            assert!(matches!(next(&known), Step::Rule(_)), "{:?}", next(&known));
        }
    }

    #[test]
    fn a_roll_that_began_meanwhile_takes_the_grant_back() {
        let motion = Some("pod demo-0-0 is being replaced".to_owned());
        let known =
            Known { restart: safe(), drained: Some(Ok(())), granted: true, motion, ..known() };
        assert!(refusal(&known).contains("demo-0-0"));
    }

    #[test]
    fn what_does_not_run_or_belongs_to_nobody_may_go() {
        let mut still = known();
        still.candidate.runs = false;
        assert_eq!(next(&still), Step::Rule(Ruling::Allow));
        assert_eq!(next(&Known { managed: false, ..known() }), Step::Rule(Ruling::Allow));
    }
}
