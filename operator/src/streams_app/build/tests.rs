use crds::{Reason, StreamsApp};

use super::super::dereference::{Live, Topics};
use super::super::validate::validate;
use super::{Children, build};
use crate::config::AppProblem;
use crate::references::ClusterFound;
use crate::verdict::Verdict;

fn app(change: impl FnOnce(&mut serde_json::Value)) -> StreamsApp {
    let mut object = serde_json::json!({
        "apiVersion": crds::API_VERSION, "kind": "StreamsApp",
        "metadata": {"name": "word-count", "namespace": "shop", "uid": "u-1"},
        "spec": {
            "clusterRef": {"name": "demo"},
            "sources": [{"name": "lines", "topic": "lines", "key": "string", "value": "string"}],
            "pipelines": [{
                "name": "count-words", "from": "lines",
                "steps": [{"name": "by-word", "groupBy": {"key": "value"}}, {"name": "counts", "count": {}}],
                "to": {"topic": "word-counts", "key": "string", "value": "long"}}],
            "tests": [{"name": "t", "input": [{"from": "lines", "value": "a"}], "expect": []}]}});
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn live(topics: Topics) -> Live {
    let cluster = ClusterFound {
        address: "demo-kafka.shop.svc:9092".into(),
        ready: true,
        deleting: false,
        reason: String::new(),
    };
    Live { cluster: Some(cluster), topics, ..Default::default() }
}

fn children(app: &StreamsApp) -> Children {
    build(&validate(app, &live(Topics::There), "vltava:1", |_| Vec::new()).unwrap())
}

#[test]
fn the_worker_reads_the_object_without_the_operators_fields() {
    let children = children(&app(|_| ()));
    let text = &children.config.data.unwrap()["app.yaml"];
    let object: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(object["spec"]["applicationId"], "word-count");
    assert_eq!(
        object["spec"]["pipelines"][0]["steps"][1],
        serde_json::json!({"name": "counts", "count": {}})
    );
    for field in ["replicas", "tests", "storage"] {
        assert!(object["spec"].get(field).is_none(), "{field}");
    }
}

#[test]
fn scaling_restarts_no_worker_and_another_pipeline_does() {
    let template = |app: &StreamsApp| children(app).set.spec.unwrap().template;
    let before = template(&app(|_| ()));
    assert_eq!(template(&app(|o| o["spec"]["replicas"] = 3.into())), before);
    assert_eq!(template(&app(|o| o["spec"]["tests"] = serde_json::json!([]))), before);
    assert_ne!(
        template(&app(|o| o["spec"]["pipelines"][0]["steps"][0]["groupBy"]["key"] = "key".into())),
        before
    );
}

#[test]
fn missing_topics_are_named() {
    let refuse = |topics| match validate(&app(|_| ()), &live(topics), "vltava:1", |_| Vec::new()) {
        Err(verdict) => verdict,
        Ok(_) => panic!("not refused"),
    };
    let unknown = refuse(Topics::Missing { promised: vec![], unknown: vec!["lines".into()] });
    assert!(matches!(unknown, Verdict::Stalled(Reason::TopicNotFound, _)));
    assert!(unknown.message().contains("no topic lines"));
    let promised = refuse(Topics::Missing { promised: vec!["lines".into()], unknown: vec![] });
    assert!(matches!(promised, Verdict::Working(Reason::WaitingForTopic, _)));
}

#[test]
fn an_application_that_does_not_compile_never_reaches_a_pod() {
    let check = |spec: &serde_json::Value| {
        let text = spec["pipelines"][0]["steps"][0]["groupBy"]["key"].as_str().unwrap_or_default();
        let problem =
            |path: &str| AppProblem { path: path.into(), message: format!("unknown name {text}") };
        vec![problem("pipelines[0].steps[0].groupBy.key"), problem("pipelines[0].to")]
    };
    let verdict = validate(&app(|_| ()), &live(Topics::There), "vltava:1", check).unwrap_err();
    let text = "spec.pipelines[0].steps[0].groupBy.key: unknown name value (and 1 more)";
    assert_eq!(verdict, Verdict::stalled(Reason::InvalidSpec, text));
}
