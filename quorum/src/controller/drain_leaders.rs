use super::fencing;
use super::{Command, Controller, Decision, Draft, Entropy};

/// Moves the leaderships of brokers to other replicas in sync; they stay in the ISR. Preferred leaders come back to them by
/// [`super::BalanceLeaders`] later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainLeaders {
    /// Node ids.
    pub brokers: Vec<i32>,
}

/// What was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Leaderships that others have now.
    pub moved: usize,
    /// Leaderships that nobody else can take now.
    pub left: usize,
}

impl Command for DrainLeaders {
    type Answer = Drained;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let mut draft = Draft::of(controller);
        for broker in &self.brokers {
            fencing::drained(controller, &mut draft, *broker, &self.brokers);
        }
        let moved = draft.records.len();
        let image = &draft.image;
        let led = image.topics().iter().flat_map(|topic| topic.iter());
        let left = led.filter(|(_, partition)| self.brokers.contains(&partition.leader)).count();
        draft.decision(false, Drained { moved, left })
    }
}
