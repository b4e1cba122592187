//! A broker process under test.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Something that can be measured.
pub(crate) trait Subject {
    /// Name in the table.
    fn name(&self) -> &'static str;
    /// Starts a fresh broker with its data in `folder`; returns once the process exists.
    fn start(&self, folder: &Path) -> Result<Server>;
}

/// A running broker.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// `host:port` of its Kafka listener.
    pub(crate) bootstrap: String,
    /// When the process was started.
    pub(crate) started: Instant,
}

/// How long a broker may take to end after SIGTERM before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

impl Server {
    pub(crate) fn spawn(mut command: Command, port: u16) -> Result<Self> {
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("failed to start {command:?}"))?;
        Ok(Self { child, bootstrap: format!("127.0.0.1:{port}"), started })
    }

    /// CPU seconds, user and system, that the process has used up to now (`/proc/PID/stat`).
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat =
            std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        // The command's name may hold spaces; the fields that count follow its closing parenthesis.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> {
            Ok(fields.get(index).context("a short /proc stat line")?.parse::<f64>()?)
        };
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        Ok((ticks(11)? + ticks(12)?) / per_second)
    }

    /// Resident memory now, in bytes.
    pub(crate) fn rss_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let status =
            std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
        let line =
            status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS line")?;
        let kib: u64 = line.split_whitespace().nth(1).context("no figure in VmRSS")?.parse()?;
        Ok(kib * 1024)
    }

    /// Fails when the process has ended by itself.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the broker ended by itself: {status}");
        }
        Ok(())
    }

    /// Asks the process to end, and kills it when it does not.
    pub(crate) fn stop(mut self) -> Result<()> {
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        }
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > STOP_TIMEOUT {
                self.child.kill()?;
                self.child.wait()?;
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed row must not leave a broker behind.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
