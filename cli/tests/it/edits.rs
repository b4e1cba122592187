//! Files that change while the platform runs.

use crate::process::{Example, Up, succeed};

#[test]
fn lines_and_edits_flow_through() {
    let example = Example::copy("wordcount");
    let up = Up::start(["-f", example.folder(), "--ephemeral"]);
    let kafka = up.kafka();
    up.wait_for("all 7 objects ready");

    example.append("lines.txt", "quicksilver\n");
    example.wait_for_line(&up, "counts.txt", "quicksilver\t1");

    // Another file for the results. The old task may write on until it is stopped, so lines come until the new one
    // has one.
    let sink = example.read("sink.yaml");
    example.write("sink.yaml", &sink.replace("file: counts.txt", "file: others.txt"));
    up.wait_for("Connector/write-counts Reconciling: configure connector write-counts");
    example.wait_until(&up, "counts in others.txt", |example| {
        example.append("lines.txt", "quicksilver\n");
        !example.read("others.txt").is_empty()
    });

    // Another setting, another file, more partitions.
    let topics = example.read("topics.yaml");
    example.write("topics.yaml", &topics.replace("compact\n", "compact,delete\n"));
    up.wait_for("configure topic word-counts: cleanup.policy=compact,delete");
    let extra = topics.split("---").next().expect("a topic").replace("name: lines", "name: extra");
    example.write("extra.yaml", &extra);
    up.wait_for("Topic/extra Ready: 0 records, 1 partition");
    example.write("extra.yaml", &extra.replace("partitions: 1", "partitions: 2"));
    up.wait_for("grow topic extra to 2 partitions");
    up.wait_for("Topic/extra Ready: 0 records, 2 partitions");
    let described = succeed(&["topic", "describe", "extra", "-b", &kafka], "");
    assert!(described.lines().any(|line| line.starts_with("1 ")), "{described}");

    // Another version of the app.
    let before = up.lines();
    let app = example.read("app.yaml");
    example.write("app.yaml", &app.replace("where: value != ''", "where: value.size() > 3"));
    up.wait_for_from(before, "StreamsApp/word-count Reconciling: start app word-count");
    up.wait_for_from(before, "StreamsApp/word-count Ready");
    example.append("lines.txt", "ore mercury\n");
    example.wait_for_line(&up, "others.txt", "mercury\t1");
    let written = example.read("others.txt");
    assert!(!written.contains("ore\t"), "the new filter lets no short word through:\n{written}");
}

#[test]
fn a_wrong_edit_is_refused_and_what_runs_goes_on() {
    let example = Example::copy("wordcount");
    let up = Up::start(["-f", example.folder(), "--ephemeral"]);
    up.wait_for("all 7 objects ready");
    let app = example.read("app.yaml");
    let line =
        1 + app.lines().position(|line| line.contains("where: value != ''")).expect("the filter");
    example.write("app.yaml", &app.replace("where: value != ''", "where: valeu != ''"));
    up.wait_for(&format!("error: {}:{line}: ", example.path("app.yaml").display()));

    example.append("lines.txt", "quicksilver\n");
    example.wait_for_line(&up, "counts.txt", "quicksilver\t1");

    let before = up.lines();
    example.write("app.yaml", &app);
    up.wait_for_from(before, "StreamsApp/word-count Ready");
}

#[test]
fn what_is_taken_out_of_the_files_stops_and_topics_stay() {
    let example = Example::copy("wordcount");
    let up = Up::start(["-f", example.folder(), "--ephemeral"]);
    let kafka = up.kafka();
    up.wait_for("all 7 objects ready");
    for name in ["app.yaml", "sink.yaml", "source.yaml", "topics.yaml"] {
        std::fs::remove_file(example.path(name)).expect("removed");
    }
    for object in
        ["StreamsApp/word-count", "Connector/write-counts", "Connector/read-lines", "Topic/lines"]
    {
        up.wait_for(&format!("{object} removed"));
    }
    let topics = succeed(&["topic", "list", "-b", &kafka], "");
    assert!(topics.contains("word-counts") && topics.contains("lines"), "{topics}");
}
