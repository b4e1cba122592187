//! Names of an application's objects.

use crate::labels::Labels;
use crate::workload::ADMIN_PORT;

/// Label of everything that belongs to an application.
pub(crate) const OWNER_KEY: &str = "vltava.dev/streams-app";

pub(crate) fn labels(app: &str) -> Labels<'_> {
    Labels { owner_key: OWNER_KEY, owner: app, component: "streams" }
}

/// StatefulSet, ServiceAccount, PodDisruptionBudget, ConfigMap, and the headless Service that names the pods.
pub(crate) fn common(app: &str) -> String {
    format!("{app}-streams")
}

/// Pod of one worker.
pub(crate) fn pod(app: &str, ordinal: i32) -> String {
    format!("{}-{ordinal}", common(app))
}

/// Where one worker tells its status.
pub(crate) fn status_url(app: &str, ordinal: i32, namespace: &str) -> String {
    format!("http://{}.{}.{namespace}.svc:{ADMIN_PORT}/status", pod(app, ordinal), common(app))
}
