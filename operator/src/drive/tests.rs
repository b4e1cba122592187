//! Whole passes over an object, against an API server that remembers.

use crds::{Cluster, Topic};
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Reconciled, one};
use crate::testing::FakeApi;

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": crds::API_VERSION, "kind": kind,
        "metadata": {"name": name, "namespace": "shop", "uid": format!("u-{name}"), "generation": 1, "resourceVersion": "1"},
        "spec": spec})
}

fn path<K: Resource<DynamicType = ()>>(name: &str) -> String {
    format!("/apis/vltava.dev/v1alpha1/namespaces/shop/{}/{name}", K::plural(&()))
}

fn guard<K: Reconciled + DeserializeOwned>(api: &FakeApi, name: &str) -> DeserializeGuard<K> {
    serde_json::from_value(api.get(&path::<K>(name)).unwrap()).unwrap()
}

fn condition(object: &Value, kind: &str) -> (String, String) {
    let found = object["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["type"] == kind)
        .unwrap();
    (found["status"].as_str().unwrap().to_owned(), found["reason"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_status_is_written_when_it_changes_and_not_again() {
    let (api, ctx) = FakeApi::start().await;
    api.put(
        &path::<Topic>("lines"),
        object("Topic", "lines", json!({"clusterRef": {"name": "demo"}})),
    );
    one::<Topic>(&guard(&api, "lines"), &ctx).await.unwrap();
    assert_eq!(api.writes(), [format!("{}/status", path::<Topic>("lines"))]);
    let topic = api.get(&path::<Topic>("lines")).unwrap();
    assert_eq!(condition(&topic, "Ready"), ("False".to_owned(), "ClusterNotFound".to_owned()));
    assert_eq!(topic["status"]["observedGeneration"], 1);
    one::<Topic>(&guard(&api, "lines"), &ctx).await.unwrap();
    assert_eq!(api.writes(), [""; 0]);
}

#[tokio::test]
async fn an_object_that_does_not_read_is_stalled_and_harms_nobody() {
    let (api, ctx) = FakeApi::start().await;
    api.put(
        &path::<Topic>("odd"),
        object("Topic", "odd", json!({"clusterRef": {"name": "demo"}, "fromTheFuture": 1})),
    );
    one::<Topic>(&guard(&api, "odd"), &ctx).await.unwrap();
    let topic = api.get(&path::<Topic>("odd")).unwrap();
    assert_eq!(condition(&topic, "Stalled"), ("True".to_owned(), "InvalidSpec".to_owned()));
}

#[tokio::test]
async fn a_topic_with_deletion_policy_delete_waits_for_its_cleanup() {
    let (api, ctx) = FakeApi::start().await;
    let spec = json!({"clusterRef": {"name": "demo"}, "deletionPolicy": "delete"});
    api.put(&path::<Topic>("lines"), object("Topic", "lines", spec));
    one::<Topic>(&guard(&api, "lines"), &ctx).await.unwrap();
    assert_eq!(
        api.get(&path::<Topic>("lines")).unwrap()["metadata"]["finalizers"],
        json!(["vltava.dev/cleanup"])
    );
    // Without its cluster there is nothing left to clean up, and the object may go.
    let mut deleted = api.get(&path::<Topic>("lines")).unwrap();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    api.put(&path::<Topic>("lines"), deleted);
    one::<Topic>(&guard(&api, "lines"), &ctx).await.unwrap();
    assert_eq!(api.get(&path::<Topic>("lines")).unwrap()["metadata"]["finalizers"], json!([]));
}

#[tokio::test]
async fn a_cluster_is_applied_with_its_pods_last_and_the_same_way_again() {
    let (api, ctx) = FakeApi::start().await;
    api.put(&path::<Cluster>("demo"), object("Cluster", "demo", json!({})));
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let mut first = api.writes();
    assert_eq!(first.pop(), Some(format!("{}/status", path::<Cluster>("demo"))));
    let last = first.last().unwrap();
    assert_eq!(last, "/apis/apps/v1/namespaces/shop/statefulsets/demo-0");
    let set = api.get(last).unwrap();
    assert_eq!(set["spec"]["template"]["spec"]["containers"][0]["image"], "vltava:1");
    assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], "u-demo");
    let cluster: DeserializeGuard<Cluster> = guard(&api, "demo");
    assert_eq!(cluster.name_any(), "demo");
    one::<Cluster>(&cluster, &ctx).await.unwrap();
    assert_eq!(api.writes(), first);
    assert_eq!(api.get(last).unwrap(), set);
}
