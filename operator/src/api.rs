//! Talking to the Kubernetes API: server-side apply, and what a failure means.

use std::fmt::Debug;

use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Objects that one list may return.
const LIST_LIMIT: u32 = 1000;

/// A request to the Kubernetes API failed.
#[derive(Debug, thiserror::Error)]
#[error("failed to {doing}: {}", describe(source))]
pub(crate) struct ApiFailure {
    /// What was being done, as `apply StatefulSet demo-0`.
    pub(crate) doing: String,
    /// What the client says.
    #[source]
    pub(crate) source: kube::Error,
}

impl ApiFailure {
    pub(crate) fn new(doing: impl Into<String>, source: kube::Error) -> Self {
        Self { doing: doing.into(), source }
    }

    /// Whether the API server understood and refused: trying the same again cannot help.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(&self.source, kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422))
    }

    /// Whether the API server answered at all.
    pub(crate) fn is_answer(&self) -> bool {
        matches!(&self.source, kube::Error::Api(_))
    }

    /// What a person should read.
    pub(crate) fn describe(&self) -> String {
        format!("failed to {}: {}", self.doing, describe(&self.source))
    }
}

fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// A namespaced kind with a static type.
pub(crate) trait Namespaced:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned
{
}
impl<K> Namespaced for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
{
}

/// Whether an object is being deleted.
pub(crate) fn is_deleted<K: Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// Creates or changes an object by server-side apply; what other managers set stays.
pub(crate) async fn apply<K>(client: &Client, manager: &str, object: &K) -> Result<K, ApiFailure>
where
    K: Namespaced + Serialize,
{
    let name = object.name_any();
    let namespace = object.namespace().unwrap_or_default();
    let params = PatchParams::apply(manager).force();
    let api = Api::<K>::namespaced(client.clone(), &namespace);
    let result = api.patch(&name, &params, &Patch::Apply(object)).await;
    result.map_err(|e| ApiFailure::new(format!("apply {} {name}", K::kind(&())), e))
}

/// [`apply`] of several objects, in order, up to the first failure.
pub(crate) async fn apply_all<K>(
    client: &Client,
    manager: &str,
    objects: &[K],
) -> Result<Vec<K>, ApiFailure>
where
    K: Namespaced + Serialize,
{
    let mut applied = Vec::with_capacity(objects.len());
    for object in objects {
        applied.push(apply(client, manager, object).await?);
    }
    Ok(applied)
}

/// Reads one object, or `None` if there is none.
pub(crate) async fn get<K: Namespaced>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<K>, ApiFailure> {
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let result = api.get_opt(name).await;
    result.map_err(|e| ApiFailure::new(format!("read {} {name}", K::kind(&())), e))
}

/// Creates an object. One that is there already is an error: nothing is overwritten.
pub(crate) async fn create<K>(client: &Client, manager: &str, object: &K) -> Result<K, ApiFailure>
where
    K: Namespaced + Serialize,
{
    let name = object.name_any();
    let api = Api::<K>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let params = PostParams { field_manager: Some(manager.to_owned()), ..PostParams::default() };
    let result = api.create(&params, object).await;
    result.map_err(|e| ApiFailure::new(format!("create {} {name}", K::kind(&())), e))
}

/// Deletes exactly this object, not another of its name; one that is gone is deleted already.
pub(crate) async fn delete<K: Namespaced>(client: &Client, object: &K) -> Result<(), ApiFailure> {
    let name = object.name_any();
    let api = Api::<K>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let params = DeleteParams {
        preconditions: Some(Preconditions { uid: object.uid(), ..Preconditions::default() }),
        ..DeleteParams::background()
    };
    match api.delete(&name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(e)) if e.code == 404 => Ok(()),
        Err(e) => Err(ApiFailure::new(format!("delete {} {name}", K::kind(&())), e)),
    }
}

/// Sets one label of an object.
pub(crate) async fn label<K: Namespaced>(
    client: &Client,
    object: &K,
    key: &str,
    value: &str,
) -> Result<(), ApiFailure> {
    set_metadata(client, object, "label", json!({"labels": {key: value}})).await
}

/// Sets one annotation of an object.
pub(crate) async fn annotate<K: Namespaced>(
    client: &Client,
    object: &K,
    key: &str,
    value: &str,
) -> Result<(), ApiFailure> {
    set_metadata(client, object, "annotate", json!({"annotations": {key: value}})).await
}

async fn set_metadata<K: Namespaced>(
    client: &Client,
    object: &K,
    doing: &str,
    metadata: serde_json::Value,
) -> Result<(), ApiFailure> {
    let name = object.name_any();
    let api = Api::<K>::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let patch = json!({"metadata": metadata});
    match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(e)) if e.code == 404 => Ok(()),
        Err(e) => Err(ApiFailure::new(format!("{doing} {} {name}", K::kind(&())), e)),
    }
}

/// Lists the objects of a namespace that carry labels.
pub(crate) async fn list<K: Namespaced>(
    client: &Client,
    namespace: &str,
    labels: &str,
) -> Result<Vec<K>, ApiFailure> {
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(labels).limit(LIST_LIMIT);
    let result = api.list(&params).await;
    result
        .map(|l| l.items)
        .map_err(|e| ApiFailure::new(format!("list {} with {labels}", K::kind(&())), e))
}

/// Writes an object's status, by server-side apply under a manager of its own.
pub(crate) async fn apply_status<K, S>(
    client: &Client,
    manager: &str,
    object: &K,
    status: &S,
) -> Result<(), ApiFailure>
where
    K: Namespaced,
    S: Serialize,
{
    let namespace = object.namespace().unwrap_or_default();
    apply_status_by_name::<K, S>(client, manager, &namespace, &object.name_any(), status).await
}

/// [`apply_status`] of an object that may not even be readable.
pub(crate) async fn apply_status_by_name<K, S>(
    client: &Client,
    manager: &str,
    namespace: &str,
    name: &str,
    status: &S,
) -> Result<(), ApiFailure>
where
    K: Namespaced,
    S: Serialize,
{
    // A dynamic object: the answer need not read as the kind.
    let resource = ApiResource::erase::<K>(&());
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name},
        "status": status,
    });
    let params = PatchParams::apply(&format!("{manager}-status")).force();
    match api.patch_status(name, &params, &Patch::Apply(&patch)).await {
        Ok(_) => Ok(()),
        // Deleted in the meantime: nobody will read it.
        Err(kube::Error::Api(e)) if e.code == 404 => Ok(()),
        Err(e) => Err(ApiFailure::new(format!("write the status of {} {name}", K::kind(&())), e)),
    }
}
