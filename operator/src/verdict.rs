//! What a reconcile found, and the three conditions that say it.

use crds::{Condition, ConditionStatus, ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Longest message in a condition, in characters: status is read in tables.
const MAX_MESSAGE_CHARS: usize = 512;

/// What a reconcile found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The object is as the spec asks, and serves.
    Ready(Reason, String),
    /// It will be, by itself.
    Working(Reason, String),
    /// Somebody must change something.
    Stalled(Reason, String),
}

impl Verdict {
    pub(crate) fn ready(message: impl Into<String>) -> Self {
        Self::Ready(Reason::Ready, message.into())
    }

    pub(crate) fn working(reason: Reason, message: impl Into<String>) -> Self {
        Self::Working(reason, message.into())
    }

    pub(crate) fn stalled(reason: Reason, message: impl Into<String>) -> Self {
        Self::Stalled(reason, message.into())
    }

    /// Its reason.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::Ready(reason, _) | Self::Working(reason, _) | Self::Stalled(reason, _) => *reason,
        }
    }

    /// Its message.
    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Ready(_, message) | Self::Working(_, message) | Self::Stalled(_, message) => {
                message
            }
        }
    }

    /// The conditions that say it. A transition time is kept where the status stays the same.
    pub(crate) fn conditions(
        &self,
        before: &[Condition],
        generation: Option<i64>,
        now: Time,
    ) -> Vec<Condition> {
        use ConditionStatus::{False, True};
        use ConditionType::{Ready, Reconciling, Stalled};
        let message = shorten(self.message());
        let done = (False, Reason::Done, String::new());
        let free = (False, Reason::NotStalled, String::new());
        let why = |status| (status, self.reason(), message.clone());
        let (ready, reconciling, stalled) = match self {
            Self::Ready(..) => (why(True), done, free),
            Self::Working(..) => (why(False), why(True), free),
            Self::Stalled(..) => (why(False), done, why(True)),
        };
        [(Ready, ready), (Reconciling, reconciling), (Stalled, stalled)]
            .into_iter()
            .map(|(type_, (status, reason, message))| {
                let old = before
                    .iter()
                    .find(|c| c.type_ == type_.as_str() && c.status == status.as_str());
                Condition {
                    type_: type_.as_str().to_owned(),
                    status: status.as_str().to_owned(),
                    reason: reason.as_str().to_owned(),
                    message,
                    observed_generation: generation,
                    last_transition_time: old
                        .map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
                }
            })
            .collect()
    }
}

/// Whether the conditions say `Ready=True` of this generation.
pub(crate) fn is_ready(conditions: &[Condition], generation: Option<i64>) -> bool {
    conditions.iter().any(|c| {
        c.type_ == ConditionType::Ready.as_str()
            && c.status == ConditionStatus::True.as_str()
            && c.observed_generation == generation
    })
}

/// The first line, cut to what fits.
fn shorten(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default();
    if line.chars().count() <= MAX_MESSAGE_CHARS {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(MAX_MESSAGE_CHARS - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    fn at(second: i64) -> Time {
        Time(Timestamp::from_second(second).unwrap())
    }

    /// kstatus' rule for custom resources, from cli-utils `pkg/kstatus/status/generic.go`.
    fn kstatus(generation: i64, observed: Option<i64>, conditions: &[Condition]) -> &'static str {
        let of = |t: &str| conditions.iter().find(|c| c.type_ == t).map(|c| c.status.as_str());
        if observed != Some(generation) {
            return "InProgress";
        }
        if of("Reconciling") == Some("True") {
            return "InProgress";
        }
        if of("Stalled") == Some("True") {
            return "Failed";
        }
        match of("Ready") {
            Some("True") | None => "Current",
            Some(_) => "InProgress",
        }
    }

    #[test]
    fn every_verdict_is_what_kstatus_should_say() {
        let say = |v: Verdict| kstatus(3, Some(3), &v.conditions(&[], Some(3), at(1)));
        assert_eq!(say(Verdict::ready("fine")), "Current");
        assert_eq!(say(Verdict::working(Reason::PodsNotReady, "wait")), "InProgress");
        assert_eq!(say(Verdict::stalled(Reason::InvalidSpec, "no")), "Failed");
        let old = Verdict::ready("fine").conditions(&[], Some(3), at(1));
        assert_eq!(kstatus(4, Some(3), &old), "InProgress");
    }

    #[test]
    fn all_three_conditions_are_always_there() {
        for verdict in [
            Verdict::ready(""),
            Verdict::working(Reason::Applying, ""),
            Verdict::stalled(Reason::InvalidSpec, ""),
        ] {
            let conditions = verdict.conditions(&[], Some(1), at(1));
            let types: Vec<_> = conditions.iter().map(|c| c.type_.as_str()).collect();
            assert_eq!(types, ["Ready", "Reconciling", "Stalled"]);
            assert!(
                conditions.iter().all(|c| !c.reason.is_empty() && c.observed_generation == Some(1))
            );
        }
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let first = Verdict::working(Reason::Applying, "a").conditions(&[], Some(1), at(1));
        let second = Verdict::working(Reason::PodsNotReady, "b").conditions(&first, Some(1), at(2));
        assert_eq!(second[0].last_transition_time, at(1));
        let third = Verdict::ready("c").conditions(&second, Some(1), at(3));
        assert_eq!(third[0].last_transition_time, at(3));
        assert_eq!(third[2].last_transition_time, at(1));
    }

    #[test]
    fn ready_speaks_of_one_generation() {
        let conditions = Verdict::ready("c").conditions(&[], Some(1), at(3));
        assert!(is_ready(&conditions, Some(1)));
        assert!(!is_ready(&conditions, Some(2)));
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        assert_eq!(shorten(" first\nsecond"), "first");
        assert_eq!(shorten(&"é".repeat(2000)).chars().count(), MAX_MESSAGE_CHARS);
    }
}
