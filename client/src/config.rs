//! [`ClientConfig`]: where the cluster is and how long to try.

use std::time::Duration;

/// Why a list of addresses cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not `host:port`.
    #[error("{0:?} is not host:port")]
    Address(String),
    /// No address at all.
    #[error("no bootstrap address is given")]
    NoAddress,
}

/// Settings shared by everything made from one [`crate::Client`]. Defaults are those of Kafka's Java clients.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Addresses (`host:port`) to learn the cluster from; one that answers is enough.
    pub bootstrap: Vec<String>,
    /// Name that the broker's logs and quotas know this client by.
    pub client_id: String,
    /// Longest wait for one answer; then the connection is given up. Default 30 000.
    pub request_timeout_ms: u32,
    /// Longest time that an operation is tried again before its last error is reported. Default 60 000.
    pub retry_timeout_ms: u32,
    /// Longest wait for a TCP connection and its first answer. Default 10 000.
    pub connect_timeout_ms: u32,
    /// First pause before another try; it doubles up to `retry_backoff_max_ms`, with jitter. Default 100.
    pub retry_backoff_ms: u32,
    /// Longest pause before another try. Default 1 000.
    pub retry_backoff_max_ms: u32,
    /// Age at which metadata is fetched anew even when nothing went wrong. Default 300 000.
    pub metadata_max_age_ms: u32,
    /// Longest answer that is accepted, in bytes; a longer one closes the connection. Default 100 MiB.
    pub max_response_bytes: usize,
}

impl ClientConfig {
    /// Defaults, with addresses from a comma-separated list.
    pub fn new(bootstrap: &str) -> Self {
        let addresses = bootstrap.split(',').map(str::trim).filter(|a| !a.is_empty());
        Self {
            bootstrap: addresses.map(str::to_owned).collect(),
            client_id: "vltava".to_owned(),
            request_timeout_ms: 30_000,
            retry_timeout_ms: 60_000,
            connect_timeout_ms: 10_000,
            retry_backoff_ms: 100,
            retry_backoff_max_ms: 1_000,
            metadata_max_age_ms: 300_000,
            max_response_bytes: protocol::frame::DEFAULT_MAX_FRAME_BYTES,
        }
    }

    /// The same with another client id.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// Whether the addresses can be used at all, for a clear error before anything is tried.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.bootstrap.is_empty() {
            return Err(ConfigError::NoAddress);
        }
        for address in &self.bootstrap {
            let port = address.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>()));
            if !matches!(port, Some((host, Ok(_))) if !host.is_empty()) {
                return Err(ConfigError::Address(address.clone()));
            }
        }
        Ok(())
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.into())
    }

    pub(crate) fn retry_timeout(&self) -> Duration {
        Duration::from_millis(self.retry_timeout_ms.into())
    }

    pub(crate) fn metadata_max_age(&self) -> Duration {
        Duration::from_millis(self.metadata_max_age_ms.into())
    }

    /// Pause before try `attempt` (0 = the first repetition): doubling, ±20 %.
    pub(crate) fn backoff(&self, attempt: u32) -> Duration {
        let exact = f64::from(self.retry_backoff_ms) * 2_f64.powi(attempt.min(20) as i32);
        let capped = exact.min(f64::from(self.retry_backoff_max_ms.max(self.retry_backoff_ms)));
        Duration::from_secs_f64(capped * (0.8 + 0.4 * fastrand::f64()) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(ClientConfig::new("a:1, b:2").validate(), Ok(()));
        assert_eq!(ClientConfig::new("[::1]:9092").validate(), Ok(()));
        assert_eq!(ClientConfig::new(" ,").validate(), Err(ConfigError::NoAddress));
        assert_eq!(ClientConfig::new("a").validate(), Err(ConfigError::Address("a".to_owned())));
        assert!(ClientConfig::new("a:70000").validate().is_err());
        assert!(ClientConfig::new(":9092").validate().is_err());
    }

    #[test]
    fn backoff_doubles_up_to_its_limit() {
        let config = ClientConfig::new("a:1");
        assert!(config.backoff(0) <= Duration::from_millis(120));
        assert!(config.backoff(2) >= Duration::from_millis(320));
        assert!(config.backoff(1000) <= Duration::from_millis(1200));
    }
}
