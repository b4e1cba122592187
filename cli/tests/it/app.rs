//! `vltava app`: the tests that apps carry, and their types, without a broker.

use crate::process::{Example, succeed, vltava};

#[test]
fn the_examples_pass_their_own_tests() {
    for name in ["wordcount", "users-per-region"] {
        let example = Example::copy(name);
        let path = example.path("app.yaml").display().to_string();
        let report = succeed(&["app", "test", &path], "");
        assert!(report.contains("2 passed, 0 failed"), "{report}");
        succeed(&["app", "check", example.folder()], "");
    }
}

#[test]
fn a_test_that_fails_says_what_came_instead() {
    let example = Example::copy("wordcount");
    let app = example.read("app.yaml");
    example.write("app.yaml", &app.replace("key: hello, value: 2}", "key: hello, value: 3}"));
    let output = vltava(&["app", "test", &example.path("app.yaml").display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("1 passed, 1 failed"), "{report}");
    assert!(report.contains("words are counted whatever their case"), "{report}");
}

#[test]
fn an_app_that_does_not_compile_is_refused_with_its_line() {
    let example = Example::copy("wordcount");
    let app = example.read("app.yaml");
    let line = 1 + app.lines().position(|line| line.contains("split")).expect("the expression");
    example.write("app.yaml", &app.replace("value.lower()", "value.lowr()"));
    let path = example.path("app.yaml").display().to_string();
    for command in ["check", "test"] {
        let output = vltava(&["app", command, &path]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.starts_with(&format!("error: {path}:{line}: ")) && said.contains("lowr"),
            "{said}"
        );
    }
}
