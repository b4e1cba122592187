//! What the clients are told, beyond where the brokers are. The report quotes it.

/// Records a second of each producer.
pub(super) const PER_SECOND: u32 = 100;
/// Until clients give up a write; quoted in the report.
pub(super) const DELIVERY_TIMEOUT_MS: u32 = 60_000;
/// Until clients give up a request, and ask elsewhere: a paused broker is noticed by nothing else.
const REQUEST_TIMEOUT_MS: u32 = 3_000;
const SESSION_TIMEOUT_MS: u32 = 6_000;

/// How carefully the producers write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// acks=all, idempotent.
    Full,
    /// acks=1: a control.
    OneAck,
    /// acks=all, but sent again without a sequence: a control.
    NotIdempotent,
}

impl Care {
    pub(super) fn settings(self) -> [String; 2] {
        let (acks, idempotence) = match self {
            Self::Full => ("all", true),
            Self::OneAck => ("1", false),
            Self::NotIdempotent => ("all", false),
        };
        [format!("acks={acks}"), format!("enable.idempotence={idempotence}")]
    }
}

pub(super) fn librdkafka_produces() -> Vec<String> {
    vec![
        format!("delivery.timeout.ms={DELIVERY_TIMEOUT_MS}"),
        format!("request.timeout.ms={REQUEST_TIMEOUT_MS}"),
        format!("socket.timeout.ms={REQUEST_TIMEOUT_MS}"),
        "socket.connection.setup.timeout.ms=2000".into(),
        "reconnect.backoff.max.ms=1000".into(),
        "linger.ms=5".into(),
    ]
}

pub(super) fn java_produces() -> Vec<String> {
    vec![
        format!("delivery.timeout.ms={DELIVERY_TIMEOUT_MS}"),
        format!("max.block.ms={DELIVERY_TIMEOUT_MS}"),
        format!("request.timeout.ms={REQUEST_TIMEOUT_MS}"),
        "socket.connection.setup.timeout.ms=2000".into(),
        "linger.ms=5".into(),
    ]
}

/// The oldest assignor, with which every client can share a group.
const ASSIGNOR: &str = "partition.assignment.strategy";

pub(super) fn librdkafka_consumes() -> Vec<String> {
    vec![
        format!("session.timeout.ms={SESSION_TIMEOUT_MS}"),
        "heartbeat.interval.ms=1000".into(),
        format!("{ASSIGNOR}=range"),
        format!("socket.timeout.ms={}", 2 * REQUEST_TIMEOUT_MS),
        "socket.connection.setup.timeout.ms=2000".into(),
        "reconnect.backoff.max.ms=1000".into(),
    ]
}

pub(super) fn java_consumes() -> Vec<String> {
    vec![
        format!("session.timeout.ms={SESSION_TIMEOUT_MS}"),
        "heartbeat.interval.ms=1000".into(),
        format!("{ASSIGNOR}=org.apache.kafka.clients.consumer.RangeAssignor"),
        format!("request.timeout.ms={}", 2 * REQUEST_TIMEOUT_MS),
        "socket.connection.setup.timeout.ms=2000".into(),
    ]
}

/// The clients' settings as the report quotes them.
pub(crate) fn quoted() -> String {
    format!(
        "Producers: `acks=all`, `enable.idempotence=true`, `delivery.timeout.ms={DELIVERY_TIMEOUT_MS}`, \
         `request.timeout.ms={REQUEST_TIMEOUT_MS}`, {PER_SECOND} records a second each. Consumers: one group, \
         `session.timeout.ms={SESSION_TIMEOUT_MS}`, offsets committed every 200 ms."
    )
}
