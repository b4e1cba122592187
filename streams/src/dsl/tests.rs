use super::*;
use crate::driver::TestDriver;
use crate::record::Record;
use crate::{Context, KStream, Processor, Value};

fn drive(builder: StreamsBuilder) -> TestDriver {
    TestDriver::new(builder.build().unwrap()).unwrap()
}

fn pipe(driver: &mut TestDriver, topic: &str, key: impl Into<Value>, value: impl Into<Value>) {
    driver.pipe(topic, (Serde::String, key.into()), (Serde::String, value.into()), 0).unwrap();
}

fn counts(driver: &mut TestDriver, topic: &str) -> Vec<(String, i64)> {
    driver
        .read(topic, Serde::String, Serde::Long)
        .unwrap()
        .into_iter()
        .map(|(k, v)| (String::from_value(&k).unwrap(), i64::from_value(&v).unwrap()))
        .collect()
}

fn word_count() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    let split = regex::Regex::new(r"\W+").unwrap();
    builder
        .stream::<Option<String>, String>("lines")
        .flat_map_values(move |line: String| {
            split.split(&line.to_lowercase()).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter(|_, word: &String| !word.is_empty())
        .group_by("by-word", |_, word: String| (word.clone(), word))
        .count("counts")
        .to_stream()
        .to("word-counts");
    builder
}

#[test]
fn word_count_of_the_tutorial() {
    let mut driver = drive(word_count());
    for line in [
        "Hello Kafka Streams",
        "All streams lead to Kafka",
        "Join Kafka Summit",
        "И теперь пошли русские слова",
    ] {
        pipe(&mut driver, "lines", Value::Null, line);
    }
    let mut latest = std::collections::BTreeMap::new();
    let updates = counts(&mut driver, "word-counts");
    assert_eq!(updates.len(), 3 + 5 + 3 + 5, "every update is sent on");
    latest.extend(updates);
    let expected = [
        ("hello", 1),
        ("all", 1),
        ("streams", 2),
        ("lead", 1),
        ("to", 1),
        ("join", 1),
        ("kafka", 3),
        ("summit", 1),
        ("и", 1),
        ("теперь", 1),
        ("пошли", 1),
        ("русские", 1),
        ("слова", 1),
    ];
    let expected = expected.map(|(word, count)| (word.to_owned(), count));
    assert_eq!(latest, std::collections::BTreeMap::from(expected));
    assert_eq!(driver.rows("counts", 100).unwrap().len(), 13);
    assert!(driver.take_failures().is_empty());
}

#[test]
fn names_make_topics_and_stores() {
    let driver = drive(word_count());
    assert!(driver.written("test-by-word-repartition").is_empty());
    let topology = driver.topology();
    let topics: Vec<String> =
        topology.internal_topics("app").iter().map(|t| t.name.to_string()).collect();
    assert_eq!(topics, ["app-by-word-repartition", "app-counts-changelog"]);
    assert_eq!(topology.subtopologies().len(), 2);
    let text = topology.to_string();
    assert!(text.contains("Sub-topology: 1"), "{text}");
    assert!(text.contains("Processor: counts (stores: [counts])"), "{text}");
}

fn users_per_region() -> StreamsBuilder {
    let builder = StreamsBuilder::new();
    builder
        .table::<String, String>("user-regions", "users")
        .group_by("by-region", |_, region: String| (region.clone(), region))
        .count("users-per-region")
        .to_stream()
        .to("region-counts");
    builder
}

#[test]
fn users_per_region_follows_moves() {
    let mut driver = drive(users_per_region());
    for (user, region) in
        [("alice", "asia"), ("bob", "europe"), ("alice", "europe"), ("bob", "asia")]
    {
        pipe(&mut driver, "user-regions", user, region);
    }
    let updates = counts(&mut driver, "region-counts");
    let expected =
        [("asia", 1), ("europe", 1), ("asia", 0), ("europe", 2), ("europe", 1), ("asia", 1)];
    assert_eq!(updates, expected.map(|(region, count)| (region.to_owned(), count)));
    pipe(&mut driver, "user-regions", "bob", "asia");
    assert_eq!(counts(&mut driver, "region-counts"), [("asia".to_owned(), 1)]);
    pipe(&mut driver, "user-regions", "bob", Value::Null);
    assert_eq!(counts(&mut driver, "region-counts"), [("asia".to_owned(), 0)]);
}

#[test]
fn an_aggregate_of_a_table_adds_and_subtracts() {
    let builder = StreamsBuilder::new();
    builder
        .table::<String, i64>("scores", "score-table")
        .filter(|_, score| *score > 0)
        .map_values(|score: i64| score * 10)
        .group_by("by-initial", |name: String, score: i64| {
            (name.chars().take(1).collect::<String>(), score)
        })
        .aggregate("sums", 0_i64, |_: String, v: i64, a: i64| a + v, |_: String, v, a| a - v)
        .to_stream()
        .to("sums-out");
    let mut driver = drive(builder);
    let mut score = |name: &str, score: Option<i64>| {
        let value = score.map_or(Value::Null, Value::Int);
        driver.pipe("scores", (Serde::String, name.into()), (Serde::Long, value), 0).unwrap();
        counts(&mut driver, "sums-out").last().map(|(_, sum)| *sum)
    };
    assert_eq!(score("anna", Some(1)), Some(10));
    assert_eq!(score("adam", Some(2)), Some(30));
    assert_eq!(score("anna", Some(5)), Some(70));
    assert_eq!(score("adam", Some(-1)), Some(50), "a row that no longer passes is taken out");
    assert_eq!(score("adam", Some(-2)), None, "one that never passed leaves no trace");
    assert_eq!(score("anna", None), Some(0));
    assert_eq!(score("nobody", None), None);
}

#[test]
fn keys_that_stay_need_no_repartition() {
    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream
        .map_values(|v: String| v.len() as i64)
        .group_by_key("direct")
        .aggregate("lengths", 0_i64, |_: String, v: i64, a: i64| a + v)
        .to_stream()
        .to("out");
    let topology = builder.build().unwrap();
    assert_eq!(topology.subtopologies().len(), 1);
    let mut driver = TestDriver::new(topology).unwrap();
    pipe(&mut driver, "in", "a", "xx");
    pipe(&mut driver, "in", Value::Null, "left out: no key");
    pipe(&mut driver, "in", "a", "xxx");
    assert_eq!(counts(&mut driver, "out"), [("a".to_owned(), 2), ("a".to_owned(), 5)]);

    let builder = StreamsBuilder::new();
    let stream = builder.stream::<String, String>("in");
    stream.select_key(|_, v: String| v).group_by_key("by-value").count("c").to_stream().to("out");
    assert_eq!(builder.build().unwrap().subtopologies().len(), 2);
}

#[test]
fn every_stateless_step_does_its_own() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let builder = StreamsBuilder::new();
    let stream: KStream<String, String> = builder.stream("in");
    let log = seen.clone();
    stream
        .peek(move |k, v| log.lock().push(format!("{k}={v}")))
        .filter(|_, v| v != "drop")
        .map(|k, v: String| (v, k))
        .map_values(|v: String| v.to_uppercase())
        .to("out");
    stream.to("copy");
    let mut driver = drive(builder);
    pipe(&mut driver, "in", "k", "drop");
    pipe(&mut driver, "in", "k", "v");
    assert_eq!(*seen.lock(), ["k=drop", "k=v"]);
    assert_eq!(
        driver.read("out", Serde::String, Serde::String).unwrap(),
        [(Value::text("v"), Value::text("K"))]
    );
    assert_eq!(driver.read("copy", Serde::String, Serde::String).unwrap().len(), 2);
}

#[test]
fn a_stream_becomes_a_table() {
    let builder = StreamsBuilder::new();
    builder
        .stream::<String, String>("in")
        .to_table("latest")
        .group_by("by-value", |_, v: String| (v.clone(), v))
        .count("values")
        .to_stream()
        .to("out");
    let mut driver = drive(builder);
    pipe(&mut driver, "in", "a", "x");
    pipe(&mut driver, "in", "b", "x");
    pipe(&mut driver, "in", "a", "y");
    let expected = [("x", 1), ("x", 2), ("x", 1), ("y", 1)];
    assert_eq!(counts(&mut driver, "out"), expected.map(|(v, c)| (v.to_owned(), c)));
}

/// Numbers the records of each key.
struct Numbering;

impl Processor for Numbering {
    fn process(&mut self, context: &mut Context<'_>, record: Record) -> Result<(), ProcessError> {
        let last = match context.get(0, &record.key)? {
            Some((Value::Int(last), _)) => last,
            _ => 0,
        };
        let number = Value::Int(last + 1);
        context.put(0, &record.key, &number, record.timestamp_ms)?;
        context.forward(Record { value: number, ..record });
        Ok(())
    }
}

#[test]
fn a_processor_of_ones_own_has_its_stores() {
    let builder = StreamsBuilder::new();
    builder.add_store("numbers", Serde::String, Serde::Long);
    builder
        .stream::<String, String>("in")
        .process::<String, i64>("numbering", Arc::new(|| Box::new(Numbering)), &["numbers"])
        .to("out");
    let mut driver = drive(builder);
    for key in ["a", "b", "a"] {
        pipe(&mut driver, "in", key, "x");
    }
    let expected = [("a", 1), ("b", 1), ("a", 2)];
    assert_eq!(counts(&mut driver, "out"), expected.map(|(k, n)| (k.to_owned(), n)));
}

#[test]
fn a_broken_record_is_reported_and_the_next_one_processed() {
    let mut driver = drive(word_count());
    driver.pipe_bytes("lines", None, Some(vec![0xff, 0xfe].into()), 5).unwrap();
    pipe(&mut driver, "lines", Value::Null, Value::Null);
    pipe(&mut driver, "lines", Value::Null, "fine");
    assert_eq!(counts(&mut driver, "word-counts"), [("fine".to_owned(), 1)]);
    let failures = driver.take_failures();
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].message.contains("not UTF-8"), "{}", failures[0].message);
    assert!(failures[1].message.contains("null where a string is expected"));
    assert_eq!((failures[1].input.offset, failures[1].input.topic.as_str()), (1, "lines"));
}

#[test]
fn topologies_that_cannot_be_are_refused() {
    let build = |f: fn(&StreamsBuilder)| {
        let builder = StreamsBuilder::new();
        f(&builder);
        builder.build().unwrap_err()
    };
    assert_eq!(build(|_| ()), TopologyError::NoSource);
    let twice = build(|b| {
        let grouped = b.stream::<String, String>("in").group_by_key("g");
        grouped.count("c");
        grouped.count("c");
    });
    assert_eq!(twice, TopologyError::DuplicateName("c".to_owned()));
    let bad = build(|b| {
        b.stream::<String, String>("in").group_by_key("g").count("no spaces");
    });
    assert_eq!(bad, TopologyError::BadName("no spaces".to_owned()));
    let store = build(|b| {
        b.stream::<String, String>("in").process::<String, i64>(
            "p",
            Arc::new(|| Box::new(Numbering)),
            &["missing"],
        );
    });
    assert_eq!(store, TopologyError::UnknownStore("missing".to_owned()));
    let read_twice = build(|b| {
        b.stream::<String, String>("in");
        b.table::<String, i64>("in", "t");
    });
    assert_eq!(read_twice, TopologyError::SourceTwice("in".to_owned()));
}
