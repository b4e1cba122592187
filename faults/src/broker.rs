//! One broker process: started, paused, killed, asked to end.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::Subject;
use crate::disk::{Disk, Kind};
use crate::network::Network;
use crate::tool;

/// How long a broker may take to end after SIGTERM: what a pod is given by default.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A broker, running or not; killed when dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) id: usize,
    pub(crate) disk: Disk,
    child: Option<Child>,
    log: PathBuf,
    clock: Option<Clock>,
}

/// A wall clock of the broker's own.
#[derive(Debug)]
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Broker {
    pub(crate) fn new(id: usize, disk: Kind, folder: &Path) -> Result<Self> {
        Ok(Self {
            id,
            disk: Disk::new(disk, &folder.join(format!("broker-{id}")))?,
            child: None,
            log: folder.join(format!("broker-{id}.log")),
            clock: None,
        })
    }

    /// From its next start on, its wall clock can be moved.
    pub(crate) fn with_clock(&mut self, folder: &Path) -> Result<()> {
        let library = find_library("libfaketimeMT.so.1")
            .context("a clock that jumps needs Debian's package faketime")?;
        self.clock = Some(Clock { library, file: folder.join(format!("clock-{}", self.id)) });
        self.move_clock(0)
    }

    /// Its wall clock is wrong by so many seconds; the monotonic clock goes on as ever.
    pub(crate) fn move_clock(&self, seconds: i64) -> Result<()> {
        let clock = self.clock.as_ref().context("this broker has no clock of its own")?;
        // In place of the old file at once: the library reads it whenever it likes.
        let new = clock.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}s\n"))?;
        Ok(std::fs::rename(new, &clock.file)?)
    }

    pub(crate) fn start(
        &mut self,
        subject: &Subject,
        brokers: usize,
        network: &Network,
    ) -> Result<()> {
        ensure!(self.child.is_none(), "broker {} runs already", self.id);
        let broker = subject.broker(self.id, brokers, &self.disk.data())?;
        let mut command = network.in_broker(self.id);
        command.arg("env");
        if let Some(clock) = &self.clock {
            command.args(clock.environment());
        }
        command.arg(broker.get_program()).args(broker.get_args());
        let log = File::options().create(true).append(true).open(&self.log)?;
        self.child = Some(spawn(command, &log)?);
        Ok(())
    }

    /// Whether its process is there (also if it is paused).
    pub(crate) fn runs(&mut self) -> Result<bool> {
        Ok(match &mut self.child {
            Some(child) => child.try_wait()?.is_none(),
            None => false,
        })
    }

    /// Takes note of a process that ended by itself: what it said last.
    pub(crate) fn ended(&mut self) -> Result<Option<String>> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let Some(status) = child.try_wait()? else { return Ok(None) };
        self.child = None;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        // The report names files as the broker's data folder has them: where that lay is of no use to a reader.
        let last = last.replace(&format!("{}/", self.disk.data().display()), "");
        Ok(Some(format!("broker {} ended by itself ({status}): {last}", self.id)))
    }

    pub(crate) fn process(&self) -> Result<u32> {
        Ok(self.child.as_ref().with_context(|| format!("broker {} does not run", self.id))?.id())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.process()? as i32).context("no process id")?;
        kill_process(pid, signal)
            .with_context(|| format!("cannot send {signal:?} to broker {}", self.id))
    }

    /// SIGKILL, and it is gone when this returns. Nothing to do for one that is gone already.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// SIGSTOP: it holds its sockets, and does nothing.
    pub(crate) fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT.
    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// SIGTERM; fails if it does not end in time, or with another status than `good`. Gives the time that it took.
    pub(crate) fn terminate(&mut self, good: i32) -> Result<Duration> {
        self.signal(Signal::TERM)?;
        let asked = Instant::now();
        let child = self.child.as_mut().context("it does not run")?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if asked.elapsed() > STOP_TIMEOUT {
                self.kill()?;
                bail!("broker {} had not ended {STOP_TIMEOUT:?} after SIGTERM", self.id);
            }
            std::thread::sleep(POLL_INTERVAL);
        };
        self.child = None;
        ensure!(
            status.code() == Some(good),
            "broker {} ended with {status} after SIGTERM",
            self.id
        );
        Ok(asked.elapsed())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

impl Clock {
    fn environment(&self) -> [String; 6] {
        [
            format!("LD_PRELOAD={}", self.library.display()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.file.display()),
            "FAKETIME_CACHE_DURATION=1".to_owned(),
            "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
            "NO_FAKE_STAT=1".to_owned(),
        ]
    }
}

fn spawn(mut command: Command, log: &File) -> Result<Child> {
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))
}

/// Where Debian keeps it depends on the processor.
fn find_library(name: &str) -> Result<PathBuf> {
    let found = tool::run("find", ["/usr/lib", "-path", "*faketime*", "-name", name])?;
    let first = found.lines().next().with_context(|| format!("no {name} in /usr/lib"))?;
    Ok(PathBuf::from(first))
}
