//! Step two, pure: what the workers will run, or why they cannot.

use crds::{Reason, Resources, Storage, StreamsApp};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::dereference::{Live, Topics};
use crate::config::AppCheck;
use crate::references::{awaited, cluster_ready, cluster_there};
use crate::verdict::Verdict;
use crate::workload::{choose_image, live_claims};

/// Largest `app.yaml`, in bytes: a ConfigMap takes 1 MiB in all.
const MAX_APP_BYTES: usize = 900 * 1024;
/// Fields that the workers do not read: a change of them restarts nothing.
const OPERATOR_FIELDS: &[&str] = &["replicas", "resources", "storage", "image", "tests"];

/// What the application will be. The steps after this one do not read the spec.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) owner: Option<OwnerReference>,
    pub(crate) application_id: String,
    pub(crate) bootstrap: String,
    pub(crate) replicas: i32,
    /// `app.yaml`: the object as the worker reads it. JSON is YAML.
    pub(crate) app: String,
    pub(crate) storage: Storage,
    pub(crate) resources: Option<Resources>,
    pub(crate) image: String,
    /// Volume templates of the StatefulSet that is there; they cannot be changed.
    pub(crate) claims: Option<Vec<PersistentVolumeClaim>>,
}

pub(crate) fn validate(
    object: &StreamsApp,
    live: &Live,
    default_image: &str,
    check: AppCheck,
) -> Result<Wanted, Verdict> {
    let spec = &object.spec;
    compiles(object, check)?;
    if !(0..=crds::common::MAX_REPLICAS).contains(&spec.replicas) {
        let text = format!(
            "spec.replicas is {}: write 1 to {}",
            spec.replicas,
            crds::common::MAX_REPLICAS
        );
        return Err(Verdict::stalled(Reason::InvalidSpec, text));
    }
    let reference = &spec.cluster_ref.name;
    // Workers that cannot reach a broker only crash; those that run already go on without one.
    let cluster = match live.set {
        None => cluster_ready(object, live.cluster.as_ref(), reference)?,
        Some(_) => cluster_there(object, live.cluster.as_ref(), reference)?,
    };
    topics_there(object, &live.topics, reference, live.set.is_some())?;
    Ok(Wanted {
        name: object.name_any(),
        namespace: object.namespace().unwrap_or_default(),
        owner: object.controller_owner_ref(&()),
        application_id: object.application_id().to_owned(),
        bootstrap: cluster.address.clone(),
        replicas: spec.replicas,
        app: app(object)?,
        storage: spec.storage.clone(),
        resources: spec.resources.clone(),
        image: choose_image(spec.image.as_deref(), live.set.as_ref(), default_image),
        claims: live_claims(live.set.as_ref()),
    })
}

/// An application that does not compile never reaches a pod; one that runs goes on as it was.
fn compiles(object: &StreamsApp, check: AppCheck) -> Result<(), Verdict> {
    let spec = serde_json::to_value(&object.spec);
    let spec = spec
        .map_err(|e| Verdict::stalled(Reason::InvalidSpec, format!("the spec is no JSON: {e}")))?;
    let problems = check(&spec);
    let Some(first) = problems.first() else { return Ok(()) };
    let more = match problems.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    Err(Verdict::stalled(
        Reason::InvalidSpec,
        format!("spec.{}: {}{more}", first.path, first.message),
    ))
}

/// Kafka Streams refuses to start without its topics, and so do we: before a pod starts or restarts.
fn topics_there(
    object: &StreamsApp,
    topics: &Topics,
    cluster: &str,
    runs: bool,
) -> Result<(), Verdict> {
    match topics {
        Topics::There => Ok(()),
        Topics::Unasked(_) if runs => Ok(()),
        Topics::Unasked(text) => Err(Verdict::working(
            Reason::Unreachable,
            format!("the broker does not answer: {text}"),
        )),
        Topics::Missing { unknown, .. } if !unknown.is_empty() => {
            let list = unknown.join(", ");
            let text = format!(
                "Cluster {cluster} has no topic {list}: create a Topic or correct the name"
            );
            Err(awaited(object, Reason::TopicNotFound, text, Timestamp::now()))
        }
        Topics::Missing { promised, .. } => {
            let list = promised.join(", ");
            Err(Verdict::working(
                Reason::WaitingForTopic,
                format!("waiting for Topic {list} to be created"),
            ))
        }
    }
}

/// The object as the worker reads it.
fn app(object: &StreamsApp) -> Result<String, Verdict> {
    let refuse = |text: String| Verdict::stalled(Reason::InvalidSpec, text);
    let mut spec = serde_json::to_value(&object.spec)
        .map_err(|e| refuse(format!("the spec is no JSON: {e}")))?;
    if let Value::Object(fields) = &mut spec {
        fields.retain(|field, _| !OPERATOR_FIELDS.contains(&field.as_str()));
        fields.insert("applicationId".to_owned(), json!(object.application_id()));
    }
    let whole = json!({
        "apiVersion": crds::API_VERSION,
        "kind": "StreamsApp",
        "metadata": {"name": object.name_any()},
        "spec": spec,
    });
    let text = serde_json::to_string_pretty(&whole)
        .map_err(|e| refuse(format!("the spec is no JSON: {e}")))?;
    if text.len() > MAX_APP_BYTES {
        let text = format!(
            "the application has {} bytes, and a ConfigMap takes {MAX_APP_BYTES}: divide it",
            text.len()
        );
        return Err(refuse(text));
    }
    Ok(text + "\n")
}
