//! Whether this operator may act now: whether the lease still names it.
//!
//! The lease's keeper ([`crate::lease`]) tells when another operator has taken the lease, but only after it has spoken
//! to the API server, and after the API server was away it waits up to half a minute before it does. In that time
//! another operator may lead already. So each pass looks by itself, unless somebody looked a moment ago.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};

use crate::api::ApiFailure;
use crate::config::{LEASE_NAME, OperatorConfig};

/// How long what the lease said counts: far less than a lease lasts after its holder fell silent.
const FRESH: Duration = Duration::from_secs(3);

/// The lease as this operator last saw it.
#[derive(Debug)]
pub(crate) struct Tenure {
    /// `None` if the operator leads without a lease.
    leases: Option<Api<Lease>>,
    identity: String,
    /// When the lease was last known to name this operator.
    seen: Mutex<Option<Instant>>,
}

impl Tenure {
    pub(crate) fn new(client: Client, config: &OperatorConfig) -> Self {
        let leases = config.leader_election.then(|| Api::namespaced(client, &config.own_namespace));
        Self { leases, identity: config.identity.clone(), seen: Mutex::new(None) }
    }

    /// Whether the lease names this operator.
    ///
    /// # Errors
    /// If nobody can say: then it may not act either.
    pub(crate) async fn holds(&self) -> Result<bool, ApiFailure> {
        let Some(leases) = &self.leases else { return Ok(true) };
        let now = Instant::now();
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_some_and(|at| now.duration_since(at) < FRESH) {
            return Ok(true);
        }
        let lease = leases.get_opt(LEASE_NAME).await;
        let lease = lease.map_err(|e| ApiFailure::new(format!("read Lease {LEASE_NAME}"), e))?;
        let holder = lease.and_then(|lease| lease.spec?.holder_identity);
        let holds = holder.as_deref() == Some(self.identity.as_str());
        // As of before the question: the answer may have taken its time.
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = holds.then_some(now);
        Ok(holds)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::FakeApi;

    const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/system/leases/vltava-operator";

    async fn holds(lease: Option<&str>) -> bool {
        let (api, ctx) = FakeApi::start().await;
        let config = OperatorConfig {
            leader_election: true,
            own_namespace: "system".into(),
            ..ctx.config.clone()
        };
        if let Some(holder) = lease {
            let spec = json!({"holderIdentity": holder});
            api.put(PATH, json!({"metadata": {"name": "vltava-operator"}, "spec": spec}));
        }
        Tenure::new(ctx.client.clone(), &config).holds().await.unwrap()
    }

    #[tokio::test]
    async fn only_whom_the_lease_names_may_act() {
        assert!(holds(Some("test")).await);
        assert!(!holds(Some("another")).await);
        assert!(!holds(None).await);
    }

    #[tokio::test]
    async fn without_election_there_is_nothing_to_ask() {
        let (_, ctx) = FakeApi::start().await;
        assert!(ctx.tenure.holds().await.unwrap());
    }
}
