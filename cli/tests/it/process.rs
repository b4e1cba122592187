//! Starts `vltava` and watches what it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// Far longer than anything takes; only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running `vltava up`.
pub(crate) struct Up {
    child: Child,
    said: Arc<(Mutex<Vec<String>>, Condvar)>,
}

impl Up {
    /// `vltava up` on free ports with these arguments.
    pub(crate) fn start<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vltava"));
        command.args(["up", "--kafka-port", "0", "--connect-port", "0"]).args(args);
        Self::spawn(command)
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let said = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let stderr = child.stderr.take().expect("piped");
        let shared = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                shared.0.lock().expect("no panic while locked").push(line);
                shared.1.notify_all();
            }
        });
        Self { child, said }
    }

    /// Waits until a line that was said from the `from`th on contains `text`; returns the line and its number.
    pub(crate) fn wait_for_from(&self, from: usize, text: &str) -> (usize, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.said.0.lock().expect("no panic while locked");
        loop {
            let found = lines.iter().enumerate().skip(from).find(|(_, line)| line.contains(text));
            if let Some((number, line)) = found {
                return (number, line.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never said '{text}', but:\n{}", lines.join("\n"));
            lines = self.said.1.wait_timeout(lines, left).expect("no panic while locked").0;
        }
    }

    pub(crate) fn wait_for(&self, text: &str) -> String {
        self.wait_for_from(0, text).1
    }

    /// How many lines were said so far.
    pub(crate) fn lines(&self) -> usize {
        self.said.0.lock().expect("no panic while locked").len()
    }

    pub(crate) fn all(&self) -> String {
        self.said.0.lock().expect("no panic while locked").join("\n")
    }

    /// Where the broker of the platform listens.
    pub(crate) fn kafka(&self) -> String {
        let line = self.wait_for("Kafka ");
        line.split_whitespace().nth(1).expect("an address").to_owned()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id()).expect("a process id");
        let pid = rustix::process::Pid::from_raw(pid).expect("not zero");
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// SIGKILL: no chance to put anything in order.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(Instant::now() < deadline, "does not end:\n{}", self.all());
            std::thread::sleep(Duration::from_millis(20));
        };
        // The reading thread may be a line behind.
        std::thread::sleep(Duration::from_millis(50));
        (status, self.all())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `vltava` to its end with `input`.
pub(crate) fn vltava_with(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vltava"))
        .args(args)
        .env_remove("RUST_LOG")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut stdin = child.stdin.take().expect("piped");
    let text = input.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("no panic");
    output
}

/// Runs `vltava` to its end.
pub(crate) fn vltava(args: &[&str]) -> Output {
    vltava_with(args, "")
}

/// Standard output of a command that must succeed.
pub(crate) fn succeed(args: &[&str], input: &str) -> String {
    let output = vltava_with(args, input);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A folder with a copy of an example.
pub(crate) struct Example {
    folder: tempfile::TempDir,
}

impl Example {
    pub(crate) fn copy(name: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
        for entry in std::fs::read_dir(from).expect("an example") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "yaml" || extension == "txt") {
                std::fs::copy(&path, folder.path().join(path.file_name().expect("a name")))
                    .expect("copied");
            }
        }
        // Results of somebody who tried the example in place are no part of it.
        for result in ["counts.txt", "regions.txt"] {
            let _ = std::fs::remove_file(folder.path().join(result));
        }
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &str {
        self.folder.path().to_str().expect("text")
    }

    pub(crate) fn data(&self) -> String {
        self.path("data").display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(self.path(name)) {
            file.read_to_string(&mut text).expect("text");
        }
        text
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    pub(crate) fn append(&self, name: &str, text: &str) {
        let mut file =
            std::fs::OpenOptions::new().append(true).open(self.path(name)).expect("opened");
        file.write_all(text.as_bytes()).expect("appended");
    }

    /// Waits until the file holds a line.
    pub(crate) fn wait_for_line(&self, up: &Up, name: &str, line: &str) {
        let there = |example: &Self| example.read(name).lines().any(|found| found == line);
        self.wait_until(up, &format!("line '{line}' in {name}"), there);
    }

    pub(crate) fn wait_until(&self, up: &Up, what: &str, there: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !there(self) {
            assert!(Instant::now() < deadline, "no {what}; said:\n{}", up.all());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
