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
        tasks: sum(known().map(|r| r.tasks)),
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

fn sum<T: std::iter::Sum>(values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let values: Vec<T> = values.flatten().collect();
    (!values.is_empty()).then(|| values.into_iter().sum())
}

fn worker(pod: &str, report: &Result<WorkerReport, String>) -> WorkerStatus {
    match report {
        Ok(r) => {
            WorkerStatus { pod: pod.to_owned(), state: r.state.clone(), tasks: r.tasks, lag: r.lag }
        }
        Err(_) => WorkerStatus {
            pod: pod.to_owned(),
            state: "UNREACHABLE".to_owned(),
            ..Default::default()
        },
    }
}

fn failed(pods: &[String], reports: &[Result<WorkerReport, String>]) -> Option<Verdict> {
    let failed = |r: &WorkerReport| matches!(r.state.as_str(), "ERROR" | "PENDING_ERROR");
    let (pod, report) = pods
        .iter()
        .zip(reports)
        .find_map(|(p, r)| r.as_ref().ok().filter(|r| failed(r)).map(|r| (p, r)))?;
    let error = report.error.as_deref().unwrap_or("no reason given; see its log");
    Some(Verdict::stalled(Reason::AppFailed, format!("worker {pod} stopped: {error}")))
}

fn running(pods: &[String], reports: &[Result<WorkerReport, String>]) -> Verdict {
    let all = pods.len();
    let waits = pods.iter().zip(reports).find_map(|(pod, report)| match report {
        Ok(r) if r.state == "RUNNING" => None,
        Ok(r) => Some(format!("worker {pod} is {}", r.state)),
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
        Ok(WorkerReport { state: state.into(), tasks: Some(2), lag: Some(5), error: None })
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
            error: Some("no such topic".into()),
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
        assert_eq!(sum::<i64>([None, None].into_iter()), None);
        assert_eq!(sum([Some(1_i64), None, Some(2)].into_iter()), Some(3));
    }
}
