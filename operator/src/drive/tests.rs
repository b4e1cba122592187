//! Whole passes over an object, against an API server that remembers.

use crds::{Cluster, Topic};
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Reconciled, UNREACHABLE, again, one};
use crate::api::ApiFailure;
use crate::kafka::KafkaClients;
use crate::preview::Previewer;
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
async fn an_api_server_that_was_away_for_long_is_soon_asked_again() {
    let (api, ctx) = FakeApi::start().await;
    api.put(
        &path::<Topic>("lines"),
        object("Topic", "lines", json!({"clusterRef": {"name": "demo"}})),
    );
    let topic = guard::<Topic>(&api, "lines");
    let nobody = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
    let away = crate::context::Context { client: nobody.try_into().unwrap(), ..ctx };
    for _ in 0..20 {
        one::<Topic>(&topic, &away).await.unwrap();
    }
    let failure = ApiFailure::new("read", kube::Error::LinesCodecMaxLineLengthExceeded);
    let (failures, wait) = again(&away, "u-lines", &failure);
    assert_eq!(failures, 21, "each pass is one failure");
    assert!(wait <= UNREACHABLE, "{wait:?}");
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
    // The same again, but for what is made once: the identity, and a StatefulSet that is as it should be.
    let made_once = ["configmaps/demo-identity", "statefulsets/demo-0"];
    first.retain(|path| !made_once.iter().any(|once| path.ends_with(once)));
    let mut second = api.writes();
    second.retain(|path| !path.ends_with("/status"));
    assert_eq!(second, first);
    assert_eq!(api.get(SET).unwrap(), set);
}

const SET: &str = "/apis/apps/v1/namespaces/shop/statefulsets/demo-0";

fn sets(writes: &[String]) -> Vec<&str> {
    writes.iter().filter_map(|path| path.split("/statefulsets/").nth(1)).collect()
}

/// What Kubernetes would make of the StatefulSets: pods, ready or crashing.
fn start_pods(api: &FakeApi, ids: std::ops::Range<i32>, crashing: Option<i32>) {
    for id in ids {
        let path = format!("/apis/apps/v1/namespaces/shop/statefulsets/demo-{id}");
        let mut set = api.get(&path).unwrap();
        set["metadata"]["generation"] = json!(1);
        set["status"] = json!({"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"});
        api.put(&path, set);
        let status = if crashing == Some(id) {
            json!({"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 9,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]})
        } else {
            json!({"conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}}]})
        };
        let labels = json!({"vltava.dev/cluster": "demo", "vltava.dev/broker-id": id.to_string()});
        api.put(
            &format!("/api/v1/namespaces/shop/pods/demo-{id}-0"),
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("demo-{id}-0"), "namespace": "shop", "labels": labels},
                "spec": {"containers": [], "nodeName": "n"}, "status": status}),
        );
    }
}

fn change(api: &FakeApi, pointer: &str, value: Value) {
    let path = path::<Cluster>("demo");
    let mut cluster = api.get(&path).unwrap();
    *cluster.pointer_mut(pointer).unwrap() = value;
    api.put(&path, cluster);
}

async fn three_brokers(crashing: Option<i32>) -> (FakeApi, crate::context::Context) {
    let (api, ctx) = FakeApi::start().await;
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": {"topology.kubernetes.io/zone": "z1"}}});
    api.put("/api/v1/nodes/n", node);
    let spec = json!({"brokers": {"replicas": 3}, "config": {"num.partitions": "1"}});
    api.put(&path::<Cluster>("demo"), object("Cluster", "demo", spec));
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    assert_eq!(sets(&api.writes()), ["demo-0", "demo-1", "demo-2"]);
    start_pods(&api, 0..3, crashing);
    (api, ctx)
}

#[tokio::test]
async fn three_brokers_start_at_once_and_their_identity_stays() {
    let (api, ctx) = three_brokers(None).await;
    let identity = "/api/v1/namespaces/shop/configmaps/demo-identity";
    let first = api.get(identity).unwrap();
    assert_eq!(first["data"]["voters"], "0,1,2");
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let writes = api.writes();
    assert!(!writes.contains(&identity.to_owned()), "{writes:?}");
    assert_eq!(api.get(identity).unwrap(), first);
    // The pods have learned their zone, and are not ready as a cluster before somebody answers.
    let pod = api.get("/api/v1/namespaces/shop/pods/demo-1-0").unwrap();
    assert_eq!(pod["metadata"]["labels"]["topology.kubernetes.io/zone"], "z1");
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(condition(&cluster, "Ready"), ("False".to_owned(), "EndpointNotReady".to_owned()));
    assert_eq!(cluster["status"]["clusterId"], first["data"]["clusterId"]);
}

#[tokio::test]
async fn nothing_restarts_and_nothing_goes_while_no_broker_answers() {
    let (api, ctx) = three_brokers(None).await;
    change(&api, "/spec/config/num.partitions", json!("2"));
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    assert_eq!(sets(&api.writes()), [""; 0]);
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(condition(&cluster, "Reconciling").1, "SafetyUnknown");
    change(&api, "/spec/config/num.partitions", json!("1"));
    change(&api, "/spec/brokers/replicas", json!(2));
    for _ in 0..3 {
        one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    }
    assert!(!api.writes().iter().any(|write| write.starts_with("DELETE")));
}

#[tokio::test]
async fn the_intent_to_remove_is_written_before_anything_is_asked() {
    let (api, ctx) = three_brokers(None).await;
    let cluster = json!({"removeIds": [1], "replicas": 2});
    change(&api, "/spec/brokers", cluster);
    // As if the defaults were the person's own, so that the change of the count changes no configuration.
    let config = json!({"num.partitions": "1", "default.replication.factor": "3", "min.insync.replicas": "2",
        "offsets.topic.replication.factor": "3"});
    change(&api, "/spec/config", config);
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(cluster["status"]["scaling"], json!({"removing": [1]}));
    assert_eq!(condition(&cluster, "Reconciling").1, "ScalingDown");
}

#[tokio::test]
async fn a_crashing_broker_gets_a_corrected_spec_at_once_and_the_others_do_not() {
    let (api, ctx) = three_brokers(Some(1)).await;
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(condition(&cluster, "Stalled"), ("True".to_owned(), "PodFailing".to_owned()));
    api.writes();
    change(&api, "/spec/config/num.partitions", json!("2"));
    for _ in 0..2 {
        one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    }
    assert_eq!(sets(&api.writes()), ["demo-1"]);
}

const CLAIM: &str = "/api/v1/namespaces/shop/persistentvolumeclaims/data-demo-1";

/// Says something of a volume, as Kubernetes or a person does.
fn claim(api: &FakeApi, annotation: &str, phase: &str) {
    let mut claim = api.get(CLAIM).unwrap();
    claim["metadata"]["uid"] = json!("u-1");
    claim["metadata"]["annotations"] = json!({"vltava.dev/replace-volume": annotation});
    claim["status"] = json!({"phase": phase});
    api.put(CLAIM, claim);
}

#[tokio::test]
async fn a_lost_volume_is_named_and_kept_while_no_broker_answers() {
    let (api, ctx) = three_brokers(Some(1)).await;
    claim(&api, "no", "Lost");
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(condition(&cluster, "Stalled"), ("True".to_owned(), "VolumeLost".to_owned()));
    claim(&api, "force", "Lost");
    for _ in 0..3 {
        one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    }
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(condition(&cluster, "Reconciling").1, "SafetyUnknown");
    assert!(!api.writes().iter().any(|write| write.starts_with("DELETE")));
}

#[tokio::test]
async fn a_volume_that_goes_is_written_down_then_deleted_with_its_pod_and_made_anew() {
    let (api, ctx) = FakeApi::start().await;
    let spec = json!({"brokers": {"replicas": 1, "removeIds": [0]}});
    api.put(&path::<Cluster>("demo"), object("Cluster", "demo", spec));
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    start_pods(&api, 1..2, None);
    claim(&api, "force", "Bound");
    api.writes();
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    let intent = json!({"replacing": {"id": 1, "claimUid": "u-1"}});
    assert_eq!(cluster["status"]["scaling"], intent);
    assert!(!api.writes().iter().any(|write| write.starts_with("DELETE")));
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    let writes = api.writes();
    let deleted: Vec<_> = writes.iter().filter_map(|w| w.strip_prefix("DELETE ")).collect();
    assert_eq!(deleted, [CLAIM, "/api/v1/namespaces/shop/pods/demo-1-0"]);
    // What comes next is a claim of the same name, and not a second deletion.
    one::<Cluster>(&guard(&api, "demo"), &ctx).await.unwrap();
    assert!(api.get(CLAIM).unwrap()["metadata"].get("annotations").is_none());
    assert!(!api.writes().iter().any(|write| write.starts_with("DELETE")));
    let cluster = api.get(&path::<Cluster>("demo")).unwrap();
    assert_eq!(cluster["status"]["scaling"], intent, "it is not done before it is back");
    assert_eq!(condition(&cluster, "Ready").0, "False");
}

/// What the API server is told to show to whoever makes this edit.
async fn warnings(
    api: &FakeApi,
    ctx: &crate::context::Context,
    pointer: &str,
    value: Value,
) -> Value {
    let before = api.get(&path::<Cluster>("demo")).unwrap();
    let mut after = before.clone();
    *after.pointer_mut(pointer).unwrap() = value;
    let review = json!({"request": {"uid": "u", "name": "demo", "namespace": "shop", "operation": "UPDATE",
        "resource": {"group": "vltava.dev", "version": "v1alpha1", "resource": "clusters"},
        "object": after, "oldObject": before}});
    let review: crate::webhook::Review = serde_json::from_value(review).unwrap();
    let previewer = Previewer {
        client: ctx.client.clone(),
        http: ctx.http.clone(),
        kafka: KafkaClients::default(),
        default_image: ctx.config.image.clone(),
    };
    let answer = previewer.answer(&review.request).await;
    assert_eq!(answer["response"]["allowed"], true, "a forecast holds nothing up");
    assert_eq!(api.writes(), [""; 0], "and changes nothing");
    answer["response"]["warnings"].clone()
}

#[tokio::test]
async fn an_edit_is_foretold_as_far_as_anybody_knows() {
    let (api, ctx) = three_brokers(None).await;
    let config = warnings(&api, &ctx, "/spec/config/num.partitions", json!("2")).await;
    let restart =
        "brokers 0, 1, 2 would be restarted, one at a time, for spec.config.num.partitions";
    assert_eq!(config[0], restart);
    // There are no brokers behind these pods.
    assert!(config[1].as_str().unwrap().contains("is not known"), "{config}");
    let two = warnings(&api, &ctx, "/spec/brokers/replicas", json!(2)).await;
    assert!(two[0].as_str().unwrap().starts_with("broker 2 would be removed: "), "{two}");
    let restarts = two[1].as_str().unwrap();
    assert!(restarts.starts_with("brokers 0, 1 would be restarted"), "two do not replicate: {two}");
    let bad = warnings(&api, &ctx, "/spec/brokers/replicas", json!(0)).await;
    assert!(bad[0].as_str().unwrap().starts_with("the operator would not act on this: "), "{bad}");
    assert_eq!(warnings(&api, &ctx, "/metadata/uid", json!("v")).await, Value::Null);
}
