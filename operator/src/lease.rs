//! One operator leads: the one that holds the lease. An operator that loses it exits, because a reconcile that is
//! under way cannot be called back.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{LEASE_NAME, OperatorConfig};

/// How long a lease lasts after its holder fell silent, in seconds.
const DURATION_S: u64 = 15;
/// How long before the end a holder renews it, in seconds.
const GRACE_S: u64 = 5;

/// Leading is not possible, or not any more.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The lease could not be made or read.
    #[error("failed to use the lease {LEASE_NAME}")]
    Lease(#[source] LeaseManagerError),
    /// Another operator took it, or it could not be renewed in time.
    #[error("lost the lease {LEASE_NAME} to another operator")]
    Lost,
}

/// The wish to lead, and the news of it.
#[derive(Debug)]
pub(crate) struct Leadership {
    state: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    /// Begins to try for the lease.
    pub(crate) async fn start(client: Client, config: &OperatorConfig) -> Result<Self, LeaseError> {
        let builder = LeaseManagerBuilder::new(client, LEASE_NAME)
            .with_namespace(&config.own_namespace)
            .with_identity(&config.identity)
            .with_field_manager(&config.identity)
            .with_duration(DURATION_S)
            .with_grace(GRACE_S);
        let manager = builder.build().await.map_err(LeaseError::Lease)?;
        let (state, task) = manager.watch().await;
        Ok(Self { state, task })
    }

    /// Waits until this operator leads; `Ok(false)` if it was told to stop first.
    pub(crate) async fn acquired(&mut self, stop: &CancellationToken) -> Result<bool, LeaseError> {
        tokio::select! {
            () = stop.cancelled() => Ok(false),
            result = self.state.wait_for(|leads| *leads) => match result {
                Ok(_) => Ok(true),
                Err(_) => Err(LeaseError::Lost),
            },
        }
    }

    /// Returns when this operator does not lead any more.
    pub(crate) async fn lost(&mut self) -> LeaseError {
        let _ = self.state.wait_for(|leads| !*leads).await;
        LeaseError::Lost
    }

    /// Gives the lease back, so that the next operator need not wait for its end.
    pub(crate) async fn release(self) {
        drop(self.state);
        match self.task.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "failed to give the lease back"),
            Err(error) => tracing::warn!(%error, "the lease task failed"),
        }
    }
}
