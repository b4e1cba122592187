//! `kill -9` of a worker, again and again, while lines come in.

use crate::support::{Cluster, word_count, words};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The example beside this test's binary, which cargo builds with it.
fn example() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let target = own.parent().and_then(Path::parent).unwrap();
    let path = target.join("examples/word_count");
    assert!(
        path.exists(),
        "{} is not built: run `cargo build -p streams --examples`",
        path.display()
    );
    path
}

fn spawn(bootstrap: &str, state_dir: &Path) -> Child {
    Command::new(example())
        .args([bootstrap, &state_dir.display().to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills after each of the given times, then checks the counts. A volume is lost when `lose` says so.
async fn survive(lives_ms: &[u64], lose: impl Fn(usize) -> bool) {
    let cluster = Cluster::start().await;
    cluster.create(&[("lines", 2), ("word-counts", 2)]).await;
    let root = tempfile::tempdir().unwrap();
    let mut state_dir = root.path().join("state-0");
    let mut all: Vec<String> = Vec::new();
    for (round, life_ms) in lives_ms.iter().enumerate() {
        let mut child = spawn(&cluster.bootstrap(), &state_dir);
        let mut rest = *life_ms;
        while rest > 0 {
            let lines: Vec<String> = (0..40)
                .map(|i| format!("every round{round} word{} counts once {}", i % 7, rest % 10))
                .collect();
            cluster.produce_lines(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
            all.extend(lines);
            let pause = rest.min(50);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            rest -= pause;
        }
        // SIGKILL: nothing is flushed, closed or committed.
        child.kill().unwrap();
        child.wait().unwrap();
        if lose(round) {
            std::fs::remove_dir_all(&state_dir).unwrap();
            state_dir = root.path().join(format!("state-{}", round + 1));
        }
    }
    let worker = cluster.worker("word-count", &word_count(), &state_dir).await;
    worker.caught_up().await.unwrap();
    let lines: Vec<&str> = all.iter().map(String::as_str).collect();
    let (latest, written) = cluster.latest("word-counts").await;
    let expected = words(&lines);
    assert_eq!(latest, expected, "of {written} updates");
    // At-least-once remains for the updates themselves.
    assert!(written as i64 >= expected.values().sum::<i64>());
    worker.shutdown().await;
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_after_kill_9() {
    survive(&[700, 450, 300, 850, 550], |_| false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_exact_after_kill_9_and_lost_volumes() {
    survive(&[900, 600], |_| true).await;
}
