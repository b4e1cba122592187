use super::*;
use serde_json::json;

fn spec(json: serde_json::Value) -> AppSpec {
    serde_json::from_value(json).unwrap()
}

/// An app with `steps` from a stream `in` of strings (and a table `rows`) to the topic `out`.
fn with_steps(from: &str, steps: serde_json::Value) -> AppSpec {
    spec(json!({
        "sources": [{"name": "in", "topic": "in", "key": "string", "value": "string"},
                    {"name": "orders", "topic": "orders", "key": "string", "value": "json"}],
        "tables": [{"name": "rows", "topic": "rows", "key": "string", "value": "long"}],
        "pipelines": [{"name": "p", "from": from, "steps": steps, "to": {"topic": "out"}}],
    }))
}

fn problems(spec: &AppSpec) -> Vec<String> {
    compile(spec).unwrap_err().iter().map(Diagnostic::to_string).collect()
}

fn example(path: &str) -> AppSpec {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path);
    let text = std::fs::read_to_string(path).unwrap();
    let object: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    serde_json::from_value(object["spec"].clone()).unwrap()
}

#[test]
fn the_examples_pass_their_own_tests() {
    for path in ["wordcount/app.yaml", "users-per-region/app.yaml"] {
        let report = run_tests(&example(path));
        assert!(report.passed() && !report.tests.is_empty(), "{path}:\n{report}");
    }
}

#[test]
fn word_count_counts_the_tutorials_words() {
    let mut word_count = example("wordcount/app.yaml");
    let lines = [
        "Hello Kafka Streams",
        "All streams lead to Kafka",
        "Join Kafka Summit",
        "И теперь пошли русские слова",
    ];
    let input = lines.map(|line| json!({"from": "lines", "value": line}));
    let expect = [
        ("hello", 1),
        ("kafka", 1),
        ("streams", 1),
        ("all", 1),
        ("streams", 2),
        ("lead", 1),
        ("to", 1),
        ("kafka", 2),
        ("join", 1),
        ("kafka", 3),
        ("summit", 1),
        ("и", 1),
        ("теперь", 1),
        ("пошли", 1),
        ("русские", 1),
        ("слова", 1),
    ]
    .map(|(word, count)| json!({"to": "word-counts", "key": word, "value": count}));
    word_count.tests = serde_json::from_value(json!([
        {"name": "tutorial", "input": input, "expect": expect}
    ]))
    .unwrap();
    let report = run_tests(&word_count);
    assert!(report.passed(), "{report}");
}

#[test]
fn a_failed_test_says_what_is_different() {
    let mut app =
        with_steps("in", json!([{"name": "up", "mapValues": {"value": "value.upper()"}}]));
    app.tests = serde_json::from_value(json!([
        {"name": "wrong", "input": [{"from": "in", "key": "k", "value": "a"}, {"from": "in", "value": "b"}],
         "expect": [{"to": "out", "key": "k", "value": "a"}]},
        {"name": "missing", "input": [{"from": "in", "value": null}],
         "expect": [{"to": "out", "value": "X"}]},
        {"name": "right", "input": [{"from": "in", "value": "x", "timestamp": 5}],
         "expect": [{"to": "out", "value": "X"}]},
    ]))
    .unwrap();
    let report = run_tests(&app);
    assert!(!report.passed());
    assert_eq!(
        report.tests[0].failures,
        [
            "out, record 1: expected \"k\" = \"a\", got \"k\" = \"A\"",
            "out, record 2: got null = \"B\", which was not expected",
        ]
    );
    assert_eq!(
        report.tests[1].failures,
        ["out, record 1: expected null = \"X\", but nothing more was written"]
    );
    let note = &report.tests[1].notes[0];
    assert!(note.starts_with("in, record 1 (null), step up: "), "{note}");
    assert!(report.tests[2].passed());
    assert!(report.to_string().ends_with("1 passed, 2 failed\n"));
}

#[test]
fn every_operation_does_its_own() {
    let sum = json!([
        {"name": "valid", "filter": {"where": "has(value.amount) && value.amount > 0"}},
        {"name": "by-user", "groupBy": {"key": "string(value.user)", "value": "double(value.amount)"}},
        {"name": "totals", "aggregate": {"init": "0.0", "add": "agg + value"}},
        {"name": "big", "filter": {"where": "value > 10.0"}},
        {"name": "text", "mapValues": {"value": "'%s: %.1f'.format([key, value])"}},
    ]);
    let mut app = with_steps("orders", sum);
    app.tests = serde_json::from_value(json!([{"name": "sum", "input": [
        {"from": "orders", "value": {"user": "a", "amount": 4}},
        {"from": "orders", "value": {"user": "a", "amount": 7.5}},
        {"from": "orders", "value": {"user": "b"}},
        {"from": "orders", "value": {"user": "a", "amount": -3}},
    ], "expect": [
        {"to": "out", "key": "a", "value": null},
        {"to": "out", "key": "a", "value": "a: 11.5"},
    ]}]))
    .unwrap();
    let report = run_tests(&app);
    // The table's first total does not pass the filter and was never there: nothing is written for it.
    assert_eq!(report.tests[0].failures.len(), 2, "{report}");
    app.tests[0].expect.remove(0);
    let report = run_tests(&app);
    assert!(report.passed(), "{report}");

    let tables = json!([
        {"name": "by-initial", "groupBy": {"key": "key.substring(0, 1)"}},
        {"name": "sums", "reduce": {"add": "agg + value", "subtract": "agg - value"}},
        {"name": "events", "toStream": {}},
        {"name": "swap", "map": {"key": "string(value)", "value": "key"}},
        {"name": "again", "selectKey": {"key": "value + '!'"}},
        {"name": "latest", "toTable": {}},
    ]);
    let mut app = with_steps("rows", tables);
    app.tests = serde_json::from_value(json!([{"name": "moves", "input": [
        {"from": "rows", "key": "anna", "value": 1},
        {"from": "rows", "key": "adam", "value": 2},
        {"from": "rows", "key": "anna", "value": 5},
        {"from": "rows", "key": "adam", "value": null},
    ], "expect": [
        {"to": "out", "key": "a!", "value": "a"},
        {"to": "out", "key": "a!", "value": "a"},
        {"to": "out", "key": "a!", "value": "a"},
        {"to": "out", "key": "a!", "value": "a"},
    ]}]))
    .unwrap();
    let report = run_tests(&app);
    assert!(report.passed(), "{report}");
}

#[test]
fn what_cannot_work_is_refused_with_its_place() {
    let group = json!({"name": "g", "groupBy": {"key": "value"}});
    let count = json!({"name": "c", "count": {}});
    let cases: Vec<(AppSpec, &str)> = vec![
        (
            with_steps("in", json!([{"name": "m", "mapValues": {"value": "value + 1"}}])),
            "pipelines[0].steps[0].mapValues.value (1:1): value is string here; `value + 1` needs int: use int(value) + 1",
        ),
        (
            with_steps("in", json!([count])),
            "pipelines[0].steps[0].count: count needs groups, and this is a stream: put a step with groupBy or groupByKey before it",
        ),
        (
            with_steps("rows", json!([{"name": "g", "groupByKey": {}}])),
            "groupByKey: a table has one row a key, there is nothing to group",
        ),
        (with_steps("in", json!([group])), "pipelines[0].steps: the pipeline ends with a grouping"),
        (
            with_steps("in", json!([group, {"name": "f", "filter": {"where": "true"}}])),
            "filter: a grouping is followed by count, aggregate or reduce: put filter before the grouping or after them",
        ),
        (
            with_steps("in", json!([group, count, {"name": "s", "selectKey": {"key": "value"}}])),
            "selectKey needs a stream, and this is a table: put a step {toStream: {}} before it",
        ),
        (
            with_steps("in", json!([{"name": "t", "toStream": {}}])),
            "toStream makes a stream of a table, and this is a stream: remove the step",
        ),
        (
            with_steps("in", json!([{"name": "f", "flatMapValues": {"value": "value"}}])),
            "`value` is string and flatMapValues needs a list: use [value], or mapValues",
        ),
        (
            with_steps("in", json!([{"name": "f", "filter": {"where": "value"}}])),
            "filter.where: `value` is string and a condition is needed",
        ),
        (
            with_steps("rows", json!([{"name": "f", "filter": {"where": "offset > 1"}}])),
            "there is no variable `offset` here, there are key, value",
        ),
        (
            with_steps("in", json!([{"name": "f"}])),
            "pipelines[0].steps[0]: the step does nothing: give it one of mapValues, map,",
        ),
        (
            with_steps("in", json!([{"name": "f", "count": {}, "toStream": {}}])),
            "the step has several operations: make one step of each",
        ),
        (
            with_steps("in", json!([{"name": "a b", "filter": {"where": "true"}}])),
            "pipelines[0].steps[0].name: `a b` cannot be a name",
        ),
        (
            with_steps("in", json!([{"name": "rows", "filter": {"where": "true"}}])),
            "pipelines[0].steps[0].name: the name `rows` is used at tables[0] already",
        ),
        (
            with_steps("inn", json!([])),
            "pipelines[0].from: there is no source, table or pipeline `inn`, there are in, orders, rows",
        ),
        (with_steps("order", json!([])), "did you mean `orders`?"),
        (
            with_steps(
                "in",
                json!([group, {"name": "a", "aggregate": {"init": "0", "add": "agg + 0.5"}}]),
            ),
            "aggregate.add (1:1): agg is int here; `agg + 0.5` needs double: use double(agg) + 0.5",
        ),
        (
            with_steps(
                "in",
                json!([group, {"name": "a", "aggregate": {"init": "0", "add": "value"}}]),
            ),
            "aggregate.add: `value` is string and the aggregate is int: use int(value)",
        ),
        (
            with_steps(
                "in",
                json!([group, {"name": "a", "aggregate": {"init": "value", "add": "agg"}}]),
            ),
            "aggregate.init (1:1): there is no variable `value` here, and none at all",
        ),
        (
            with_steps(
                "rows",
                json!([{"name": "g", "groupBy": {"key": "key"}},
                {"name": "a", "aggregate": {"init": "0", "add": "agg + value"}}]),
            ),
            "rows of a table leave their group when they change: add aggregate.subtract",
        ),
        (
            with_steps(
                "in",
                json!([group, {"name": "r", "reduce": {"add": "agg", "subtract": "agg"}}]),
            ),
            "reduce.subtract: records of a stream never leave their group",
        ),
    ];
    for (spec, message) in cases {
        let found = problems(&spec);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(message), "\n{}\n  not: {message}", found[0]);
    }
}

#[test]
fn sinks_and_tests_must_fit_what_is_written() {
    let count = json!([{"name": "g", "groupBy": {"key": "value"}}, {"name": "c", "count": {}}]);
    let mut app = with_steps("in", count);
    app.pipelines[0].to = Some(Sink {
        topic: "out".to_owned(),
        key: Some(crate::Serde::Long),
        value: Some(crate::Serde::String),
    });
    let found = problems(&app);
    assert_eq!(
        found,
        [
            "pipelines[0].to.key: the key is string here and long needs int: declare it as string, or make it a long with int(key) in a step",
            "pipelines[0].to.value: the value is int here and string needs string: declare it as long, or make it a string with string(value) in a step",
        ]
    );
    app.pipelines[0].to = Some(Sink { topic: "out".to_owned(), key: None, value: None });
    app.tests = serde_json::from_value(json!([{"name": "t",
        "input": [{"from": "nobody", "value": "x"}, {"from": "in", "value": 1}],
        "expect": [{"to": "ouput", "key": "a"}, {"to": "out", "key": "a", "value": "1"}]}]))
    .unwrap();
    assert_eq!(
        problems(&app),
        [
            "tests[0].input[0].from: there is no source or table `nobody`, there are in, orders, rows",
            "tests[0].input[1].value: 1 is not a string; write \"1\"",
            "tests[0].expect[0].to: there is no written topic `ouput`, there is only `out`",
            "tests[0].expect[1].value: \"1\" is not a long",
        ]
    );
}

#[test]
fn pipelines_read_each_other() {
    let mut app = spec(json!({
        "sources": [{"name": "in", "topic": "in"}],
        "pipelines": [
            {"name": "words", "from": "in",
             "steps": [{"name": "split", "flatMapValues": {"value": "value.split(' ')"}}]},
            {"name": "long", "from": "words", "to": {"topic": "long-words"},
             "steps": [{"name": "only-long", "filter": {"where": "size(value) > 3"}}]},
            {"name": "all", "from": "words", "to": {"topic": "all-words"}},
        ],
        "tests": [{"name": "both", "input": [{"from": "in", "value": "a bbbb"}],
            "expect": [{"to": "all-words", "value": "a"}, {"to": "all-words", "value": "bbbb"},
                       {"to": "long-words", "value": "bbbb"}]}],
    }));
    let report = run_tests(&app);
    assert!(report.passed(), "{report}");
    app.pipelines.swap(0, 1);
    assert_eq!(
        problems(&app),
        ["pipelines[0].from: the pipeline `words` comes later: move it before this one"]
    );
    app.pipelines.truncate(0);
    assert!(problems(&app).iter().any(|p| p.contains("the app does nothing")));
    app.sources.clear();
    assert!(problems(&app).iter().any(|p| p.contains("the app reads nothing")));
}

#[test]
fn a_mistake_is_reported_once_and_others_beside_it() {
    let app = with_steps(
        "in",
        json!([
            {"name": "a", "map": {"key": "nokey", "value": "novalue"}},
            {"name": "b", "filter": {"where": "value.follows"}},
        ]),
    );
    let found = problems(&app);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("pipelines[0].steps[0].map.key (1:1)"), "{}", found[0]);
    assert!(found[1].starts_with("pipelines[0].steps[0].map.value (1:1)"), "{}", found[1]);
}

#[test]
fn an_unknown_field_or_type_is_refused() {
    let parse =
        |json: serde_json::Value| serde_json::from_value::<AppSpec>(json).unwrap_err().to_string();
    let error = parse(json!({"sources": [{"name": "a", "topic": "a", "value": "text"}]}));
    assert!(error.contains("unknown variant `text`, expected one of `string`, `long`"), "{error}");
    let error = parse(
        json!({"pipelines": [{"name": "p", "from": "a", "steps": [{"name": "x", "counts": {}}]}]}),
    );
    assert!(error.contains("unknown field `counts`, expected one of"), "{error}");
}

#[test]
fn dead_letters_need_a_topic_of_their_own() {
    let mut app = with_steps("in", json!([]));
    app.processing =
        Some(Processing { commit_interval_ms: None, dead_letter_topic: Some("in".to_owned()) });
    assert!(problems(&app)[0].starts_with("processing.deadLetterTopic: the app reads `in`"));
    app.processing = Some(Processing {
        commit_interval_ms: Some(100),
        dead_letter_topic: Some("broken".to_owned()),
    });
    let topology = compile(&app).unwrap();
    assert_eq!(topology.dead_letter_topic().map(protocol::Str::as_str), Some("broken"));
}
