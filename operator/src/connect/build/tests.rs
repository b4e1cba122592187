use crds::{Connect, Reason};

use super::super::dereference::Live;
use super::super::validate::validate;
use super::{Children, build};
use crate::references::ClusterFound;
use crate::verdict::Verdict;

fn connect(spec: serde_json::Value) -> Connect {
    let mut spec = spec;
    spec["clusterRef"] = serde_json::json!({"name": "demo"});
    serde_json::from_value(serde_json::json!({
        "apiVersion": crds::API_VERSION, "kind": "Connect",
        "metadata": {"name": "demo", "namespace": "shop", "uid": "u-1"}, "spec": spec}))
    .unwrap()
}

fn live(ready: bool) -> Live {
    let cluster = ClusterFound {
        address: "demo-kafka.shop.svc:9092".into(),
        ready,
        deleting: false,
        reason: "PodsNotReady".into(),
    };
    Live { cluster: Some(cluster), ..Default::default() }
}

fn children(spec: serde_json::Value, live: &Live) -> Result<Children, Verdict> {
    validate(&connect(spec), live, "vltava:1").map(|w| build(&w))
}

#[test]
fn workers_know_their_cluster_and_their_own_name() {
    let children = children(serde_json::json!({}), &live(true)).unwrap();
    let pod = children.set.spec.unwrap().template.spec.unwrap();
    let args = pod.containers[0].args.clone().unwrap();
    assert!(args.contains(&"--bootstrap=demo-kafka.shop.svc:9092".to_owned()), "{args:?}");
    assert!(args.contains(
        &"--advertise-url=http://$(POD_NAME).demo-connect-workers.shop.svc:8083".to_owned()
    ));
    let properties = &children.config.data.unwrap()["connect.properties"];
    assert!(properties.contains("offset.storage.topic=connect-demo-offsets\n"), "{properties}");
}

#[test]
fn the_spec_may_say_more_than_the_defaults() {
    let config = serde_json::json!({"config": {"config.storage.replication.factor": 3, "offset.flush.interval.ms": 1000}});
    let children = children(config, &live(true)).unwrap();
    let properties = &children.config.data.unwrap()["connect.properties"];
    assert!(properties.contains("config.storage.replication.factor=3\n"));
    assert!(properties.contains("offset.flush.interval.ms=1000\n"));
}

#[test]
fn workers_start_with_a_ready_cluster_and_outlive_its_restart() {
    let Err(verdict) = children(serde_json::json!({}), &live(false)) else {
        panic!("started without brokers")
    };
    assert_eq!(verdict.reason(), Reason::ClusterNotReady);
    let set = children(serde_json::json!({}), &live(true)).unwrap().set;
    let running = Live { set: Some(set.clone()), ..live(false) };
    assert_eq!(children(serde_json::json!({}), &running).unwrap().set, set);
}

#[test]
fn a_volume_grows_though_its_template_stays() {
    let set = children(serde_json::json!({"storage": {"size": "1Gi"}}), &live(true)).unwrap().set;
    let running = Live { set: Some(set.clone()), ..live(true) };
    assert_eq!(
        children(serde_json::json!({"storage": {"size": "2Gi"}}), &running).unwrap().set,
        set
    );
}
