//! The flag that all Kafka tools share: where the cluster is.

use clap::Args;
use client::{Client, ClientConfig};

/// Longest wait for a broker that does not answer, so that a wrong address is told soon.
const RETRY_TIMEOUT_MS: u32 = 15_000;

#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Addresses of brokers, separated by commas; one that answers is enough
    #[arg(
        short,
        long,
        env = "VLTAVA_BOOTSTRAP",
        default_value = "127.0.0.1:9092",
        value_name = "HOST:PORT",
        global = true,
        help_heading = "Cluster"
    )]
    pub(crate) bootstrap: String,
}

impl ClusterArgs {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// When the addresses cannot be addresses.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        self.patient_client(RETRY_TIMEOUT_MS)
    }

    /// The same, which tries for so many milliseconds before it gives up.
    ///
    /// # Errors
    /// When the addresses cannot be addresses.
    pub(crate) fn patient_client(&self, retry_timeout_ms: u32) -> anyhow::Result<Client> {
        let mut config = ClientConfig::new(&self.bootstrap).with_client_id("vltava");
        config.retry_timeout_ms = retry_timeout_ms;
        config.validate()?;
        Ok(Client::new(config))
    }
}
