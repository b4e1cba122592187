//! The operator's own metrics.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds of reconcile times, in seconds.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct KindLabel {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ResultLabels {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EvictionLabel {
    result: &'static str,
}

/// All metrics, and the registry that writes them.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    reconciles: Family<ResultLabels, Counter>,
    seconds: Family<KindLabel, Histogram, fn() -> Histogram>,
    status_writes: Family<KindLabel, Counter>,
    evictions: Family<EvictionLabel, Counter>,
    leading: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("vltava_operator");
        let reconciles = Family::default();
        let new_histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let seconds = Family::new_with_constructor(new_histogram);
        let status_writes = Family::default();
        let evictions = Family::default();
        let leading = Gauge::default();
        registry.register("reconciles", "Reconciles by kind and result", reconciles.clone());
        registry.register("reconcile_seconds", "Time that reconciles took", seconds.clone());
        registry.register("status_writes", "Status writes by kind", status_writes.clone());
        registry.register("evictions", "Evictions of brokers by result", evictions.clone());
        registry.register("leading", "1 while this operator leads", leading.clone());
        Self { registry, reconciles, seconds, status_writes, evictions, leading }
    }

    /// Counts a reconcile; `result` is `ready`, `working`, `stalled`, `deleted` or `error`.
    pub(crate) fn reconciled(&self, kind: &'static str, result: &'static str, took: Duration) {
        self.reconciles.get_or_create(&ResultLabels { kind, result }).inc();
        self.seconds.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
    }

    /// Counts a write of a status.
    pub(crate) fn wrote_status(&self, kind: &'static str) {
        self.status_writes.get_or_create(&KindLabel { kind }).inc();
    }

    /// Counts an eviction; `result` is `allowed` or `refused`.
    pub(crate) fn ruled_on_eviction(&self, result: &'static str) {
        self.evictions.get_or_create(&EvictionLabel { result }).inc();
    }

    /// Says whether this operator leads.
    pub(crate) fn set_leading(&self, leads: bool) {
        self.leading.set(if leads { 1.0 } else { 0.0 });
    }

    /// The metrics in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        if let Err(error) = text::encode(&mut text, &self.registry) {
            tracing::warn!(%error, "failed to write metrics");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_written_with_their_labels() {
        let metrics = Metrics::new();
        metrics.reconciled("Topic", "ready", Duration::from_millis(3));
        metrics.set_leading(true);
        let text = metrics.render();
        assert!(
            text.contains(r#"vltava_operator_reconciles_total{kind="Topic",result="ready"} 1"#),
            "{text}"
        );
        assert!(text.contains("vltava_operator_leading 1"), "{text}");
    }
}
