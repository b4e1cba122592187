use crds::{Cluster, Reason};
use k8s_openapi::api::apps::v1::StatefulSet;

use super::super::dereference::Live;
use super::super::validate::{Wanted, validate};
use super::{Children, build};
use crate::labels::CONFIG_HASH;
use crate::verdict::Verdict;

fn cluster(spec: serde_json::Value) -> Cluster {
    serde_json::from_value(serde_json::json!({
        "apiVersion": crds::API_VERSION, "kind": "Cluster",
        "metadata": {"name": "demo", "namespace": "shop", "uid": "u-1"},
        "spec": spec}))
    .unwrap()
}

fn wanted(spec: serde_json::Value, live: &Live) -> Result<Wanted, Verdict> {
    validate(&cluster(spec), live, "vltava:1")
}

fn children(spec: serde_json::Value) -> Children {
    build(&wanted(spec, &Live::default()).unwrap())
}

fn hash(set: &StatefulSet) -> String {
    let template = &set.spec.as_ref().unwrap().template;
    template.metadata.as_ref().unwrap().annotations.as_ref().unwrap()[CONFIG_HASH].clone()
}

#[test]
fn one_broker_is_one_set_with_its_own_volume() {
    let children = children(serde_json::json!({}));
    assert_eq!(children.sets.len(), 1);
    let set = &children.sets[0];
    assert_eq!(set.metadata.name.as_deref(), Some("demo-0"));
    let spec = set.spec.as_ref().unwrap();
    assert_eq!(spec.replicas, Some(1));
    assert!(spec.volume_claim_templates.is_none());
    assert_eq!(children.claims[0].metadata.name.as_deref(), Some("data-demo-0"));
    let args = spec.template.spec.as_ref().unwrap().containers[0].args.as_ref().unwrap();
    assert!(
        args.contains(&"--advertise=demo-0-0.demo-brokers.shop.svc:9092".to_owned()),
        "{args:?}"
    );
    let services: Vec<_> =
        children.services.iter().map(|s| s.metadata.name.clone().unwrap()).collect();
    assert_eq!(services, ["demo-brokers", "demo-kafka"]);
}

#[test]
fn the_volume_outlives_the_cluster_and_all_else_goes() {
    let children = children(serde_json::json!({}));
    assert!(children.claims[0].metadata.owner_references.is_none());
    assert!(children.sets[0].metadata.owner_references.is_some());
    assert!(children.config.metadata.owner_references.is_some());
    assert!(children.services.iter().all(|s| s.metadata.owner_references.is_some()));
}

#[test]
fn a_pod_meets_the_restricted_standard() {
    let children = children(serde_json::json!({}));
    let pod = children.sets[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    let security = pod.security_context.as_ref().unwrap();
    assert_eq!(security.run_as_non_root, Some(true));
    assert_eq!(security.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    assert_eq!(pod.automount_service_account_token, Some(false));
    for container in &pod.containers {
        let security = container.security_context.as_ref().unwrap();
        assert_eq!(security.allow_privilege_escalation, Some(false));
        assert_eq!(security.read_only_root_filesystem, Some(true));
        assert_eq!(security.capabilities.as_ref().unwrap().drop.as_ref().unwrap(), &["ALL"]);
    }
}

#[test]
fn only_a_changed_configuration_changes_the_hash() {
    let plain = children(serde_json::json!({"config": {"a": "1"}}));
    let same =
        children(serde_json::json!({"config": {"a": 1}, "brokers": {"storage": {"size": "20Gi"}}}));
    let other = children(serde_json::json!({"config": {"a": "2"}}));
    assert_eq!(hash(&plain.sets[0]), hash(&same.sets[0]));
    assert_eq!(plain.sets, same.sets);
    assert_ne!(hash(&plain.sets[0]), hash(&other.sets[0]));
    assert_eq!(plain.config.data.unwrap()["broker.properties"], "a=1\n");
}

#[test]
fn another_operator_image_changes_no_running_broker() {
    let first = wanted(serde_json::json!({}), &Live::default()).unwrap();
    let live = Live { sets: build(&first).sets, ..Default::default() };
    let upgraded = validate(&cluster(serde_json::json!({})), &live, "vltava:2").unwrap();
    assert_eq!(build(&upgraded).sets, live.sets);
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let refuse = |spec| match wanted(spec, &Live::default()) {
        Err(Verdict::Stalled(reason, message)) => (reason, message),
        other => panic!("not refused: {other:?}"),
    };
    let (reason, message) = refuse(serde_json::json!({"brokers": {"replicas": 3}}));
    assert_eq!(reason, Reason::Unsupported);
    assert!(message.contains("replicas: 1"));
    let (reason, message) = refuse(serde_json::json!({"config": {"node.id": "7"}}));
    assert_eq!(reason, Reason::InvalidSpec);
    assert!(message.contains("node.id"));
    let (reason, _) = refuse(serde_json::json!({"config": {"a": "1\nlog.dirs=/"}}));
    assert_eq!(reason, Reason::InvalidSpec);
}
