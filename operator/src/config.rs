//! What the operator is told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::fail_point;

/// Port of `/livez`, `/readyz` and `/metrics`.
pub(crate) const DEFAULT_HEALTH_PORT: u16 = 8080;
/// Environment variable with the image of the workers.
pub(crate) const IMAGE_VARIABLE: &str = "VLTAVA_IMAGE";
/// Environment variable with the operator's own namespace, where its lease lives.
pub(crate) const NAMESPACE_VARIABLE: &str = "POD_NAMESPACE";
/// Environment variable with the operator's own pod, which is its name as a leader.
pub(crate) const POD_VARIABLE: &str = "POD_NAME";
/// Environment variable with the name of the webhook's Service, Secret and ValidatingWebhookConfiguration.
pub(crate) const WEBHOOK_VARIABLE: &str = "WEBHOOK_NAME";
/// Port of what the API server calls.
pub(crate) const DEFAULT_WEBHOOK_PORT: u16 = 9443;
/// Name of the lease.
pub(crate) const LEASE_NAME: &str = "vltava-operator";

/// What is wrong with a Streams application: where in its spec, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppProblem {
    /// Path in the spec, such as `pipelines[0].steps[1].filter.where`.
    pub path: String,
    /// A sentence that says what to do.
    pub message: String,
}

/// Checks a Streams application's spec, as JSON, without starting it. The operator itself knows no CEL.
pub type AppCheck = fn(&serde_json::Value) -> Vec<AppProblem>;

/// How the API server asks before it evicts a broker's pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookConfig {
    /// Address of the port that it calls.
    pub listen: SocketAddr,
    /// Name of the Service and of the Secret, in the operator's own namespace, and of the
    /// ValidatingWebhookConfiguration. All three must be there.
    pub name: String,
}

/// Settings of [`crate::run`].
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// Namespace to watch; `None` watches all.
    pub namespace: Option<String>,
    /// Address of the operator's own HTTP port.
    pub health_listen: SocketAddr,
    /// Image of brokers and workers whose object names none.
    pub image: String,
    /// Namespace of the lease.
    pub own_namespace: String,
    /// Name of this operator among those that want to lead.
    pub identity: String,
    /// Whether to lead only while holding the lease; without it, exactly one operator may run.
    pub leader_election: bool,
    /// The webhook for evictions; `None` leaves them to the PodDisruptionBudgets.
    pub webhook: Option<WebhookConfig>,
    /// Refuses applications before a pod starts or restarts.
    pub check_app: AppCheck,
    /// For tests only: folder in which the operator notes where it has ended itself on purpose. `None`: it never does.
    pub fail_points: Option<PathBuf>,
}

impl OperatorConfig {
    /// Settings from the environment that the chart makes (`VLTAVA_IMAGE`, `POD_NAMESPACE`, `POD_NAME`,
    /// `WEBHOOK_NAME`), with defaults for an operator run by hand; `VLTAVA_FAIL_POINTS` is for tests. Applications are not
    /// checked before they start; see
    /// [`Self::with_check`].
    #[must_use]
    pub fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        Self {
            namespace: None,
            health_listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_HEALTH_PORT)),
            image: variable(IMAGE_VARIABLE).unwrap_or_else(|| "vltava:latest".to_owned()),
            own_namespace: variable(NAMESPACE_VARIABLE).unwrap_or_else(|| "default".to_owned()),
            identity: variable(POD_VARIABLE)
                .unwrap_or_else(|| format!("vltava-operator-{:08x}", fastrand::u32(..))),
            leader_election: true,
            webhook: variable(WEBHOOK_VARIABLE).map(|name| WebhookConfig {
                listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_WEBHOOK_PORT)),
                name,
            }),
            check_app: |_| Vec::new(),
            fail_points: variable(fail_point::VARIABLE).map(PathBuf::from),
        }
    }

    /// The same with a check of applications.
    #[must_use]
    pub fn with_check(self, check_app: AppCheck) -> Self {
        Self { check_app, ..self }
    }
}
