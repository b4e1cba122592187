//! SIGTERM: brokers that are asked to end, as a rolling update does.

use anyhow::Result;

use super::Scenario;
use crate::run::Run;

pub(super) const ALL: &[Scenario] = &[Scenario::new(
    "rolling-restart",
    rolling,
    "Each broker in turn is asked to end by SIGTERM, must do so with status 0 within 30 s, and is started again; the \
     next one follows when all replicas are in sync. Leaders move away before a broker ends: no write fails.",
)
.that_fails_no_write()
.in_short_set()];

fn rolling(run: &mut Run) -> Result<()> {
    for id in 0..run.cluster.size() {
        match run.cluster.terminate(id) {
            Ok(took) => {
                run.note(format!("broker {id} ended {:.1} s after SIGTERM", took.as_secs_f64()));
            }
            Err(error) => run.problem(format!("{error:#}")),
        }
        run.load_for(1)?;
        run.cluster.start(id)?;
        run.cluster.wait_until_whole()?;
        run.load_for(3)?;
    }
    Ok(())
}
