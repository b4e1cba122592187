//! The binary under test: `$VLTAVA`, which `cargo xtask test` sets.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::{process, wait};

const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(60);

/// The command `vltava` with these arguments.
pub fn command<S: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = S>,
) -> Result<Command> {
    let program = std::env::var_os("VLTAVA")
        .context("VLTAVA does not name the binary to test: run `cargo xtask test`")?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// Runs `vltava` to its end and gives its output; fails if it fails.
pub fn run(arguments: &[&str], input: &str) -> Result<String> {
    process::run(&mut command(arguments)?, input)
}

/// An address of this machine's loopback that nobody listens on now.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// A `vltava` that runs until it is ended, at the latest when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts it, all output into the file `log` (after what is there already).
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Waits until somebody listens on `address`; fails with the log if the process ends before.
    pub fn listens_on(mut self, address: SocketAddr) -> Result<Self> {
        wait::until(&format!("a listener on {address}"), START_DEADLINE, || {
            if let Some(status) = self.child.try_wait()? {
                // Reported below: waiting longer would not help.
                return Ok(Err(status));
            }
            TcpStream::connect(address)?;
            Ok(Ok(()))
        })?
        .map_err(|status| anyhow::anyhow!("it ended ({status})"))
        .with_context(|| self.log())?;
        Ok(self)
    }

    /// What it has written so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGKILL: it gets no chance to put anything in order.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, as Kubernetes and service managers do; fails if it does not end with success.
    pub fn terminate(mut self) -> Result<()> {
        process::run(Command::new("kill").arg(self.child.id().to_string()), "")?;
        let status = wait::until("it to end after SIGTERM", STOP_DEADLINE, || {
            self.child.try_wait()?.context("it still runs")
        })
        .with_context(|| self.log())?;
        if !status.success() {
            bail!("it ended with {status}:\n{}", self.log());
        }
        Ok(())
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `vltava broker` with its data in `dir`, on a free port; gives the address for clients.
pub fn broker(dir: &Path) -> Result<(Server, SocketAddr)> {
    let (address, admin) = (free_address()?, free_address()?);
    let mut command = command(["broker", "--node-id", "1"])?;
    command.arg("--data-dir").arg(dir.join("data"));
    command.args(["--listen", &address.to_string(), "--advertise", &address.to_string()]);
    command.args(["--admin-listen", &admin.to_string()]);
    let server = Server::start(command, &dir.join("broker.log"))?.listens_on(address)?;
    Ok((server, address))
}
