//! Runs that are broken on purpose: a checker that finds nothing in them is no checker.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::Scenario;
use crate::check::Rule;
use crate::cluster::TOPIC;
use crate::load::Care;
use crate::run::Run;

/// So much is cut off each log.
const CUT_BYTES: u64 = 4096;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new(
        "control-truncated",
        truncated,
        "All brokers are killed, and the end of every log is cut off behind their back: acknowledged records are lost.",
    )
    .that_breaks(Rule::Lost, Care::Full),
    Scenario::new(
        "control-not-idempotent",
        not_idempotent,
        "Producers without idempotence send again what a paused leader has received already: records are duplicated.",
    )
    .that_breaks(Rule::Duplicated, Care::NotIdempotent),
    Scenario::new(
        "control-one-ack",
        one_ack,
        "Producers with acks=1 write to a leader that the other brokers have replaced: acknowledged records are lost.",
    )
    .of_brokers(3)
    .that_breaks(Rule::Lost, Care::OneAck),
];

fn truncated(run: &mut Run) -> Result<()> {
    for broker in &mut run.cluster.brokers {
        broker.kill()?;
    }
    for broker in &run.cluster.brokers {
        cut_logs(&broker.disk.data())?;
    }
    run.start_missing()?;
    run.load_for(5)
}

fn cut_logs(data: &Path) -> Result<()> {
    for folder in fs::read_dir(data)? {
        let folder = folder?;
        if !folder.file_name().to_string_lossy().starts_with(&format!("{TOPIC}-")) {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let file = fs::File::options().write(true).open(&path)?;
                file.set_len(file.metadata()?.len().saturating_sub(CUT_BYTES))?;
            }
        }
    }
    Ok(())
}

fn not_idempotent(run: &mut Run) -> Result<()> {
    for _ in 0..2 {
        let leader = run.a_leader()?;
        run.cluster.brokers[leader].pause()?;
        run.load_for(8)?;
        run.cluster.brokers[leader].resume()?;
        run.load_for(5)?;
    }
    Ok(())
}

fn one_ack(run: &mut Run) -> Result<()> {
    let leader = run.a_leader()?;
    let others = run.others(&[leader]);
    run.cluster.network.cut(leader, &others, &others)?;
    run.load_for(20)?;
    run.cluster.network.heal()?;
    run.load_for(6)
}
