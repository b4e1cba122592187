//! The worker's status in Prometheus' text format.

use super::status::{WorkerState, WorkerStatus};
use std::fmt::Write;

const STATES: [WorkerState; 7] = [
    WorkerState::Created,
    WorkerState::Rebalancing,
    WorkerState::Running,
    WorkerState::PendingShutdown,
    WorkerState::NotRunning,
    WorkerState::PendingError,
    WorkerState::Error,
];

pub(super) fn render(application_id: &str, status: &WorkerStatus) -> String {
    let mut out = String::new();
    let app = escape(application_id);
    head(&mut out, "vltava_streams_state", "gauge", "1 for the state that the worker is in.");
    for state in STATES {
        let labels = format!("app=\"{app}\",state=\"{}\"", state.name());
        sample(&mut out, "vltava_streams_state", &labels, u64::from(state == status.state));
    }
    let app = format!("app=\"{app}\"");
    let restoring = status.tasks.iter().filter(|task| task.restoring).count() as u64;
    for (name, kind, help, value) in [
        ("vltava_streams_tasks", "gauge", "Tasks of the worker.", status.tasks.len() as u64),
        (
            "vltava_streams_tasks_restoring",
            "gauge",
            "Tasks whose state is being restored.",
            restoring,
        ),
        ("vltava_streams_lag_records", "gauge", "Records not processed yet.", status.lag),
        (
            "vltava_streams_restored_records_total",
            "counter",
            "State records read from changelogs.",
            status.restored,
        ),
        (
            "vltava_streams_processed_records_total",
            "counter",
            "Input records processed.",
            status.processed,
        ),
        (
            "vltava_streams_emitted_records_total",
            "counter",
            "Records written to topics.",
            status.emitted,
        ),
        (
            "vltava_streams_failed_records_total",
            "counter",
            "Records that could not be processed.",
            status.failed,
        ),
        (
            "vltava_streams_dropped_records_total",
            "counter",
            "Records without a key or value.",
            status.dropped,
        ),
        (
            "vltava_streams_duplicate_records_total",
            "counter",
            "Records recognised as processed before.",
            status.duplicates,
        ),
        ("vltava_streams_commits_total", "counter", "Commits.", status.commits),
        (
            "vltava_streams_restarts_total",
            "counter",
            "Sessions that failed and began anew.",
            status.restarts,
        ),
    ] {
        head(&mut out, name, kind, help);
        sample(&mut out, name, &app, value);
    }
    head(
        &mut out,
        "vltava_streams_input_lag_records",
        "gauge",
        "Records not processed yet, by partition.",
    );
    for input in status.tasks.iter().flat_map(|task| &task.inputs) {
        let labels =
            format!("{app},topic=\"{}\",partition=\"{}\"", escape(&input.topic), input.partition);
        sample(&mut out, "vltava_streams_input_lag_records", &labels, input.lag());
    }
    out
}

/// Writing to a `String` cannot fail.
fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn sample(out: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(out, "{name}{{{labels}}} {value}");
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
