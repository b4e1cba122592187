//! Asks each worker for its status.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;

use super::names;
use super::validate::Wanted;
use crate::context::Context;

/// Workers asked at once.
const CONCURRENCY: usize = 16;

/// `GET /status` of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct WorkerReport {
    /// Kafka Streams' state of the client: `CREATED`, `REBALANCING`, `RUNNING`, `PENDING_ERROR`, `ERROR`, …
    pub(crate) state: String,
    /// Its tasks.
    #[serde(default)]
    pub(crate) tasks: Option<i32>,
    /// Records that its tasks have still to read.
    #[serde(default)]
    pub(crate) lag: Option<i64>,
    /// Why it stopped, if it did.
    #[serde(default)]
    pub(crate) error: Option<String>,
}

/// The report of each worker, by its ordinal; `Err` says why there is none.
pub(crate) async fn probe(ctx: &Context, wanted: &Wanted) -> Vec<Result<WorkerReport, String>> {
    let urls = (0..wanted.replicas).map(|i| names::status_url(&wanted.name, i, &wanted.namespace));
    stream::iter(urls.map(|url| ask(ctx, url))).buffered(CONCURRENCY).collect().await
}

async fn ask(ctx: &Context, url: String) -> Result<WorkerReport, String> {
    let answer = ctx.http.get(url).send().await.map_err(|e| e.to_string())?;
    let answer = answer.error_for_status().map_err(|e| e.to_string())?;
    answer.json().await.map_err(|e| e.to_string())
}
