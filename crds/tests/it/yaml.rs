//! Objects as people write them, read with the same types as the operator's.

use crds::{Cluster, Connector, ConnectorState, DeletionPolicy, StreamsApp, Topic};

const WORD_COUNT: &str = r#"
apiVersion: vltava.dev/v1alpha1
kind: StreamsApp
metadata: {name: word-count}
spec:
  clusterRef: {name: demo}
  processing: {commitIntervalMs: 1000}
  sources:
    - {name: lines, topic: lines, key: string, value: string}
  tables:
    - {name: users, topic: user-regions, key: string, value: string}
  pipelines:
    - name: count-words
      from: lines
      steps:
        - {name: words, flatMapValues: {value: "value.lower().split(r'\\W+')"}}
        - {name: no-blanks, filter: {where: "value != ''"}}
        - {name: by-word, groupBy: {key: "value"}}
        - {name: counts, count: {}}
      to: {topic: word-counts, key: string, value: long}
  tests:
    - name: counts
      input:  [{from: lines, value: "Hello hello"}]
      expect: [{to: word-counts, key: hello, value: 1}, {to: word-counts, key: hello, value: 2}]
"#;

#[test]
fn a_streams_app_keeps_its_shape() {
    let app: StreamsApp = serde_saphyr::from_str(WORD_COUNT).unwrap();
    assert_eq!(app.application_id(), "word-count");
    assert_eq!(app.spec.topics().collect::<Vec<_>>(), ["lines", "user-regions", "word-counts"]);
    let spec = serde_json::to_value(&app.spec).unwrap();
    let steps = &spec["pipelines"][0]["steps"];
    assert_eq!(
        steps[0],
        serde_json::json!({"name": "words", "flatMapValues": {"value": r"value.lower().split(r'\W+')"}})
    );
    assert_eq!(
        steps[1],
        serde_json::json!({"name": "no-blanks", "filter": {"where": "value != ''"}})
    );
    assert_eq!(steps[3], serde_json::json!({"name": "counts", "count": {}}));
    assert_eq!(spec["tests"][0]["expect"][1]["value"], 2);
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let text = WORD_COUNT.replace("flatMapValues:", "flatMapValue:");
    let error = serde_saphyr::from_str::<StreamsApp>(&text).unwrap_err().to_string();
    assert!(error.contains("flatMapValue") && error.contains("flatMapValues"), "{error}");
}

#[test]
fn an_unknown_type_is_refused_with_the_list() {
    let text = WORD_COUNT.replace("key: string, value: string}", "key: string, value: text}");
    let error = serde_saphyr::from_str::<StreamsApp>(&text).unwrap_err().to_string();
    assert!(error.contains("text") && error.contains("double"), "{error}");
}

#[test]
fn a_topic_takes_numbers_and_has_defaults() {
    let topic: Topic = serde_saphyr::from_str(
        "{apiVersion: vltava.dev/v1alpha1, kind: Topic, metadata: {name: lines}, spec: {clusterRef: {name: demo}, config: {retention.ms: 60000, cleanup.policy: delete}}}",
    )
    .unwrap();
    assert_eq!(topic.kafka_name(), "lines");
    assert_eq!(topic.spec.partitions, 1);
    assert_eq!(topic.spec.deletion_policy, DeletionPolicy::Retain);
    assert_eq!(topic.spec.config["retention.ms"], "60000");
}

#[test]
fn a_cluster_can_be_empty() {
    let cluster: Cluster = serde_saphyr::from_str(
        "{apiVersion: vltava.dev/v1alpha1, kind: Cluster, metadata: {name: demo}, spec: {}}",
    )
    .unwrap();
    assert_eq!(cluster.spec.brokers.replicas, 1);
    assert_eq!(cluster.spec.brokers.storage.size, "10Gi");
}

#[test]
fn a_connector_runs_unless_told_otherwise() {
    let connector: Connector = serde_saphyr::from_str(
        "{apiVersion: vltava.dev/v1alpha1, kind: Connector, metadata: {name: in}, spec: {connectRef: {name: c}, class: FileStreamSource, config: {file: in.txt}}}",
    )
    .unwrap();
    assert_eq!(connector.spec.state, ConnectorState::Running);
    assert_eq!(connector.spec.tasks_max, 1);
}
