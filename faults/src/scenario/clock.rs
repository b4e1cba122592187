//! Wall clocks that jump. Monotonic time, by which the broker measures what is overdue, goes on.

use anyhow::Result;

use super::Scenario;
use crate::run::Run;

const HOUR: i64 = 3600;

pub(super) const ALL: &[Scenario] = &[Scenario {
    own_clock: true,
    ..Scenario::new(
        "clock-jump",
        jump,
        "The wall clock of a leader jumps an hour ahead, an hour back, and between the two every second for 10 s. \
         Clients see nothing of it but the time stamps.",
    )
}];

fn jump(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    for seconds in [HOUR, -HOUR] {
        run.cluster.brokers[leader].move_clock(seconds)?;
        run.load_for(5)?;
    }
    for second in 0..10 {
        let ahead = if second % 2 == 0 { HOUR } else { -HOUR };
        run.cluster.brokers[leader].move_clock(ahead)?;
        run.load_for(1)?;
    }
    run.cluster.brokers[leader].move_clock(0)?;
    run.load_for(2)
}
