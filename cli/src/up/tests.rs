//! Descriptions in, plans and refusals out.

use std::path::PathBuf;
use std::sync::Arc;

use super::actual::{Actual, ActualConnector, ActualTopic};
use super::desired::Desired;
use super::files::Content;
use super::load::{absolute, load};
use super::memory::{Applied, Memory};
use super::object::{Kind, ObjectKey};
use super::plan::{Plan, Running, plan};
use super::status::State;

const HEAD: &str = "apiVersion: vltava.dev/v1alpha1\n";

/// `pipeline.yaml` with `text`.
fn desired(text: &str) -> Desired {
    let content: Content = Ok(Arc::from(text));
    Desired::resolve(load(&[(PathBuf::from("pipeline.yaml"), content)].into()))
}

fn planned(text: &str, actual: &Actual) -> Plan {
    plan(&desired(text), actual, &Memory::default(), &Running::default())
}

/// What each object is refused for, and documents without a name.
fn refusals(text: &str, actual: &Actual) -> Vec<String> {
    let desired = desired(text);
    let plan = plan(&desired, actual, &Memory::default(), &Running::default());
    let stalled = plan.statuses.values().filter_map(|status| match &status.state {
        State::Stalled(refusal) => Some(refusal.to_string()),
        _ => None,
    });
    stalled.chain(desired.anonymous.iter().map(ToString::to_string)).collect()
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.actions.iter().map(|(_, action)| action.to_string()).collect()
}

fn topic(name: &str, spec: &str) -> String {
    format!(
        "{HEAD}kind: Topic\nmetadata: {{name: {name}}}\nspec:\n  clusterRef: {{name: demo}}\n{spec}---\n"
    )
}

fn actual_topic(partitions: i32) -> ActualTopic {
    ActualTopic { partitions, replicas: 1, ..ActualTopic::default() }
}

#[test]
fn bad_input_is_refused_with_its_line_and_what_to_do() {
    let cases: &[(String, &[&str])] = &[
        (
            topic("lines", "  partitons: 3\n"),
            &["pipeline.yaml:6: unknown field 'partitons'; did you mean 'partitions'?"],
        ),
        (
            topic("lines", "  partitions: 0\n"),
            &["pipeline.yaml:6: 'partitions' must be at least 1, it is 0"],
        ),
        (
            topic("lines", "  partitions: three\n"),
            &["pipeline.yaml:6: expected i32, found the text 'three'"],
        ),
        (
            topic("lines", "  config:\n    unclean.leader.election.enable: true\n"),
            &["pipeline.yaml:7: a configuration value must be a string: write \"true\" in quotes"],
        ),
        (
            topic("Lines", ""),
            &[
                "pipeline.yaml:3: 'Lines' is no valid name; use lower-case letters, digits, '-' and '.', at most 253, beginning and ending with a letter or digit",
            ],
        ),
        (
            format!("{HEAD}kind: Topik\nmetadata: {{name: a}}\n"),
            &["pipeline.yaml:2: unknown kind 'Topik'; did you mean 'Topic'?"],
        ),
        (
            format!("{HEAD}kind: Rebalance\nmetadata: {{name: a}}\n"),
            &[
                "pipeline.yaml:2: unknown kind 'Rebalance'; use one of: Cluster, User, Topic, Connect, Connector, StreamsApp",
            ],
        ),
        (
            "apiVersion: vltava.dev/v1\nkind: Topic\nmetadata: {name: a}\n".to_owned(),
            &["pipeline.yaml:1: unknown apiVersion 'vltava.dev/v1'; write vltava.dev/v1alpha1"],
        ),
        (
            "kind: Topic\n".to_owned(),
            &["pipeline.yaml:1: 'apiVersion' is missing; write apiVersion: vltava.dev/v1alpha1"],
        ),
        (
            format!("{HEAD}metadata: {{name: a}}\n"),
            &[
                "pipeline.yaml:1: 'kind' is missing; write one of: Cluster, User, Topic, Connect, Connector, StreamsApp",
            ],
        ),
        (
            format!("{HEAD}kind: Topic\nmetadata:\n  labels: {{a: b}}\n"),
            &["pipeline.yaml:3: 'metadata.name' is missing; give the object a name (as text)"],
        ),
        (
            format!("{HEAD}kind: Topic\nmetadata: {{name: a}}\n"),
            &["pipeline.yaml:1: field 'spec' is missing; add it"],
        ),
        (
            format!("{}{}", topic("lines", ""), topic("lines", "  partitions: 2\n")),
            &[
                "pipeline.yaml:9: Topic/lines is already described at pipeline.yaml:3; keep one of the two",
            ],
        ),
        (
            format!("{}{}", topic("lines", ""), topic("same", "  topicName: lines\n")),
            &[
                "pipeline.yaml:9: topic 'lines' is already described at pipeline.yaml:3; keep one of the two",
            ],
        ),
        (
            format!(
                "{}{HEAD}kind: Topic\nmetadata: {{name: b}}\nspec: {{clusterRef: {{name: other}}}}\n",
                topic("a", "")
            ),
            &[
                "pipeline.yaml:10: Cluster 'other' is not here; write 'demo', the one at pipeline.yaml:5",
            ],
        ),
        (
            format!(
                "{HEAD}kind: Cluster\nmetadata: {{name: one}}\nspec: {{}}\n---\n{HEAD}kind: Cluster\nmetadata: {{name: two}}\nspec: {{}}\n"
            ),
            &[
                "pipeline.yaml:8: vltava up runs one cluster, and Cluster/one at pipeline.yaml:3 is it; remove this one, or start it by another vltava up",
            ],
        ),
        (
            format!(
                "{HEAD}kind: Cluster\nmetadata: {{name: one}}\nspec:\n  config:\n    log.dirs: /data\n"
            ),
            &[
                "pipeline.yaml:5: config may not set ids, racks, listeners, log.dirs, process.roles or controller.quorum keys: the operator sets them",
            ],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(refusals(text, &Actual::default()), *expected, "{text}");
    }
}

#[test]
fn what_is_not_yaml_is_refused_and_the_rest_of_the_file_goes_on() {
    let text = format!("{}a: [1\n---\n{}", topic("first", ""), topic("second", ""));
    let desired = desired(&text);
    assert_eq!(desired.topics.keys().collect::<Vec<_>>(), ["first", "second"]);
    assert_eq!(desired.anonymous.len(), 1);
    let refusal = desired.anonymous[0].to_string();
    assert!(refusal.starts_with("pipeline.yaml:"), "{refusal}");
    assert!(refusal.contains("this is not valid YAML: "), "{refusal}");
    assert!(desired.broken.contains(&absolute("pipeline.yaml".as_ref())));
}

#[test]
fn objects_of_others_are_noted_and_left_alone() {
    let desired = desired("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n");
    assert!(desired.keys().is_empty() && desired.anonymous.is_empty());
    assert_eq!(
        desired.notes,
        ["pipeline.yaml:2: ConfigMap (v1) is left to Kubernetes; vltava up ignores it"]
    );
}

#[test]
fn topics_are_created_grown_and_configured_but_never_shrunk() {
    let text = topic("lines", "  partitions: 2\n  config: {retention.ms: 1000}\n");
    let mut actual = Actual::default();
    assert_eq!(actions(&planned(&text, &actual)), ["create topic lines with 2 partitions"]);

    actual.topics.insert("lines".into(), actual_topic(1));
    assert_eq!(actions(&planned(&text, &actual)), ["grow topic lines to 2 partitions"]);

    let mut found = actual_topic(2);
    found.config.insert("cleanup.policy".into(), "compact".into());
    actual.topics.insert("lines".into(), found);
    assert_eq!(
        actions(&planned(&text, &actual)),
        ["configure topic lines: retention.ms=1000, cleanup.policy back to its default"]
    );

    let mut found = actual_topic(2);
    found.config.insert("retention.ms".into(), "1000".into());
    found.records = 1234;
    actual.topics.insert("lines".into(), found);
    let done = planned(&text, &actual);
    assert!(done.actions.is_empty());
    let status = &done.statuses[&ObjectKey::new(Kind::Topic, "lines")];
    assert_eq!((status.is_ready(), status.detail.as_str()), (true, "1,234 records, 2 partitions"));

    actual.topics.insert("lines".into(), actual_topic(3));
    assert!(planned(&text, &actual).actions.is_empty());
    assert_eq!(
        refusals(&text, &actual),
        [
            "pipeline.yaml:6: topic 'lines' has 3 partitions and Kafka cannot remove any; write partitions: 3 or make another topic"
        ]
    );
}

/// A folder with `lines.txt`, and a connector in a YAML file beside it.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("lines.txt"), "one\n").expect("written");
        Self { folder }
    }

    fn desired(&self, text: &str) -> Desired {
        let content: Content = Ok(Arc::from(text));
        Desired::resolve(load(&[(self.folder.path().join("p.yaml"), content)].into()))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn connector(name: &str, class: &str, state: &str, config: &str) -> String {
    format!(
        "{HEAD}kind: Connector\nmetadata: {{name: {name}}}\nspec:\n  connectRef: {{name: main}}\n  class: {class}\n{state}  config:\n{config}---\n"
    )
}

#[test]
fn connectors_wait_for_their_topics_and_get_absolute_paths() {
    let files = Files::new();
    let text = format!(
        "{}{}",
        topic("lines", ""),
        connector("read", "FileStreamSource", "", "    file: lines.txt\n    topic: lines\n")
    );
    let desired = files.desired(&text);
    let mut actual = Actual::default();
    let waiting = plan(&desired, &actual, &Memory::default(), &Running::default());
    assert_eq!(actions(&waiting), ["create topic lines with 1 partition"]);
    assert_eq!(
        waiting.statuses[&ObjectKey::new(Kind::Connector, "read")].detail,
        "waiting for Topic/lines"
    );

    actual.topics.insert("lines".into(), actual_topic(1));
    let ready = plan(&desired, &actual, &Memory::default(), &Running::default());
    assert_eq!(actions(&ready), ["configure connector read"]);
    let config = super::reconcile::connector::effective_config(&desired.connectors["read"]);
    assert_eq!(config["file"], files.path("lines.txt"));
    assert_eq!((config["name"].as_str(), config["tasks.max"].as_str()), ("read", "1"));

    let running = ActualConnector {
        config,
        state: "RUNNING".into(),
        tasks: vec!["RUNNING".into()],
        ..Default::default()
    };
    actual.connectors.insert("read".into(), running.clone());
    let done = plan(&desired, &actual, &Memory::default(), &Running::default());
    assert!(done.actions.is_empty());
    assert!(done.statuses[&ObjectKey::new(Kind::Connector, "read")].is_ready());

    let failed = ActualConnector {
        tasks: vec!["FAILED".into()],
        failure: Some("task 0: disk on fire".into()),
        ..running
    };
    actual.connectors.insert("read".into(), failed);
    let stalled = plan(&desired, &actual, &Memory::default(), &Running::default());
    let detail = &stalled.statuses[&ObjectKey::new(Kind::Connector, "read")].detail;
    assert!(detail.contains("p.yaml:10: task 0: disk on fire; correct"), "{detail}");
}

#[test]
fn connectors_that_cannot_work_are_refused() {
    let files = Files::new();
    let yaml = files.path("p.yaml");
    let cases = [
        (
            connector("read", "FileStreamSource", "", "    topic: t\n    file: missing.txt\n"),
            format!(
                "{yaml}:9: cannot read {}: No such file or directory; make the file readable or correct 'file' (relative paths start at this YAML file's folder)",
                files.path("missing.txt")
            ),
        ),
        (
            connector(
                "write",
                "org.apache.kafka.connect.file.FileStreamSinkConnector",
                "",
                "    topics: line\n    file: out.txt\n",
            ),
            format!(
                "{yaml}:8: topic 'line' does not exist; did you mean 'lines'? Else add a Topic object, or run: vltava topic create line"
            ),
        ),
        (
            connector(
                "write",
                "FileStreamSink",
                "",
                "    topics: lines\n    file: nowhere/out.txt\n",
            ),
            format!(
                "{yaml}:9: folder {} does not exist; create it or correct 'file'",
                files.path("nowhere")
            ),
        ),
        (
            connector(
                "write",
                "FileStreamSink",
                "  state: runing\n",
                "    topics: lines\n    file: out.txt\n",
            ),
            format!("{yaml}:7: unknown value 'runing'; did you mean 'running'?"),
        ),
        (
            connector("write", "FileStreamSink", "", "    name: other\n    file: out.txt\n"),
            format!(
                "{yaml}:7: config may not set connector.class, tasks.max or name: use the fields class and tasksMax; the name is the object's"
            ),
        ),
    ];
    for (text, expected) in cases {
        let desired = files.desired(&text);
        let actual =
            Actual { topics: [("lines".into(), actual_topic(1))].into(), ..Actual::default() };
        let plan = plan(&desired, &actual, &Memory::default(), &Running::default());
        let details: Vec<_> = plan.statuses.values().map(|status| status.detail.clone()).collect();
        assert_eq!(details, [expected], "{text}");
        assert!(plan.actions.is_empty());
    }
}

#[test]
fn state_is_kept_as_written() {
    let files = Files::new();
    let text = connector(
        "read",
        "FileStreamSource",
        "  state: paused\n",
        "    file: lines.txt\n    topic: lines\n",
    );
    let desired = files.desired(&text);
    let config = super::reconcile::connector::effective_config(&desired.connectors["read"]);
    let found = ActualConnector {
        config,
        state: "RUNNING".into(),
        tasks: vec!["RUNNING".into()],
        ..Default::default()
    };
    let actual = Actual {
        topics: [("lines".into(), actual_topic(1))].into(),
        connectors: [("read".into(), found)].into(),
        ..Actual::default()
    };
    let plan = plan(&desired, &actual, &Memory::default(), &Running::default());
    assert_eq!(actions(&plan), ["make connector read PAUSED"]);
}

#[test]
fn only_what_a_file_described_is_removed() {
    let mut memory = Memory::default();
    let remember =
        |memory: &mut Memory, kind, name: &str, file: &str, delete_topic: Option<&str>| {
            let applied = Applied {
                file: absolute(file.as_ref()),
                delete_topic: delete_topic.map(str::to_owned),
            };
            memory.remember(ObjectKey::new(kind, name), applied);
        };
    remember(&mut memory, Kind::Connector, "ours", "pipeline.yaml", None);
    remember(&mut memory, Kind::Connector, "kept", "broken.yaml", None);
    remember(&mut memory, Kind::Topic, "retained", "pipeline.yaml", None);
    remember(&mut memory, Kind::Topic, "deleted", "pipeline.yaml", Some("deleted"));
    let connectors =
        ["ours", "kept", "by-rest"].map(|name| (name.to_owned(), ActualConnector::default()));
    let topics = ["retained", "deleted"].map(|name| (name.to_owned(), actual_topic(1)));
    let actual =
        Actual { topics: topics.into(), connectors: connectors.into(), ..Actual::default() };
    let contents = [
        (PathBuf::from("pipeline.yaml"), Ok(Arc::from(""))),
        (PathBuf::from("broken.yaml"), Ok(Arc::from("a: ["))),
    ];
    let desired = Desired::resolve(load(&contents.into()));
    let plan = plan(&desired, &actual, &memory, &Running::default());
    assert_eq!(actions(&plan), ["delete topic deleted", "remove connector ours"]);
    assert_eq!(plan.gone, [ObjectKey::new(Kind::Topic, "retained")]);
}

#[test]
fn a_wrong_edit_leaves_what_runs_alone() {
    let mut memory = Memory::default();
    memory.remember(
        ObjectKey::new(Kind::Connector, "write"),
        Applied { file: absolute("pipeline.yaml".as_ref()), delete_topic: None },
    );
    let actual = Actual {
        connectors: [("write".into(), ActualConnector::default())].into(),
        ..Actual::default()
    };
    let text = connector("write", "FileStreamSink", "  tasks: 2\n", "    topics: lines\n");
    let plan = plan(&desired(&text), &actual, &memory, &Running::default());
    assert!(plan.actions.is_empty());
    assert!(matches!(
        plan.statuses[&ObjectKey::new(Kind::Connector, "write")].state,
        State::Stalled(_)
    ));
}

#[test]
fn new_broker_settings_restart_the_platform() {
    let text = format!(
        "{HEAD}kind: Cluster\nmetadata: {{name: demo}}\nspec:\n  config: {{num.partitions: 3}}\n"
    );
    assert_eq!(actions(&planned(&text, &Actual::default())), ["restart with new settings"]);
    let running =
        Running { broker: [("num.partitions".into(), "3".into())].into(), ..Running::default() };
    let plan = plan(&desired(&text), &Actual::default(), &Memory::default(), &running);
    assert!(plan.actions.is_empty());
}

fn app(topic: &str, condition: &str) -> String {
    format!(
        "{HEAD}kind: StreamsApp\nmetadata: {{name: words}}\nspec:\n  clusterRef: {{name: demo}}\n  sources:\n  - {{name: lines, topic: {topic}, key: string, value: string}}\n  pipelines:\n  - name: only\n    from: lines\n    steps:\n    - name: some\n      filter:\n        where: {condition}\n    to: {{topic: out}}\n---\n"
    )
}

#[test]
fn apps_are_checked_down_to_their_expressions() {
    let actual = Actual {
        topics: [("lines".into(), actual_topic(1)), ("out".into(), actual_topic(1))].into(),
        ..Actual::default()
    };
    assert_eq!(actions(&planned(&app("lines", "value != ''"), &actual)), ["start app words"]);
    let cases = [
        (app("lines", "valeu != ''"), 14, "valeu"),
        (app("lines", "value + 1"), 14, "+"),
        (app("lines", "\"value !=\""), 14, ""),
        (app("lines", "|\n          value != '' &&\n          valeu == ''"), 16, "valeu"),
        (app("lines", "value"), 14, "a condition is needed"),
        (app("lins", "value != ''"), 7, "topic 'lins' does not exist; did you mean 'lines'?"),
        (app("lines", "value != ''").replace("from: lines", "from: lins"), 10, "lins"),
        (app("lines", "value != ''").replace("value: string", "value: text"), 7, "'text'"),
        (app("lines", "value != ''").replace("filter", "filtre"), 13, "did you mean 'filter'?"),
        (
            app("lines", "value != ''").replace("topic: out", "topic: oout"),
            15,
            "did you mean 'out'?",
        ),
    ];
    for (text, line, word) in cases {
        let found = refusals(&text, &actual);
        assert_eq!(found.len(), 1, "{text}{found:?}");
        let begin = format!("pipeline.yaml:{line}: ");
        assert!(found[0].starts_with(&begin) && found[0].contains(word), "{text}{found:?}");
    }
}

#[test]
fn an_app_waits_for_topics_that_are_described() {
    let text = format!("{}{}{}", topic("lines", ""), topic("out", ""), app("lines", "value != ''"));
    let waiting = planned(&text, &Actual::default());
    let status = &waiting.statuses[&ObjectKey::new(Kind::StreamsApp, "words")];
    assert_eq!(status.detail, "waiting for Topic/lines");
    assert_eq!(
        actions(&waiting),
        ["create topic lines with 1 partition", "create topic out with 1 partition"]
    );
}
