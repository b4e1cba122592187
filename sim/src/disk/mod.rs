//! A disk in memory that is as bad as a real one may be.
//!
//! What it assumes of a real one: a sector (512 bytes) is written whole or not at all; names change in the order
//! of the calls (a journalling file system), durably so with the next [`Disk::sync_dir`]; a synced byte stays. What
//! it does not assume: that writes reach the disk in order, that a file's length tells what is in it, that
//! syncing a file makes its name durable.

mod file;
mod tree;

use std::io;
use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use parking_lot::Mutex;
use storage::{Disk, DiskError, DiskFile, OpenMode};

use file::{Inode, SimFile};
use tree::{NameChange, Tree};

/// Bytes that reach the disk together.
const SECTOR_BYTES: usize = 512;

/// What goes wrong, until it is changed.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Bytes that all files may have together; past it writes fail with ENOSPC.
    pub capacity: Option<u64>,
    /// The next syncs fail with EIO.
    pub sync_fails: bool,
    /// Writes fail with EIO.
    pub write_fails: bool,
    /// Syncs succeed and do nothing: the bug that a test of the tests plants.
    pub sync_lies: bool,
    /// The machine stops at the call after this many: that call and all after it fail.
    pub stop_after_calls: Option<u64>,
    /// Of 100 reads that must not wait, how many would have to.
    pub cold_percent: u8,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    faults: Faults,
    /// Handles of an earlier life are dead.
    life: u64,
    calls: u64,
    inodes: Vec<Inode>,
    /// Names as the running system sees them, and as a crash would leave them.
    live: Tree,
    durable: Tree,
    journal: Vec<NameChange>,
}

/// The disk; clones share it.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk whose every choice follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::with_seed(seed),
            faults: Faults::default(),
            life: 0,
            calls: 0,
            inodes: Vec::new(),
            live: Tree::default(),
            durable: Tree::default(),
            journal: Vec::new(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Changes what goes wrong from now on.
    pub fn set_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state.lock().faults);
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// The power fails and comes back: of what was not synced some sectors and some of the first name changes are
    /// there, others not. Open files are dead; faults are over.
    pub fn crash(&self) {
        let state = &mut *self.state.lock();
        let kept = state.rng.usize(..=state.journal.len());
        for change in state.journal.drain(..).take(kept) {
            state.durable.apply(&change);
        }
        state.live = state.durable.clone();
        for inode in &mut state.inodes {
            inode.crash(&mut state.rng);
        }
        state.start_life();
    }

    /// The process is killed; the system keeps what was written.
    pub fn kill(&self) {
        self.state.lock().start_life();
    }
}

impl State {
    fn start_life(&mut self) {
        self.life += 1;
        self.calls = 0;
        self.faults = Faults { sync_lies: self.faults.sync_lies, ..Faults::default() };
    }

    /// Counts a call, and refuses it when the machine has stopped.
    fn call(&mut self, op: &'static str, path: &Path) -> Result<(), DiskError> {
        self.calls += 1;
        match self.faults.stop_after_calls {
            Some(limit) if self.calls > limit => Err(DiskError::new(op, path, stopped())),
            _ => Ok(()),
        }
    }

    fn change_names(&mut self, change: NameChange) {
        self.live.apply(&change);
        self.journal.push(change);
    }

    /// Bytes of all files that have a name.
    fn used(&self) -> u64 {
        self.live.files().map(|id| self.inodes[id].live.len() as u64).sum()
    }
}

fn stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}

fn not_found(op: &'static str, path: &Path) -> DiskError {
    DiskError::new(op, path, io::ErrorKind::NotFound.into())
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let state = &mut *self.state.lock();
        state.call("open", path)?;
        let inode = match state.live.file(path) {
            Some(inode) => inode,
            None if mode == OpenMode::Create && state.live.has_parent(path) => {
                state.inodes.push(Inode::default());
                let inode = state.inodes.len() - 1;
                state.change_names(NameChange::Create(path.to_owned(), inode));
                inode
            }
            None => return Err(not_found("open", path)),
        };
        let (disk, life, path) = (self.clone(), state.life, path.to_owned());
        Ok(Arc::new(SimFile { disk, life, path, inode }))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state.lock();
        state.call("remove", path)?;
        if state.live.file(path).is_some() {
            state.change_names(NameChange::Remove(path.to_owned()));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state.lock();
        state.call("rename", from)?;
        if !state.live.exists(from) {
            return Err(not_found("rename", from));
        }
        state.change_names(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        let state = &mut *self.state.lock();
        state.call("list", dir)?;
        state.live.list(dir).ok_or_else(|| not_found("list", dir))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        let state = &mut *self.state.lock();
        state.call("look up", path)?;
        Ok(state.live.exists(path))
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state.lock();
        state.call("create folder", dir)?;
        state.change_names(NameChange::CreateDir(dir.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state.lock();
        state.call("remove folder", dir)?;
        if state.live.exists(dir) {
            state.change_names(NameChange::RemoveDir(dir.to_owned()));
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state.lock();
        state.call("sync folder", dir)?;
        if state.faults.sync_lies {
            return Ok(());
        }
        // A journal is committed in order, so what came before is durable as well.
        for change in std::mem::take(&mut state.journal) {
            state.durable.apply(&change);
        }
        Ok(())
    }
}
