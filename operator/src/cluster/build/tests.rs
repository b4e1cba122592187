use crds::{Cluster, Reason};
use k8s_openapi::api::apps::v1::StatefulSet;

use super::super::dereference::Live;
use super::super::validate::{Wanted, validate};
use super::{Children, build, is_current, set};
use crate::labels::{CONFIG_HASH, SPEC_HASH};
use crate::verdict::Verdict;

fn cluster(spec: serde_json::Value) -> Cluster {
    serde_json::from_value(serde_json::json!({
        "apiVersion": crds::API_VERSION, "kind": "Cluster",
        "metadata": {"name": "demo", "namespace": "shop", "uid": "u-1"},
        "spec": spec}))
    .unwrap()
}

fn wanted(spec: serde_json::Value, live: &Live) -> Result<Wanted, Verdict> {
    validate(&cluster(spec), live, "vltava:1", "new-id")
}

fn children(spec: serde_json::Value) -> Children {
    build(&wanted(spec, &Live::default()).unwrap())
}

fn sets(spec: serde_json::Value) -> Vec<StatefulSet> {
    let wanted = wanted(spec, &Live::default()).unwrap();
    wanted.ids().into_iter().map(|id| set(&wanted, id).unwrap()).collect()
}

fn args(set: &StatefulSet) -> Vec<String> {
    let pod = set.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    pod.containers[0].args.clone().unwrap()
}

fn hash(set: &StatefulSet) -> String {
    let template = &set.spec.as_ref().unwrap().template;
    template.metadata.as_ref().unwrap().annotations.as_ref().unwrap()[CONFIG_HASH].clone()
}

#[test]
fn one_broker_is_one_set_with_its_own_volume() {
    let (children, sets) = (children(serde_json::json!({})), sets(serde_json::json!({})));
    assert_eq!(sets.len(), 1);
    let set = &sets[0];
    assert_eq!(set.metadata.name.as_deref(), Some("demo-0"));
    let spec = set.spec.as_ref().unwrap();
    assert_eq!(spec.replicas, Some(1));
    assert!(spec.volume_claim_templates.is_none());
    assert_eq!(children.claims[0].metadata.name.as_deref(), Some("data-demo-0"));
    let args = args(set);
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
    let sets = sets(serde_json::json!({}));
    assert!(sets[0].metadata.owner_references.is_some());
    assert!(children.config.metadata.owner_references.is_some());
    assert!(children.services.iter().all(|s| s.metadata.owner_references.is_some()));
}

#[test]
fn a_pod_meets_the_restricted_standard() {
    let sets = sets(serde_json::json!({}));
    let pod = sets[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap();
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
    let plain = sets(serde_json::json!({"config": {"a": "1"}}));
    let same =
        sets(serde_json::json!({"config": {"a": 1}, "brokers": {"storage": {"size": "20Gi"}}}));
    let other = sets(serde_json::json!({"config": {"a": "2"}}));
    assert_eq!(hash(&plain[0]), hash(&same[0]));
    assert_eq!(plain, same);
    assert_ne!(hash(&plain[0]), hash(&other[0]));
    let children = children(serde_json::json!({"config": {"a": "1"}}));
    assert_eq!(children.config.data.unwrap()["broker.properties"], "a=1\n");
}

fn is_same(spec: serde_json::Value, live: &StatefulSet) -> bool {
    let live = Live { sets: vec![live.clone()], ..Default::default() };
    let wanted = validate(&cluster(spec), &live, "vltava:2", "x").unwrap();
    is_current(&wanted, &wanted.brokers[0], &live.sets[0])
}

#[test]
fn only_what_a_person_changes_makes_a_broker_stale() {
    use serde_json::json;
    let mut live = sets(json!({"config": {"a": "1"}})).remove(0);
    for hashed in [true, false] {
        if !hashed {
            // From a release that knew no such hash, and with other arguments.
            live.metadata.annotations.as_mut().unwrap().remove(SPEC_HASH);
            let pod = live.spec.as_mut().unwrap().template.spec.as_mut().unwrap();
            pod.containers[0].args = None;
        }
        let status = json!({"config": {"a": "1"}, "brokers": {"storage": {"size": "20Gi"}}});
        assert!(is_same(json!({"config": {"a": "1"}}), &live), "another operator: {hashed}");
        if hashed {
            assert!(is_same(status, &live));
        }
        for other in [
            json!({"config": {"a": "2"}}),
            json!({"config": {"a": "1"}, "image": "vltava:3"}),
            json!({"config": {"a": "1"}, "brokers": {"resources": {"limits": {"memory": "2Gi"}}}}),
        ] {
            assert!(!is_same(other.clone(), &live), "{other} {hashed}");
        }
    }
}

#[test]
fn three_brokers_begin_as_one_cluster_with_three_copies() {
    let spec =
        serde_json::json!({"brokers": {"replicas": 4}, "config": {"min.insync.replicas": "1"}});
    let sets = sets(spec.clone());
    assert_eq!(sets.len(), 4);
    let voters = "--set=controller.quorum.voters=0@demo-0-0.demo-brokers.shop.svc:9092,\
                  1@demo-1-0.demo-brokers.shop.svc:9092,2@demo-2-0.demo-brokers.shop.svc:9092";
    for set in &sets {
        let args = args(set);
        assert!(args.contains(&"--cluster-id=new-id".to_owned()), "{args:?}");
        assert!(args.contains(&voters.to_owned()), "{args:?}");
        assert!(args.contains(&"--rack-from=/etc/vltava-pod/labels".to_owned()), "{args:?}");
    }
    assert_eq!(
        children(spec).config.data.unwrap()["broker.properties"],
        "default.replication.factor=3\nmin.insync.replicas=1\noffsets.topic.replication.factor=3\n"
    );
    let two = children(serde_json::json!({"brokers": {"replicas": 2}}));
    assert_eq!(two.config.data.unwrap()["broker.properties"], "");
}

#[test]
fn brokers_keep_apart_and_learn_their_zone() {
    let set = sets(serde_json::json!({"brokers": {"replicas": 3}})).remove(0);
    let pod = set.spec.unwrap().template.spec.unwrap();
    let keys: Vec<_> =
        pod.topology_spread_constraints.unwrap().into_iter().map(|c| c.topology_key).collect();
    assert_eq!(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
    assert!(pod.affinity.unwrap().pod_anti_affinity.is_some());
    let mounts = pod.containers[0].volume_mounts.as_ref().unwrap();
    let labels = mounts.iter().find(|mount| mount.mount_path == "/etc/vltava-pod").unwrap();
    let volume = pod.volumes.unwrap().into_iter().find(|volume| volume.name == labels.name);
    let file = volume.unwrap().downward_api.unwrap().items.unwrap().remove(0);
    let field = file.field_ref.map(|field| field.field_path);
    assert_eq!((&*file.path, field.as_deref()), ("labels", Some("metadata.labels")));
}

#[test]
fn a_broker_that_comes_later_has_the_image_of_the_others() {
    let live = Live { sets: sets(serde_json::json!({})), ..Default::default() };
    let spec = serde_json::json!({"brokers": {"replicas": 2}});
    let grown = validate(&cluster(spec), &live, "vltava:2", "x").unwrap();
    assert!(grown.brokers.iter().all(|b| b.image == "vltava:1"), "{:?}", grown.brokers);
    assert_eq!(grown.identity().unwrap().voters, [0], "voters are those of the beginning");
}

#[test]
fn what_cannot_be_is_refused_with_a_sentence() {
    let refuse = |spec| match wanted(spec, &Live::default()) {
        Err(Verdict::Stalled(reason, message)) => (reason, message),
        other => panic!("not refused: {other:?}"),
    };
    let (reason, _) = refuse(serde_json::json!({"brokers": {"replicas": 0}}));
    assert_eq!(reason, Reason::InvalidSpec);
    let (reason, message) = refuse(serde_json::json!({"config": {"node.id": "7"}}));
    assert_eq!(reason, Reason::InvalidSpec);
    assert!(message.contains("node.id"));
    let (reason, _) = refuse(serde_json::json!({"config": {"a": "1\nlog.dirs=/"}}));
    assert_eq!(reason, Reason::InvalidSpec);
}
