//! Stops of every kind, and what the next start makes of them.

use std::net::TcpListener;

use rustix::process::Signal;

use crate::examples::{count_words, last_counts};
use crate::process::{Example, Up, vltava};

#[test]
fn signals_stop_cleanly_and_the_next_start_goes_on() {
    let example = Example::copy("wordcount");
    let args = ["-f", example.folder(), "--data-dir", &example.data()];
    for signal in [Signal::INT, Signal::TERM] {
        let up = Up::start(args);
        up.wait_for("all 7 objects ready");
        up.signal(signal);
        let (status, said) = up.end();
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(said.contains("stopped; the next start goes on from here"), "{said}");
        example.append("lines.txt", "one more line for the next start\n");
    }
    let (status, said) = Up::start(args.iter().copied().chain(["--once"])).end();
    assert!(status.success(), "{said}");
    assert_eq!(last_counts(&example.read("counts.txt")), count_words(&example.read("lines.txt")));
}

#[test]
fn a_killed_process_loses_nothing() {
    let example = Example::copy("wordcount");
    let text = example.read("lines.txt");
    let args = ["-f", example.folder(), "--data-dir", &example.data()];
    for _ in 0..3 {
        let before = example.read("counts.txt").len();
        let up = Up::start(args);
        // Some counts are out, so the kill falls into the middle of the work.
        example.wait_until(&up, "more counts", |example| example.read("counts.txt").len() > before);
        up.kill();
        example.append("lines.txt", &text);
    }
    let (status, said) = Up::start(args.iter().copied().chain(["--once"])).end();
    assert!(status.success(), "{said}");
    assert_eq!(last_counts(&example.read("counts.txt")), count_words(&example.read("lines.txt")));
}

#[test]
fn a_second_instance_is_refused() {
    let example = Example::copy("wordcount");
    let up = Up::start(["--data-dir", &example.data()]);
    up.kafka();
    let output =
        vltava(&["up", "--data-dir", &example.data(), "--kafka-port", "0", "--connect-port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = format!("error: {} is in use by another vltava up (process ", example.data());
    assert!(said.starts_with(&expected), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_port_in_use_is_one_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    for flag in ["--kafka-port", "--connect-port"] {
        let other = if flag == "--kafka-port" { "--connect-port" } else { "--kafka-port" };
        let output = vltava(&["up", "--ephemeral", flag, &port, other, "0"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(&port) && said.contains("127.0.0.1"), "{said}");
        assert!(said.contains("in use"), "{said}");
    }
}

#[test]
fn an_ephemeral_platform_leaves_nothing_behind() {
    let home = tempfile::tempdir().expect("a folder");
    let up = {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vltava"));
        command.env("TMPDIR", home.path()).args([
            "up",
            "--ephemeral",
            "--kafka-port",
            "0",
            "--connect-port",
            "0",
        ]);
        Up::spawn(command)
    };
    up.kafka();
    assert_eq!(std::fs::read_dir(home.path()).expect("listed").count(), 1);
    up.signal(Signal::TERM);
    assert!(up.end().0.success());
    assert_eq!(std::fs::read_dir(home.path()).expect("listed").count(), 0);
}
