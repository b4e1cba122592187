//! `vltava plan` against a running platform: it tells, and changes nothing.

use crate::process::{Up, succeed, vltava};

#[test]
fn changes_are_told_by_text_and_exit_code_and_not_made() {
    let up = Up::start(["--ephemeral"]);
    let kafka = up.kafka();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("topics.yaml");
    let plan = |spec: &str| {
        let text = format!(
            "apiVersion: vltava.dev/v1alpha1\nkind: Topic\nmetadata: {{name: lines}}\nspec:\n  clusterRef: {{name: local}}\n{spec}"
        );
        std::fs::write(&file, text).expect("a file");
        let path = folder.path().to_str().expect("a path");
        let told = vltava(&["plan", "-f", path, "-b", &kafka]);
        (told.status.code(), String::from_utf8_lossy(&told.stdout).into_owned())
    };

    let (code, told) = plan("  partitions: 3\n");
    assert_eq!(code, Some(3), "{told}");
    assert!(told.starts_with("+ Topic/lines\n    partitions: 3\n"), "{told}");
    let topics = succeed(&["topic", "list", "-b", &kafka], "");
    assert!(!topics.contains("lines"), "{topics}");

    succeed(&["topic", "create", "lines", "-p", "3", "-b", &kafka], "");
    let (code, told) = plan("  partitions: 3\n");
    assert_eq!((code, told.contains("1 as described")), (Some(0), true), "{told}");

    let (code, told) = plan("  partitions: 4\n  config: {retention.ms: 1000}\n");
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("partitions: 3 -> 4"), "{told}");
    let described = succeed(&["topic", "describe", "lines", "-b", &kafka], "");
    assert!(!described.contains("retention.ms"), "{described}");

    let (code, told) = plan("  partitions: 3\n  replicas: 3\n");
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("topics.yaml:7: 3 replicas need as many brokers"), "{told}");
    let nobody = vltava(&["plan", "-f", "no-such-folder", "-b", &kafka]);
    assert_eq!(nobody.status.code(), Some(1));
}
