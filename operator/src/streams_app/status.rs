//! After the steps: what the application is.

use crds::streams_app::WorkerStatus;
use crds::{Reason, StreamsAppStatus};
use k8s_openapi::api::apps::v1::StatefulSet;

use super::dereference::Live;
use super::names;
use super::probe::WorkerReport;
use super::validate::Wanted;
use crate::verdict::Verdict;
use crate::workload::{pods_verdict, set_state};

pub(crate) fn status(
    wanted: &Wanted,
    live: &Live,
    applied: &StatefulSet,
    reports: &[Result<WorkerReport, String>],
) -> (Verdict, StreamsAppStatus) {
    let set = set_state(applied);
    let pods: Vec<_> = (0..wanted.replicas).map(|i| names::pod(&wanted.name, i)).collect();
    let known = || reports.iter().filter_map(|r| r.as_ref().ok());
    let status = StreamsAppStatus {
        application_id: Some(wanted.application_id.clone()),
        replicas: set.replicas,
        ready_replicas: set.ready,
        selector: Some(names::labels(&wanted.name).query()),
        tasks: sum(known().map(tasks)),
        lag: sum(known().map(|r| r.lag)),
        workers: pods.iter().zip(reports).map(|(pod, report)| worker(pod, report)).collect(),
        ..Default::default()
    };
    // A worker's own words come before the pod's: they say what to correct.
    let verdict = failed(&pods, reports)
        .or_else(|| pods_verdict("workers", &pods, &live.pods, set))
        .unwrap_or_else(|| running(&pods, reports));
    (verdict, status)
}

/// `None` if no worker said anything.
fn sum<T: std::iter::Sum>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values = values.peekable();
    values.peek().is_some().then(|| values.sum())
}

fn tasks(report: &WorkerReport) -> i32 {
    i32::try_from(report.tasks.len()).unwrap_or(i32::MAX)
}

fn worker(pod: &str, report: &Result<WorkerReport, String>) -> WorkerStatus {
    let pod = pod.to_owned();
    match report {
        Ok(r) => {
            WorkerStatus { pod, state: r.state.clone(), tasks: Some(tasks(r)), lag: Some(r.lag) }
        }
        Err(_) => WorkerStatus { pod, state: "UNREACHABLE".to_owned(), ..Default::default() },
    }
}

/// A worker that failed for good; one in `PENDING_ERROR` tries again by itself.
fn failed(pods: &[String], reports: &[Result<WorkerReport, String>]) -> Option<Verdict> {
    let mut known = pods.iter().zip(reports).filter_map(|(pod, r)| Some((pod, r.as_ref().ok()?)));
    let (pod, report) = known.find(|(_, r)| r.state == "ERROR")?;
    let why = report.message.as_deref().unwrap_or("no reason given; see its log");
    Some(Verdict::stalled(Reason::AppFailed, format!("worker {pod} stopped: {why}")))
}

fn running(pods: &[String], reports: &[Result<WorkerReport, String>]) -> Verdict {
    let all = pods.len();
    let waits = pods.iter().zip(reports).find_map(|(pod, report)| match report {
        Ok(r) if r.state == "RUNNING" => None,
        Ok(WorkerReport { state, message: Some(why), .. }) => {
            Some(format!("worker {pod} is {state}: {why}"))
        }
        Ok(WorkerReport { state, .. }) => Some(format!("worker {pod} is {state}")),
        Err(e) => Some(format!("worker {pod} does not answer: {e}")),
    });
    match waits {
        Some(text) => Verdict::working(Reason::AppStarting, text),
        None => Verdict::ready(if all == 1 {
            "1 worker runs".to_owned()
        } else {
            format!("{all} workers run")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(state: &str) -> Result<WorkerReport, String> {
        Ok(WorkerReport { state: state.into(), lag: 5, ..Default::default() })
    }

    #[test]
    fn all_workers_must_run() {
        let pods = ["a-0".to_owned(), "a-1".to_owned()];
        assert_eq!(
            running(&pods, &[report("RUNNING"), report("RUNNING")]),
            Verdict::ready("2 workers run")
        );
        let verdict = running(&pods, &[report("RUNNING"), report("REBALANCING")]);
        assert_eq!(verdict, Verdict::working(Reason::AppStarting, "worker a-1 is REBALANCING"));
        assert!(matches!(
            running(&pods, &[report("RUNNING"), Err("refused".into())]),
            Verdict::Working(..)
        ));
    }

    #[test]
    fn an_error_of_a_worker_stalls_the_application() {
        let pods = ["a-0".to_owned()];
        let broken = WorkerReport {
            state: "ERROR".into(),
            message: Some("no such topic".into()),
            ..Default::default()
        };
        let verdict = failed(&pods, &[Ok(broken)]).unwrap();
        assert_eq!(
            verdict,
            Verdict::stalled(Reason::AppFailed, "worker a-0 stopped: no such topic")
        );
        assert_eq!(failed(&pods, &[report("RUNNING")]), None);
    }

    #[test]
    fn sums_need_at_least_one_value() {
        assert_eq!(sum(std::iter::empty::<i64>()), None);
        assert_eq!(sum([1_i64, 2].into_iter()), Some(3));
    }
}
