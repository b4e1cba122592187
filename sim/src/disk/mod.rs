//! [`SimDisk`]: files in memory with what a real disk may do to them.
//!
//! Until a file is synced its writes are pending: a crash keeps any of them, drops others, and tears some at a sector.
//! Until a folder is synced its changed names are pending, in order: a crash keeps a prefix of them (a journal).

mod file;
mod names;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use storage::disk::OpenMode;
use storage::{Disk, DiskError, DiskFile};

use file::SimFile;
use names::Names;

/// Writes are torn at multiples of this: what a device writes at once.
const SECTOR_BYTES: usize = 512;

/// Bytes by inode.
type Inodes = BTreeMap<u64, Content>;

/// A file's bytes: those that survive a crash for certain, and what has been done since.
#[derive(Debug, Default, Clone)]
struct Content {
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug)]
struct State {
    names: Names,
    inodes: Inodes,
    next_inode: u64,
    /// Raised by a crash: handles from before it are of no use.
    boot: u64,
    random: fastrand::Rng,
    capacity_bytes: usize,
    sync_works: bool,
    failing_syncs: u32,
    has_failed: bool,
    writes_fail: bool,
    calls: u64,
    stop_after_calls: u64,
    cold_percent: u8,
}

/// A disk made from a seed; clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk without faults.
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                names: Names::default(),
                inodes: Inodes::new(),
                next_inode: 1,
                boot: 0,
                random: fastrand::Rng::with_seed(seed),
                capacity_bytes: usize::MAX,
                sync_works: true,
                failing_syncs: 0,
                has_failed: false,
                writes_fail: false,
                calls: 0,
                stop_after_calls: u64::MAX,
                cold_percent: 0,
            })),
        }
    }

    /// From now on writes fail with ENOSPC when all files together would be longer.
    pub fn set_capacity_bytes(&self, bytes: usize) {
        self.state.lock().capacity_bytes = bytes;
    }

    /// Bytes of all files.
    pub fn used_bytes(&self) -> usize {
        self.state.lock().used_bytes()
    }

    /// The next syncs fail with EIO.
    pub fn fail_syncs(&self, count: u32) {
        self.state.lock().failing_syncs = count;
    }

    /// From now on writes fail with EIO, or no longer do.
    pub fn fail_writes(&self, fail: bool) {
        self.state.lock().writes_fail = fail;
    }

    /// Calls since the start or the last crash.
    pub fn calls(&self) -> u64 {
        self.state.lock().calls
    }

    /// The machine stops in the middle of whatever it does: every call after this many fails.
    pub fn stop_after_calls(&self, calls: u64) {
        self.state.lock().stop_after_calls = calls;
    }

    /// Whether [`SimDisk::stop_after_calls`] is in force.
    pub fn stops(&self) -> bool {
        self.state.lock().stop_after_calls != u64::MAX
    }

    /// Of 100 reads that must not wait for the disk, so many would have to.
    pub fn set_cold_percent(&self, percent: u8) {
        self.state.lock().cold_percent = percent;
    }

    /// Whether it is full soon, or refuses syncs or writes, or has refused a sync since the start or the last crash.
    pub fn is_faulty(&self) -> bool {
        let state = self.state.lock();
        state.has_failed
            || state.capacity_bytes != usize::MAX
            || state.failing_syncs > 0
            || state.writes_fail
    }

    /// Whoever checks sees what is there even when the machine has stopped, and leaves no trace.
    pub fn look<T>(&self, at: impl FnOnce() -> T) -> T {
        let before = {
            let state = &mut *self.state.lock();
            let stop = std::mem::replace(&mut state.stop_after_calls, u64::MAX);
            (stop, state.calls)
        };
        let seen = at();
        let state = &mut *self.state.lock();
        (state.stop_after_calls, state.calls) = before;
        seen
    }

    /// A disk of its own with what would be on this one after a power failure.
    pub fn copy(&self, seed: u64) -> SimDisk {
        let state = self.state.lock();
        let copy = SimDisk::new(seed);
        {
            let to = &mut *copy.state.lock();
            to.names = state.names.clone();
            to.inodes = state.inodes.clone();
            to.next_inode = state.next_inode;
        }
        copy.crash();
        copy
    }

    /// A disk that lies: syncs answer without having done anything.
    pub fn break_sync(&self) {
        self.state.lock().sync_works = false;
    }

    /// The power fails and comes back. Open files are gone; what was not synced is there in part.
    pub fn crash(&self) {
        let state = &mut *self.state.lock();
        state.start_over();
        state.names.crash(&mut state.random);
        for content in state.inodes.values_mut() {
            content.crash(&mut state.random);
        }
        let named = state.names.inodes();
        state.inodes.retain(|inode, _| named.contains(inode));
    }

    /// The process is killed: open files are gone, the system keeps what was written.
    pub fn kill(&self) {
        self.state.lock().start_over();
    }
}

impl State {
    /// Open files and faults end here, but not the lie about syncs.
    fn start_over(&mut self) {
        self.boot += 1;
        self.failing_syncs = 0;
        self.has_failed = false;
        self.writes_fail = false;
        self.calls = 0;
        self.stop_after_calls = u64::MAX;
        self.cold_percent = 0;
    }

    /// Counts a call, and refuses it when the machine has stopped.
    fn call(&mut self, op: &'static str, path: &Path) -> Result<&mut Self, DiskError> {
        self.calls += 1;
        if self.calls > self.stop_after_calls {
            return Err(DiskError::new(op, path, io::Error::other("the machine has stopped")));
        }
        Ok(self)
    }

    fn used_bytes(&self) -> usize {
        self.inodes.values().map(|content| content.current.len()).sum()
    }
}

impl Content {
    /// Applies a change to `bytes`; a gap before a write reads as zeros.
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Write { offset, bytes: new } => {
                let end = offset + new.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(new);
            }
            Change::Truncate(len) => bytes.resize(*len, 0),
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.current, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.current);
        self.pending.clear();
    }

    /// Each pending change survives, is lost, or (a write) survives up to a sector's end.
    fn crash(&mut self, random: &mut fastrand::Rng) {
        let mut survived = std::mem::take(&mut self.durable);
        for change in self.pending.drain(..) {
            match (random.u8(..3), change) {
                (0, _) => {}
                (1, Change::Write { offset, bytes }) => {
                    let sectors = bytes.len() / SECTOR_BYTES;
                    let kept = random.usize(..=sectors) * SECTOR_BYTES;
                    let bytes = bytes[..kept].to_vec();
                    Self::apply(&mut survived, &Change::Write { offset, bytes });
                }
                (_, change) => Self::apply(&mut survived, &change),
            }
        }
        self.current.clone_from(&survived);
        self.durable = survived;
    }
}

fn not_found(op: &'static str, path: &Path) -> DiskError {
    DiskError::new(op, path, io::ErrorKind::NotFound.into())
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut state = self.state.lock();
        let state = state.call("open", path)?;
        let inode = match state.names.inode(path) {
            Some(inode) => inode,
            None if mode == OpenMode::Create && state.names.has_parent(path) => {
                let inode = state.next_inode;
                state.next_inode += 1;
                state.inodes.insert(inode, Content::default());
                state.names.add(path, inode);
                inode
            }
            None => return Err(not_found("open", path)),
        };
        let handle = SimFile {
            state: Arc::clone(&self.state),
            inode,
            boot: state.boot,
            path: path.to_owned(),
            writable: mode != OpenMode::Read,
        };
        Ok(Arc::new(handle))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.state.lock().call("remove", path)?.names.remove(path);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        if self.state.lock().call("rename", from)?.names.rename(from, to) {
            Ok(())
        } else {
            Err(not_found("rename", from))
        }
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        self.state.lock().call("list", dir)?.names.list(dir).ok_or_else(|| not_found("list", dir))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        Ok(self.state.lock().call("look up", path)?.names.exists(path))
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.state.lock().call("create folder", dir)?.names.create_dir(dir);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.state.lock().call("remove folder", dir)?.names.remove_dir(dir);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        let mut state = self.state.lock();
        let state = state.call("sync folder", dir)?;
        if state.sync_works {
            state.names.sync(dir);
        }
        Ok(())
    }
}

/// Where scenarios keep their data.
pub(crate) fn data_dir() -> PathBuf {
    PathBuf::from("/data")
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;

    fn write(disk: &SimDisk, path: &str, text: &str, sync: bool) {
        let file = disk.open(Path::new(path), OpenMode::Create).expect("open");
        file.write_at(&mut [IoSlice::new(text.as_bytes())], 0).expect("write");
        if sync {
            file.sync().expect("sync");
        }
    }

    fn content(disk: &SimDisk, path: &str) -> Option<String> {
        let bytes = disk.read_file(Path::new(path)).expect("read")?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn what_is_synced_survives_and_the_rest_may_not() {
        let mut lost = 0;
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            disk.create_dir(Path::new("/d")).expect("dir");
            write(&disk, "/d/synced", "yes", true);
            disk.sync_dir(Path::new("/d")).expect("sync");
            write(&disk, "/d/unsynced", "maybe", false);
            disk.crash();
            assert_eq!(content(&disk, "/d/synced").as_deref(), Some("yes"), "seed {seed}");
            lost += usize::from(content(&disk, "/d/unsynced").as_deref() != Some("maybe"));
        }
        assert!((5..50).contains(&lost), "{lost} of 50 unsynced files were lost");
    }

    #[test]
    fn a_file_written_atomically_is_old_or_new() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            disk.create_dir(Path::new("/d")).expect("dir");
            disk.write_file_atomically(Path::new("/d/f"), b"old").expect("write");
            write(&disk, "/d/f.tmp", "new", true);
            disk.rename(Path::new("/d/f.tmp"), Path::new("/d/f")).expect("rename");
            disk.crash();
            seen.insert(content(&disk, "/d/f").expect("the file is there"));
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["new", "old"]);
    }

    #[test]
    fn a_full_disk_and_a_failed_sync_are_errors_of_their_kinds() {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new("/d")).expect("dir");
        disk.set_capacity_bytes(4);
        let file = disk.open(Path::new("/d/f"), OpenMode::Create).expect("open");
        let error = file.write_at(&mut [IoSlice::new(b"12345")], 0).expect_err("full");
        assert_eq!(error.failure, storage::DiskFailure::Full);
        disk.fail_syncs(1);
        assert_eq!(file.sync().expect_err("EIO").failure, storage::DiskFailure::Failed);
        file.sync().expect("the next one works");
    }

    /// A reserve of 100 bytes on a disk that has room for 150 more than that.
    fn reserved(disk: &SimDisk, told: &Arc<Mutex<u32>>) -> Arc<storage::Reserve> {
        let told = Arc::clone(told);
        let released = move |error: &DiskError| {
            assert_eq!(error.failure, storage::DiskFailure::Full);
            *told.lock() += 1;
        };
        let inner = Arc::new(disk.clone());
        storage::Reserve::open(inner, Path::new("/d/reserve"), 100, Box::new(released))
    }

    #[test]
    fn metadata_is_written_on_a_full_disk_as_far_as_the_reserve_goes() {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new("/d")).expect("dir");
        let told = Arc::new(Mutex::new(0));
        let reserve = reserved(&disk, &told);
        let metadata = storage::ReservedDisk(Arc::clone(&reserve));
        disk.set_capacity_bytes(disk.used_bytes());
        let data = disk.open(Path::new("/d/data"), OpenMode::Create).expect("open");
        data.write_at(&mut [IoSlice::new(b"x")], 0).expect_err("full");
        let file = metadata.open(Path::new("/d/log"), OpenMode::Create).expect("open");
        file.write_at(&mut [IoSlice::new(b"who "), IoSlice::new(b"leads")], 0)
            .expect("the reserve");
        assert_eq!(*told.lock(), 1, "whoever else writes must hear of it");
        file.write_at(&mut [IoSlice::new(&[7; 100])], 9).expect_err("more than the reserve");
        assert_eq!(*told.lock(), 2);
        reserve.probe().expect_err("no room");
        disk.set_capacity_bytes(disk.used_bytes() + 150);
        reserve.probe().expect_err("room for the reserve alone is none");
        disk.set_capacity_bytes(usize::MAX);
        reserve.probe().expect("room");
        disk.set_capacity_bytes(disk.used_bytes());
        file.write_at(&mut [IoSlice::new(&[7; 90])], 9).expect("the reserve is there again");
        assert_eq!(content(&disk, "/d/log").map(|text| text.len()), Some(99));
    }

    #[test]
    fn handles_do_not_survive_a_crash() {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new("/d")).expect("dir");
        let file = disk.open(Path::new("/d/f"), OpenMode::Create).expect("open");
        disk.crash();
        assert!(file.len().is_err());
    }
}
