//! What the API server is told: to ask about the pods of our brokers and edits of our Clusters, where, and whom to trust. The
//! leader keeps it so as Clusters come and go, and renews the certificate.

use std::collections::BTreeSet;
use std::time::Duration;

use crds::Cluster;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, RuleWithOperations, ServiceReference, ValidatingWebhook,
    ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt as _};
use tokio::time::Instant;

use super::server::{EVICT, PREVIEW};
use crate::api::ApiFailure;
use crate::pki::{self, Material, Serving};

/// The field manager, which has this name since evictions were all that was asked about.
const MANAGER: &str = "vltava-operator-eviction";
/// How often Clusters are compared with what the API server was told.
const TICK: Duration = Duration::from_secs(2);
/// How often it is told again although nothing changed, and the certificate is looked at: somebody may have changed it.
const AGAIN: Duration = Duration::from_secs(300);
/// How long the API server waits for a ruling, and for a forecast, which people wait for too.
const RULING_TIMEOUT_S: i32 = 10;
const FORECAST_TIMEOUT_S: i32 = 5;

/// Where the pieces are.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Place {
    /// Host by which the API server calls the Service.
    fn host(&self) -> String {
        format!("{}.{}.svc", self.name, self.namespace)
    }
}

/// Keeps the configuration and the certificate as they must be, until the task is dropped.
pub(crate) async fn keep(
    client: Client,
    place: Place,
    clusters: Store<DeserializeGuard<Cluster>>,
    serving: Serving,
) {
    if clusters.wait_until_ready().await.is_err() {
        return;
    }
    let mut told: Option<(BTreeSet<String>, Instant)> = None;
    loop {
        let names = names(&clusters);
        let due = told.as_ref().is_none_or(|(old, at)| *old != names || at.elapsed() > AGAIN);
        if due {
            match tell(&client, &place, &names, &serving).await {
                Ok(()) => told = Some((names, Instant::now())),
                Err(failure) => tracing::warn!(%failure, "the webhook is not as it should be"),
            }
        }
        tokio::time::sleep(TICK).await;
    }
}

/// `namespace/name` of each Cluster.
fn names(clusters: &Store<DeserializeGuard<Cluster>>) -> BTreeSet<String> {
    let state = clusters.state();
    let all = state.iter().map(|guard| {
        let meta = match &guard.0 {
            Ok(cluster) => &cluster.metadata,
            Err(invalid) => &invalid.metadata,
        };
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{}/{}", part(&meta.namespace), part(&meta.name))
    });
    all.collect()
}

async fn tell(
    client: &Client,
    place: &Place,
    names: &BTreeSet<String>,
    serving: &Serving,
) -> Result<(), ApiFailure> {
    let now = Timestamp::now();
    let found = pki::read(client, &place.namespace, &place.name).await?;
    let current = found.as_ref().filter(|material| !material.is_due(now));
    let made = match current {
        Some(_) => None,
        None => match Material::make(&place.host(), found.as_ref(), now) {
            Ok(made) => Some(made),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no certificate");
                return Ok(());
            }
        },
    };
    let Some(material) = made.as_ref().or(current) else { return Ok(()) };
    // Whom to trust comes before who serves with it; the first time, who serves before who asks.
    let configuration = configuration(place, &material.authorities, names);
    if found.is_some() {
        apply(client, &configuration).await?;
    }
    if let Some(made) = &made {
        pki::write(client, &place.namespace, &place.name, made).await?;
    }
    if found.is_none() {
        apply(client, &configuration).await?;
    }
    if let Err(error) = serving.set(material.clone()) {
        tracing::error!(error = &error as &dyn std::error::Error, "the certificate is unusable");
    }
    Ok(())
}

async fn apply(client: &Client, object: &ValidatingWebhookConfiguration) -> Result<(), ApiFailure> {
    let name = object.name_any();
    let api = Api::<ValidatingWebhookConfiguration>::all(client.clone());
    let params = PatchParams::apply(MANAGER).force();
    let result = api.patch(&name, &params, &Patch::Apply(object)).await;
    result
        .map(drop)
        .map_err(|e| ApiFailure::new(format!("apply ValidatingWebhookConfiguration {name}"), e))
}

/// The object. Without Clusters there is nothing to ask about.
fn configuration(
    place: &Place,
    authorities: &str,
    clusters: &BTreeSet<String>,
) -> ValidatingWebhookConfiguration {
    let mut object = ValidatingWebhookConfiguration::default();
    object.metadata.name = Some(place.name.clone());
    object.webhooks = (!clusters.is_empty())
        .then(|| vec![eviction(place, authorities, clusters), edit(place, authorities, clusters)]);
    object
}

/// No answer is a no. It concerns the pods that the condition names, and no others.
fn eviction(place: &Place, authorities: &str, clusters: &BTreeSet<String>) -> ValidatingWebhook {
    ValidatingWebhook {
        name: "eviction.vltava.dev".to_owned(),
        failure_policy: Some("Fail".to_owned()),
        match_conditions: Some(vec![match_condition("is-a-broker", broker_of(clusters))]),
        rules: Some(vec![rule("", "v1", "CREATE", "pods/eviction")]),
        side_effects: "NoneOnDryRun".to_owned(),
        timeout_seconds: Some(RULING_TIMEOUT_S),
        ..asking(place, authorities, EVICT)
    }
}

/// No answer says nothing, and holds nothing up. Metadata and status are no edit.
fn edit(place: &Place, authorities: &str, clusters: &BTreeSet<String>) -> ValidatingWebhook {
    let edited = "object.spec != oldObject.spec".to_owned();
    ValidatingWebhook {
        name: "preview.vltava.dev".to_owned(),
        failure_policy: Some("Ignore".to_owned()),
        match_conditions: Some(vec![
            match_condition("is-known", one_of(clusters)),
            match_condition("is-edited", edited),
        ]),
        rules: Some(vec![rule("vltava.dev", "*", "UPDATE", "clusters")]),
        side_effects: "None".to_owned(),
        timeout_seconds: Some(FORECAST_TIMEOUT_S),
        ..asking(place, authorities, PREVIEW)
    }
}

/// Where to ask, and whom to trust.
fn asking(place: &Place, authorities: &str, path: &str) -> ValidatingWebhook {
    ValidatingWebhook {
        admission_review_versions: vec!["v1".to_owned()],
        client_config: WebhookClientConfig {
            ca_bundle: Some(ByteString(authorities.as_bytes().to_vec())),
            service: Some(ServiceReference {
                name: place.name.clone(),
                namespace: place.namespace.clone(),
                path: Some(path.to_owned()),
                port: Some(443),
            }),
            url: None,
        },
        ..Default::default()
    }
}

fn rule(group: &str, version: &str, operation: &str, resource: &str) -> RuleWithOperations {
    let text = |text: &str| Some(vec![text.to_owned()]);
    RuleWithOperations {
        api_groups: text(group),
        api_versions: text(version),
        operations: text(operation),
        resources: text(resource),
        scope: Some("Namespaced".to_owned()),
    }
}

fn match_condition(name: &str, expression: String) -> MatchCondition {
    MatchCondition { name: name.to_owned(), expression }
}

/// Whether a pod has the name of a broker of one of these: `<cluster>-<node id>-0`. A CEL expression.
fn broker_of(clusters: &BTreeSet<String>) -> String {
    matches(clusters, "-[0-9]+-0")
}

/// Whether a Cluster is one of these. A CEL expression.
fn one_of(clusters: &BTreeSet<String>) -> String {
    matches(clusters, "")
}

fn matches(clusters: &BTreeSet<String>, suffix: &str) -> String {
    let names: Vec<_> = clusters.iter().map(|name| name.replace('.', "[.]")).collect();
    format!("(request.namespace + '/' + request.name).matches('^({}){suffix}$')", names.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { namespace: "system".into(), name: "vltava-webhook".into() }
    }

    #[test]
    fn only_brokers_of_clusters_that_are_there_are_asked_about() {
        let none = configuration(&place(), "ca", &BTreeSet::new());
        assert_eq!(none.webhooks, None);
        let clusters = BTreeSet::from(["shop/demo".to_owned(), "other/a.b".to_owned()]);
        let object = configuration(&place(), "ca", &clusters);
        let webhook = &object.webhooks.unwrap()[0];
        assert_eq!(
            webhook.match_conditions.as_ref().unwrap()[0].expression,
            "(request.namespace + '/' + request.name).matches('^(other/a[.]b|shop/demo)-[0-9]+-0$')"
        );
    }

    #[test]
    fn no_answer_refuses_and_a_dry_run_is_asked_about_too() {
        let clusters = BTreeSet::from(["shop/demo".to_owned()]);
        let object = configuration(&place(), "ca", &clusters);
        let webhook = &object.webhooks.unwrap()[0];
        assert_eq!(webhook.failure_policy.as_deref(), Some("Fail"));
        assert_eq!(webhook.side_effects, "NoneOnDryRun");
        assert_eq!(webhook.client_config.ca_bundle, Some(ByteString(b"ca".to_vec())));
        let rule = &webhook.rules.as_ref().unwrap()[0];
        assert_eq!(rule.resources.as_deref(), Some(&["pods/eviction".to_owned()][..]));
    }

    #[test]
    fn an_edit_is_asked_about_and_never_held_up() {
        let clusters = BTreeSet::from(["shop/demo".to_owned()]);
        let object = configuration(&place(), "ca", &clusters);
        let webhook = &object.webhooks.unwrap()[1];
        assert_eq!(webhook.failure_policy.as_deref(), Some("Ignore"));
        assert_eq!(webhook.side_effects, "None");
        let conditions = webhook.match_conditions.as_ref().unwrap();
        assert_eq!(
            conditions[0].expression,
            "(request.namespace + '/' + request.name).matches('^(shop/demo)$')"
        );
        assert_eq!(conditions[1].expression, "object.spec != oldObject.spec");
    }
}
