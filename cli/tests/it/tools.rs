//! The everyday tools against a running platform.

use crate::process::{Up, succeed, vltava};

#[test]
fn topics_records_and_groups() {
    let up = Up::start(["--ephemeral"]);
    let kafka = up.kafka();
    let run = |args: &[&str], input: &str| succeed(&[args, &["-b", &kafka]].concat(), input);

    assert_eq!(
        run(&["topic", "create", "visits", "-p", "2", "--config", "retention.ms=60000"], ""),
        ""
    );
    let topics = || run(&["topic", "list"], "").lines().map(columns).collect::<Vec<_>>();
    let visits = ["visits", "2", "1"].map(str::to_owned);
    assert_eq!(topics()[0], ["TOPIC", "PARTITIONS", "REPLICAS"]);
    assert!(topics().contains(&visits.into()), "{:?}", topics());
    run(&["topic", "create", "visits", "--if-not-exists"], "");
    let twice = vltava(&["topic", "create", "visits", "-b", &kafka]);
    assert_eq!(twice.status.code(), Some(1));
    let said = String::from_utf8_lossy(&twice.stderr);
    assert!(
        said.starts_with("error: cannot create topic 'visits': TOPIC_ALREADY_EXISTS"),
        "{said}"
    );

    let input = "alice:3\nbob:-1\ncarol:9000000000\n";
    run(&["produce", "visits", "-k", ":", "--value-format", "long", "-c", "zstd"], input);
    let all = [
        "consume",
        "visits",
        "--from-beginning",
        "--exit",
        "--keys",
        "--separator",
        ":",
        "--value-format",
        "long",
    ];
    assert_eq!(sorted(&run(&all, "")), sorted(input));
    let hex =
        run(&["consume", "visits", "--from-beginning", "--exit", "--value-format", "hex"], "");
    assert!(sorted(&hex).contains(&"0000000000000003".to_owned()), "{hex}");

    let first = run(
        &["consume", "visits", "--group", "readers", "--from-beginning", "--max", "2", "--keys"],
        "",
    );
    let rest = run(
        &["consume", "visits", "--group", "readers", "--from-beginning", "--max", "1", "--keys"],
        "",
    );
    let mut keys: Vec<_> =
        first.lines().chain(rest.lines()).filter_map(|line| line.split('\t').next()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["alice", "bob", "carol"], "each record goes to the group once");

    let groups = run(&["group", "list"], "");
    assert!(groups.lines().any(|line| line.starts_with("readers ")), "{groups}");
    let described = run(&["group", "describe", "readers"], "");
    let lag: i64 = described
        .lines()
        .filter(|line| line.starts_with("visits "))
        .filter_map(|line| line.split_whitespace().last()?.parse::<i64>().ok())
        .sum();
    assert_eq!(lag, 0, "{described}");
    run(&["group", "delete", "readers"], "");
    assert!(!run(&["group", "list"], "").contains("readers"));

    run(
        &[
            "topic",
            "alter",
            "visits",
            "-p",
            "3",
            "--config",
            "cleanup.policy=compact",
            "--reset",
            "retention.ms",
        ],
        "",
    );
    let described = run(&["topic", "describe", "visits"], "");
    assert!(described.contains("cleanup.policy  compact"), "{described}");
    assert!(!described.contains("retention.ms"), "{described}");
    run(&["topic", "delete", "visits"], "");
    assert!(topics().iter().all(|topic| topic[0] != "visits"), "{:?}", topics());
}

fn columns(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_is_wrong_is_one_sentence() {
    let up = Up::start(["--ephemeral"]);
    let kafka = up.kafka();
    for (args, begins) in [
        (
            vec!["consume", "nowhere"],
            "error: cannot read topic 'nowhere': UNKNOWN_TOPIC_OR_PARTITION",
        ),
        (
            vec!["topic", "describe", "nowhere"],
            "error: cannot describe topic 'nowhere': UNKNOWN_TOPIC_OR_PARTITION",
        ),
        (
            vec!["topic", "delete", "nowhere"],
            "error: cannot delete topic 'nowhere': UNKNOWN_TOPIC_OR_PARTITION",
        ),
        (
            vec!["topic", "alter", "nowhere"],
            "error: nothing to change; give --partitions, --config or --reset",
        ),
    ] {
        let output = vltava(&[args.as_slice(), &["-b", &kafka]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with(begins), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
    let output = vltava(&["topic", "list", "-b", "nowhere"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: \"nowhere\" is not host:port\n");
}

#[test]
fn files_are_appended_and_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/lines.txt").display().to_string();
    succeed(&["file", "append", &path], "one\n");
    succeed(&["file", "append", &path], "two\n");
    assert_eq!(succeed(&["file", "cat", &path], ""), "one\ntwo\n");
    let missing = vltava(&["file", "cat", "missing.txt"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&missing.stderr).starts_with("error: cannot read missing.txt: ")
    );
}

#[test]
fn help_and_completions() {
    for command in [
        "up", "broker", "connect", "streams", "operator", "topic", "produce", "consume", "group",
        "app", "file",
    ] {
        let help = succeed(&[command, "--help"], "");
        assert!(help.contains("Usage: vltava") && help.contains("Examples:"), "{command}: {help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(succeed(&["completions", shell], "").contains("vltava"));
    }
    assert_eq!(vltava(&["no-such-command"]).status.code(), Some(2));
}
