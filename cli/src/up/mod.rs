//! `vltava up`: the whole platform in one process, kept as the files describe it.
//!
//! Each pass has the operator's shape: [`files`] and [`load`] read, [`desired`] checks the objects against one
//! another, [`plan`] compares with what [`observe`] saw (pure, one file a kind in [`reconcile`]), [`apply`] changes,
//! [`status`] tells. [`engine`] repeats it, [`platform`] owns what runs, [`brokers`] among it, [`display`] shows it, [`once`] knows when a
//! pipeline has run dry, [`preview`] tells what files would change on a cluster elsewhere, [`memory`] and [`lock`] guard the data folder.
//!
//! Invariants: an object that cannot work is refused with `file:line` and the others go on; what runs under a name
//! goes on while its description is wrong; only what a file once described is ever removed, and topics only when
//! their object asked for it.

mod action;
mod actual;
mod apply;
pub(crate) mod apps;
mod brokers;
mod desired;
mod display;
mod engine;
mod files;
mod flow;
mod load;
mod lock;
mod memory;
mod object;
mod observe;
mod once;
mod plan;
mod platform;
pub(crate) mod preview;
mod reconcile;
mod rules;
mod status;
#[cfg(test)]
mod tests;
mod topics;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

pub(crate) use self::brokers::MAX_BROKERS;
use self::desired::Desired;
use self::display::Display;
use self::engine::{End, Engine};
use self::files::Files;
use self::lock::Lock;
use self::memory::Memory;
use self::platform::{Platform, PlatformError, Site};
use self::reconcile::{cluster, connect};
use crate::console::Console;
use crate::shutdown;

/// What `vltava up` is asked to do.
#[derive(Debug)]
pub(crate) struct UpConfig {
    pub(crate) files: Vec<PathBuf>,
    /// `None` for a temporary folder.
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) once: bool,
    pub(crate) brokers: u16,
    pub(crate) bind: IpAddr,
    pub(crate) kafka_port: u16,
    pub(crate) connect_port: u16,
    pub(crate) admin_port: Option<u16>,
}

/// Runs until a signal comes or, with `once`, until all is done.
///
/// # Errors
/// When the platform cannot be started or cannot go on.
pub(crate) async fn run(config: UpConfig, console: &Console) -> anyhow::Result<ExitCode> {
    let stop = shutdown::on_signal().context("cannot listen to signals")?;
    let temporary = match config.data_dir {
        Some(_) => None,
        None => Some(
            tempfile::Builder::new()
                .prefix("vltava-")
                .tempdir()
                .context("cannot make a temporary folder")?,
        ),
    };
    let data_dir = match (&config.data_dir, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(folder)) => folder.path().to_path_buf(),
        (None, None) => PathBuf::from("."),
    };
    let _lock = Lock::take(&data_dir)?;
    let memory = Memory::load(&data_dir)?;
    let mut files = Files::new(config.files.clone());
    files.refresh();
    for path in &config.files {
        if let Some(Err(error)) = files.contents().get(path) {
            anyhow::bail!("{error}");
        }
    }
    let desired = Desired::resolve(load::load(files.contents()));
    let site = Site {
        data_dir: data_dir.clone(),
        files_dir: files_dir(&config.files),
        brokers: config.brokers,
        bind: config.bind,
        kafka_port: config.kafka_port,
        connect_port: config.connect_port,
        admin_port: config.admin_port,
    };
    let platform = start(site, &desired).await?;
    let mut display = Display::new(console.clone());
    display.platform(
        &platform.running.broker_address,
        &platform.running.connect_url,
        &shown(&data_dir, temporary.is_some()),
    );
    for note in &desired.notes {
        display.note(note);
    }
    let mut engine = Engine::new(files, desired, memory, display, platform, data_dir);
    let end = engine.run(config.once, &stop).await;
    let code = tell(&mut engine.display, end.as_ref().ok());
    engine.stop().await;
    end?;
    Ok(code)
}

/// Starts with the described settings. Settings that the broker or the worker does not take must not keep the other
/// objects from running: then it starts without them, and the first pass tells what is wrong with them.
async fn start(site: Site, desired: &Desired) -> Result<Platform, PlatformError> {
    let broker = cluster::properties(desired.cluster.as_ref());
    let worker = connect::properties(desired.connect.as_ref());
    let plain = broker.is_empty() && worker.is_empty();
    match Platform::start(site.clone(), broker, worker).await {
        Err(_) if !plain => Platform::start(site, Default::default(), Default::default()).await,
        result => result,
    }
}

fn tell(display: &mut Display, end: Option<&End>) -> ExitCode {
    match end {
        Some(End::Stopped) => {
            display.finish("stopped; the next start goes on from here");
            ExitCode::SUCCESS
        }
        Some(End::UsedUp { stalled: 0 }) => {
            display.finish("done: all input is used up and every result is written");
            ExitCode::SUCCESS
        }
        Some(End::UsedUp { stalled }) => {
            let what = status::count(*stalled as u64, "object");
            display.finish(&format!(
                "error: {what} cannot work as described; the errors above say why and what to do"
            ));
            ExitCode::FAILURE
        }
        None => ExitCode::FAILURE,
    }
}

/// Where connectors that are made through REST look for relative paths: beside the files, if there are any.
fn files_dir(files: &[PathBuf]) -> PathBuf {
    let first = files.first().map(PathBuf::as_path);
    let folder = match first {
        Some(path) if path.is_dir() => path,
        Some(path) => path.parent().unwrap_or(Path::new("")),
        None => Path::new(""),
    };
    std::path::absolute(folder)
        .or_else(|_| std::env::current_dir())
        .unwrap_or_else(|_| folder.to_path_buf())
}

fn shown(data_dir: &Path, temporary: bool) -> String {
    if temporary {
        format!("{} (until the end)", data_dir.display())
    } else {
        data_dir.display().to_string()
    }
}
