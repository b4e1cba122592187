use super::{Command, Controller, Decision, Entropy};

/// Changes nothing. Its answer comes when everything that was decided before it is committed: the image is then at least as
/// new as the moment at which it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadBarrier;

impl Command for ReadBarrier {
    type Answer = ();

    fn decide(self, _: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        Decision::refusal(())
    }
}
