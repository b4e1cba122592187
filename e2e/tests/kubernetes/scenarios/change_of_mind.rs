//! Promise: who changes their mind half-way through removing brokers gets back what was there.

use anyhow::Result;
use e2e::scenario::Scenario;

use crate::operator;

#[test]
fn five_to_three_and_back_to_five_half_way() -> Result<()> {
    operator::installed()?;
    Scenario::run("change-of-mind", 5, |scenario| {
        let brokers = &scenario.brokers;
        brokers.scale(3)?;
        // Little data moves quickly: the change of mind may come when one of them is gone already.
        scenario.hurts("change-of-mind-3-0", 1);
        scenario.hurts("change-of-mind-4-0", 1);
        let message =
            scenario.step("half-way to 3", || brokers.until_says("ScalingDown", "removing"))?;
        eprintln!("{message}");
        scenario.step("back to 5", || {
            brokers.scale(5)?;
            brokers.settled(5)
        })
    })
}
