//! Our finalizer: an object whose deletion must do something outside Kubernetes keeps it until that is done.

use kube::api::{Api, Patch, PatchParams};
use kube::{Client, Resource, ResourceExt};
use serde_json::json;

use crate::api::{ApiFailure, Namespaced};

/// Name of the finalizer, on Topics with `deletionPolicy: delete` and on Connectors.
pub(crate) const NAME: &str = "vltava.dev/cleanup";

/// Whether the object carries it.
pub(crate) fn has<K: Resource>(object: &K) -> bool {
    object.finalizers().iter().any(|f| f == NAME)
}

/// Adds or removes it, so that the object carries it exactly if `wanted`. Says whether something changed.
pub(crate) async fn set<K: Namespaced>(
    client: &Client,
    object: &K,
    wanted: bool,
) -> Result<bool, ApiFailure> {
    if has(object) == wanted {
        return Ok(false);
    }
    let mut finalizers: Vec<&str> =
        object.finalizers().iter().map(String::as_str).filter(|f| *f != NAME).collect();
    if wanted {
        finalizers.push(NAME);
    }
    // The resource version makes the API server refuse the list if somebody else changed it meanwhile.
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": object.resource_version(),
    }});
    let name = object.name_any();
    let api = Api::<K>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(e)) if e.code == 404 && !wanted => Ok(true),
        Err(e) => {
            Err(ApiFailure::new(format!("change the finalizers of {} {name}", K::kind(&())), e))
        }
    }
}
