//! Prometheus metrics. Handles are resolved once; a request costs a few atomic additions.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use protocol::{ApiKey, ErrorCode};

/// Highest API key whose requests are counted on their own.
const MAX_API_KEY: i16 = 127;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiLabels {
    api: &'static str,
}

/// Bounded: few APIs answer by partition, and Kafka has some 130 codes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    api: &'static str,
    code: &'static str,
}

/// The broker's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// By API key; `None` where there is no such API.
    requests: Vec<Option<Counter<u64, AtomicU64>>>,
    /// Requests that closed their connection because they could not be read or served.
    pub(crate) bad_requests: Counter<u64, AtomicU64>,
    pub(crate) connections: Gauge<i64, AtomicI64>,
    /// Bytes of record batches appended and fetched by clients.
    pub(crate) bytes_in: Counter<u64, AtomicU64>,
    pub(crate) bytes_out: Counter<u64, AtomicU64>,
    /// Records appended by clients.
    pub(crate) records_in: Counter<u64, AtomicU64>,
    pub(crate) partitions: Gauge<i64, AtomicI64>,
    /// Partitions whose log could not be opened.
    pub(crate) offline_partitions: Gauge<i64, AtomicI64>,
    /// Partitions led here that have fewer in-sync replicas than replicas.
    pub(crate) under_replicated: Gauge<i64, AtomicI64>,
    /// Bytes sent to, and taken as, replicas that a replication throttle limits.
    pub(crate) throttled_bytes_out: Counter<u64, AtomicU64>,
    pub(crate) throttled_bytes_in: Counter<u64, AtomicU64>,
    /// Bytes sent to, and taken as, replicas that a reassignment adds, until they are in sync.
    pub(crate) reassignment_bytes_out: Counter<u64, AtomicU64>,
    pub(crate) reassignment_bytes_in: Counter<u64, AtomicU64>,
    partition_errors: Family<ErrorLabels, Counter>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("vltava_broker");
        let family = Family::<ApiLabels, Counter>::default();
        let requests = (0..=MAX_API_KEY)
            .map(|key| ApiKey::try_from(key).ok())
            .map(|key| key.map(|key| family.get_or_create(&ApiLabels { api: key.name() }).clone()))
            .collect();
        registry.register("requests", "Requests by API", family);
        let bad_requests = Counter::default();
        registry.register(
            "bad_requests",
            "Requests that closed their connection because they could not be read or served",
            bad_requests.clone(),
        );
        let connections = Gauge::default();
        registry.register("connections", "Client connections now open", connections.clone());
        let (bytes_in, bytes_out, records_in) =
            (Counter::default(), Counter::default(), Counter::default());
        registry.register("bytes_in", "Bytes of record batches appended", bytes_in.clone());
        registry.register("bytes_out", "Bytes of record batches fetched", bytes_out.clone());
        registry.register("records_in", "Records appended", records_in.clone());
        let partitions = Gauge::default();
        registry.register("partitions", "Partition replicas on this broker", partitions.clone());
        let offline_partitions = Gauge::default();
        registry.register(
            "offline_partitions",
            "Partition replicas on this broker whose log could not be opened",
            offline_partitions.clone(),
        );
        let under_replicated = Gauge::default();
        registry.register(
            "under_replicated_partitions",
            "Partitions led by this broker that have fewer in-sync replicas than replicas",
            under_replicated.clone(),
        );
        let (throttled_bytes_out, throttled_bytes_in) = (Counter::default(), Counter::default());
        registry.register(
            "throttled_replication_bytes_out",
            "Bytes sent to replicas that are not in sync, under a replication throttle",
            throttled_bytes_out.clone(),
        );
        registry.register(
            "throttled_replication_bytes_in",
            "Bytes taken by replicas here that are not in sync, under a replication throttle",
            throttled_bytes_in.clone(),
        );
        let (reassignment_bytes_out, reassignment_bytes_in) =
            (Counter::default(), Counter::default());
        registry.register(
            "reassignment_bytes_out",
            "Bytes sent to replicas that a reassignment adds, until they are in sync",
            reassignment_bytes_out.clone(),
        );
        registry.register(
            "reassignment_bytes_in",
            "Bytes taken by replicas here that a reassignment adds, until they are in sync",
            reassignment_bytes_in.clone(),
        );
        let partition_errors = Family::default();
        registry.register(
            "partition_errors",
            "Error codes answered for partitions of Produce and Fetch requests",
            partition_errors.clone(),
        );
        Self {
            registry,
            requests,
            bad_requests,
            connections,
            bytes_in,
            bytes_out,
            records_in,
            partitions,
            offline_partitions,
            under_replicated,
            throttled_bytes_out,
            throttled_bytes_in,
            reassignment_bytes_out,
            reassignment_bytes_in,
            partition_errors,
        }
    }

    /// Counts an error code that is answered for a partition.
    pub(crate) fn partition_error(&self, key: ApiKey, code: ErrorCode) {
        let labels = ErrorLabels { api: key.name(), code: code.name() };
        self.partition_errors.get_or_create(&labels).inc();
    }

    /// Counts a request.
    pub(crate) fn request(&self, key: ApiKey) {
        let index = usize::try_from(i16::from(key)).unwrap_or(usize::MAX);
        if let Some(Some(counter)) = self.requests.get(index) {
            counter.inc();
        }
    }

    /// The OpenMetrics text.
    pub(crate) fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_counted_under_its_api_and_code() {
        let metrics = Metrics::new();
        metrics.partition_error(ApiKey::Produce, ErrorCode::CORRUPT_MESSAGE);
        let text = metrics.encode().expect("encodes");
        let line = "partition_errors_total{api=\"Produce\",code=\"CORRUPT_MESSAGE\"} 1";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_request_is_counted_under_its_api() {
        let metrics = Metrics::new();
        metrics.request(ApiKey::Fetch);
        metrics.request(ApiKey::Fetch);
        let text = metrics.encode().expect("encodes");
        assert!(text.contains("vltava_broker_requests_total{api=\"Fetch\"} 2"), "{text}");
    }
}
