//! Objects that cannot work are refused with file, line and what to do; the others go on.

use crate::examples::{count_words, last_counts};
use crate::process::{Example, Up, vltava};

const TOPIC: &str = "apiVersion: vltava.dev/v1alpha1\nkind: Topic\nmetadata: {name: NAME}\nspec:\n  clusterRef: {name: demo}\n";

#[test]
fn the_others_go_on_and_the_exit_code_tells() {
    let example = Example::copy("wordcount");
    let bad = |name: &str, line: &str| format!("{}{line}\n---\n", TOPIC.replace("NAME", name));
    let connector = "apiVersion: vltava.dev/v1alpha1\nkind: Connector\nmetadata: {name: lost}\nspec:\n  connectRef: {name: demo}\n  class: FileStreamSink\n  config:\n    file: lost.txt\n    topics: nowhere\n---\n";
    let text = format!(
        "{}{}{connector}a: [1\n",
        bad("typing-error", "  partitons: 2"),
        bad("no-type", "  partitions: two")
    );
    example.write("bad.yaml", &text);
    let (status, said) = Up::start(["-f", example.folder(), "--ephemeral", "--once"]).end();
    assert_eq!(status.code(), Some(1), "{said}");
    let file = example.path("bad.yaml").display().to_string();
    for expected in [
        format!("error: {file}:6: unknown field 'partitons'; did you mean 'partitions'?"),
        format!("error: {file}:13: expected i32, found the text 'two'"),
        format!(
            "error: {file}:23: topic 'nowhere' does not exist; add a Topic object for it, or run: vltava topic create nowhere"
        ),
        "is not valid YAML".to_owned(),
        "error: 4 objects cannot work as described; the errors above say why and what to do"
            .to_owned(),
    ] {
        assert!(said.contains(&expected), "no '{expected}' in:\n{said}");
    }
    assert_eq!(last_counts(&example.read("counts.txt")), count_words(&example.read("lines.txt")));
}

#[test]
fn partitions_cannot_be_reduced() {
    let example = Example::copy("wordcount");
    let topics = example.read("topics.yaml");
    example.write("topics.yaml", &topics.replacen("partitions: 1", "partitions: 3", 1));
    let args = ["-f", example.folder(), "--data-dir", &example.data(), "--once"];
    assert!(Up::start(args).end().0.success());
    example.write("topics.yaml", &topics);
    let (status, said) = Up::start(args).end();
    assert_eq!(status.code(), Some(1), "{said}");
    let expected = format!(
        "error: {}:9: topic 'lines' has 3 partitions and Kafka cannot remove any; write partitions: 3 or make another topic",
        example.path("topics.yaml").display()
    );
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn broker_settings_that_do_not_work_are_refused_and_the_platform_runs_without() {
    let example = Example::copy("wordcount");
    let cluster = example.read("cluster.yaml");
    example.write(
        "cluster.yaml",
        &cluster.replacen("spec:\n", "spec:\n  config:\n    num.partitions: none\n", 1),
    );
    let (status, said) = Up::start(["-f", example.folder(), "--ephemeral", "--once"]).end();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("cluster.yaml:8: ") && said.contains("num.partitions"), "{said}");
    assert_eq!(last_counts(&example.read("counts.txt")), count_words(&example.read("lines.txt")));
}

#[test]
fn a_missing_path_and_a_missing_flag_are_told_at_once() {
    let output = vltava(&["up", "-f", "no-such-folder", "--ephemeral"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: cannot read no-such-folder: No such file or directory\n"
    );
    assert_eq!(vltava(&["up", "--once"]).status.code(), Some(2));
}
