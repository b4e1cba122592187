//! Asks each worker for its status.

use futures_util::StreamExt as _;
use futures_util::stream;
use k8s_openapi::api::core::v1::Pod;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::names;
use super::validate::Wanted;
use crate::context::Context;

/// Workers asked at once.
const CONCURRENCY: usize = 16;

/// `GET /status` of a worker, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct WorkerReport {
    /// Kafka Streams' state: `CREATED`, `REBALANCING`, `RUNNING`, `PENDING_ERROR`, `ERROR`, …
    pub(crate) state: String,
    /// What it waits for, or what failed last.
    #[serde(default)]
    pub(crate) message: Option<String>,
    /// Its tasks.
    #[serde(default)]
    pub(crate) tasks: Vec<IgnoredAny>,
    /// Records that its tasks have still to read.
    #[serde(default)]
    pub(crate) lag: i64,
}

/// The report of each worker, by its ordinal; `Err` says why there is none. A worker whose pod does not run is
/// not asked: its name may not even resolve.
pub(crate) async fn probe(
    ctx: &Context,
    wanted: &Wanted,
    pods: &[Pod],
) -> Vec<Result<WorkerReport, String>> {
    let asks = (0..wanted.replicas).map(|ordinal| async move {
        if !runs(pods, &names::pod(&wanted.name, ordinal)) {
            return Err("its pod does not run".to_owned());
        }
        ask(ctx, names::status_url(&wanted.name, ordinal, &wanted.namespace)).await
    });
    stream::iter(asks).buffered(CONCURRENCY).collect().await
}

fn runs(pods: &[Pod], name: &str) -> bool {
    let pod = pods.iter().find(|p| p.metadata.name.as_deref() == Some(name));
    let containers =
        pod.and_then(|p| p.status.as_ref()).and_then(|s| s.container_statuses.as_ref());
    let first = containers.and_then(|c| c.first()).and_then(|c| c.state.as_ref());
    first.is_some_and(|state| state.running.is_some())
}

async fn ask(ctx: &Context, url: String) -> Result<WorkerReport, String> {
    let answer = ctx.http.get(url).send().await.map_err(|e| e.to_string())?;
    let answer = answer.error_for_status().map_err(|e| e.to_string())?;
    answer.json().await.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_whatever_else_a_worker_tells() {
        let report: WorkerReport = serde_json::from_value(serde_json::json!({
            "state": "RUNNING", "message": null, "lag": 7, "restored": 3,
            "tasks": [{"id": "0_0", "restoring": false}, {"id": "0_1", "restoring": false}]}))
        .unwrap();
        assert_eq!((report.state.as_str(), report.tasks.len(), report.lag), ("RUNNING", 2, 7));
    }
}
