//! A disk that keeps only so many files open, so that partitions and their segments are not limited by descriptors.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Disk, DiskError, DiskFailure, DiskFile, OpenMode};

/// Open files that are looked at, at most, each time that one more is opened. Those that cannot be closed at the moment are
/// passed over, so that the bound may be exceeded while more files than it have writes that nobody has synced yet.
const LOOKS: usize = 64;
/// When the bound is exceeded by more than this part of it, files are closed that are in use.
const SLACK: usize = 8;
/// Files that are closed when the system has no descriptor left.
const CLOSED_IN_NEED: usize = 64;

/// A disk whose kept files ([`Disk::open_kept`]) are closed while others are used, and opened again when they are asked for
/// something. Clones share the bound.
///
/// Which file is closed: the one that was opened first and has not been used since it was last looked at (a clock). A file
/// with writes that were not synced stays open: the system reports an error of its own late write once to those that have
/// the file open, and a sync after reopening might be told nothing.
#[derive(Debug, Clone)]
pub struct BoundedDisk {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    capacity: usize,
    files: Mutex<Files>,
}

#[derive(Default)]
struct Files {
    /// Those that are open, the next to be looked at first.
    open: VecDeque<Weak<KeptFile>>,
    /// All, so that those whose name goes can be found.
    names: BTreeMap<Arc<Path>, Weak<KeptFile>>,
}

/// A file that is open at times.
struct KeptFile {
    shared: Arc<Shared>,
    me: Weak<KeptFile>,
    path: Arc<Path>,
    /// Since it was last looked at.
    used: AtomicBool,
    slot: Mutex<Slot>,
}

#[derive(Debug)]
struct Slot {
    file: Option<Arc<dyn DiskFile>>,
    /// How it is opened next. A file that is there once is never made again: it would be an empty one in another's place.
    mode: OpenMode,
    /// Writes that are under way.
    writers: u32,
    /// There are writes that no sync has covered.
    dirty: bool,
    /// Its name is gone, or another file's: it is not opened again.
    retired: bool,
}

impl BoundedDisk {
    /// Keeps up to `capacity` of the kept files open.
    pub fn new(disk: Arc<dyn Disk>, capacity: usize) -> Self {
        let files = Mutex::default();
        Self { shared: Arc::new(Shared { disk, capacity: capacity.max(1), files }) }
    }

    /// Kept files that are open now.
    pub fn open_count(&self) -> usize {
        let files = self.shared.files.lock();
        let open: Vec<_> = files.open.iter().filter_map(Weak::upgrade).collect();
        drop(files);
        open.iter().filter(|file| file.slot.lock().file.is_some()).count()
    }

    #[cfg(test)]
    pub(super) fn shared_names(&self) -> Vec<Arc<Path>> {
        self.shared.files.lock().names.keys().cloned().collect()
    }
}

impl Shared {
    /// Runs a call that takes a descriptor; when there is none, once more with those of files that can be closed.
    fn with<T>(&self, mut call: impl FnMut() -> Result<T, DiskError>) -> Result<T, DiskError> {
        match call() {
            Err(error)
                if error.failure == DiskFailure::Descriptors
                    && self.close(CLOSED_IN_NEED, true) =>
            {
                call()
            }
            other => other,
        }
    }

    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.with(|| self.disk.open(path, mode))
    }

    /// Holds a file of this name from now on, and nobody else's.
    fn keep(
        self: &Arc<Self>,
        path: &Path,
        file: Option<Arc<dyn DiskFile>>,
        mode: OpenMode,
    ) -> Arc<KeptFile> {
        let path: Arc<Path> = path.into();
        let kept = Arc::new_cyclic(|me| KeptFile {
            shared: Arc::clone(self),
            me: Weak::clone(me),
            path: Arc::clone(&path),
            used: AtomicBool::new(true),
            slot: Mutex::new(Slot { file, mode, writers: 0, dirty: false, retired: false }),
        });
        let before = self.files.lock().names.insert(path, Arc::downgrade(&kept));
        if let Some(before) = before.and_then(|before| before.upgrade()) {
            before.slot.lock().retired = true;
        }
        kept
    }

    /// `file` has been opened: others make room for it.
    fn opened(&self, file: &Weak<KeptFile>) {
        self.files.lock().open.push_back(Weak::clone(file));
        self.trim();
    }

    /// Closes what is open beyond the bound and can be closed.
    fn trim(&self) {
        let excess = self.files.lock().open.len().saturating_sub(self.capacity);
        if excess > 0 {
            self.close(excess, excess > self.capacity / SLACK + 1);
        }
    }

    /// Closes up to `count` files; `in_need` those as well that are in use. Returns whether there was any that could be closed.
    fn close(&self, count: usize, in_need: bool) -> bool {
        // What is held is let go after the lock: the last to let go of a file takes it.
        let (mut held, mut closed, mut left) = (Vec::new(), Vec::new(), count);
        let files = &mut *self.files.lock();
        for _ in 0..LOOKS.max(count).min(files.open.len().saturating_mul(2)) {
            if left == 0 {
                break;
            }
            let Some(next) = files.open.pop_front() else { break };
            let Some(file) = next.upgrade() else {
                left -= 1;
                continue;
            };
            match file.try_close(in_need) {
                Some(Some(open)) => {
                    closed.push(open);
                    left -= 1;
                }
                Some(None) => left -= 1,
                None => files.open.push_back(next),
            }
            held.push(file);
        }
        left < count
    }

    /// The names at and below `path` are gone, or other files' from now on.
    fn retire(&self, path: &Path) {
        let below = (Bound::Included(path), Bound::Unbounded);
        let gone: Vec<_> = {
            let files = self.files.lock();
            let names = files.names.range::<Path, _>(below);
            let names = names.take_while(|(name, _)| name.starts_with(path));
            names.filter_map(|(_, file)| file.upgrade()).collect()
        };
        for file in gone {
            file.slot.lock().retired = true;
        }
    }
}

/// How to open a file of which one is sure that it exists.
fn existing(mode: OpenMode) -> OpenMode {
    if mode == OpenMode::Create { OpenMode::Write } else { mode }
}

impl KeptFile {
    /// The file, opened if it is not; `note` is told before anybody can close it.
    fn open(&self, note: impl FnOnce(&mut Slot)) -> Result<Arc<dyn DiskFile>, DiskError> {
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        let slot = &mut *self.slot.lock();
        if let Some(file) = &slot.file {
            let file = Arc::clone(file);
            note(slot);
            return Ok(file);
        }
        if slot.retired {
            return Err(DiskError::new("open", &self.path, io::ErrorKind::NotFound.into()));
        }
        let file = self.shared.open(&self.path, slot.mode)?;
        slot.file = Some(Arc::clone(&file));
        slot.mode = existing(slot.mode);
        note(slot);
        // Under the slot's lock, so that it is not looked at before it is used.
        self.shared.opened(&self.me);
        Ok(file)
    }

    /// `None`: it stays open. Otherwise it is no longer counted; inside is the file if it was closed.
    fn try_close(&self, in_need: bool) -> Option<Option<Arc<dyn DiskFile>>> {
        let mut slot = self.slot.try_lock()?;
        if slot.retired || slot.file.is_none() {
            // It cannot be opened again: it is open as long as somebody holds it.
            return Some(None);
        }
        let used = self.used.swap(false, Ordering::Relaxed);
        if (used && !in_need) || slot.dirty || slot.writers > 0 {
            return None;
        }
        Some(slot.file.take())
    }

    fn write<T>(
        &self,
        call: impl FnOnce(&dyn DiskFile) -> Result<T, DiskError>,
    ) -> Result<T, DiskError> {
        let file = self.open(|slot| slot.writers += 1)?;
        let written = call(&*file);
        let slot = &mut *self.slot.lock();
        slot.writers -= 1;
        // Now, and not before: a sync that ran meanwhile need not have covered it.
        slot.dirty = true;
        written
    }
}

impl Drop for KeptFile {
    fn drop(&mut self) {
        let names = &mut self.shared.files.lock().names;
        if names.get(&self.path).is_some_and(|file| Weak::ptr_eq(file, &self.me)) {
            names.remove(&self.path);
        }
    }
}

impl Disk for BoundedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.shared.open(path, mode)
    }

    fn open_kept(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = self.shared.open(path, mode)?;
        let kept = self.shared.keep(path, Some(file), existing(mode));
        self.shared.opened(&kept.me);
        Ok(kept)
    }

    fn create_kept(&self, path: &Path) -> Result<Arc<dyn DiskFile>, DiskError> {
        Ok(self.shared.keep(path, None, OpenMode::Create))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.shared.disk.remove(path)?;
        self.shared.retire(path);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.shared.disk.rename(from, to)?;
        self.shared.retire(from);
        self.shared.retire(to);
        Ok(())
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        self.shared.with(|| self.shared.disk.list(dir))
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        self.shared.disk.exists(path)
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.shared.disk.create_dir(dir)
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.shared.with(|| self.shared.disk.remove_dir(dir))?;
        self.shared.retire(dir);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.shared.with(|| self.shared.disk.sync_dir(dir))
    }
}

impl DiskFile for KeptFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.open(|_| ())?.read_at(buf, offset)
    }

    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> Result<Option<usize>, DiskError> {
        // Opening may wait for the disk: that is left to whoever may.
        let file = self.slot.lock().file.clone();
        let Some(file) = file else { return Ok(None) };
        self.used.store(true, Ordering::Relaxed);
        file.read_cached_at(buf, offset)
    }

    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        self.write(|file| file.write_at(bufs, offset))
    }

    fn sync(&self) -> Result<(), DiskError> {
        {
            let slot = self.slot.lock();
            if slot.retired && slot.file.is_none() {
                // It was closed without anything to sync, and nothing can have been written since.
                return Ok(());
            }
        }
        // A write that ends from here on makes it dirty again.
        let file = self.open(|slot| slot.dirty = false)?;
        let synced = file.sync();
        match &synced {
            // It may have been what kept it open.
            Ok(()) => self.shared.trim(),
            Err(_) => self.slot.lock().dirty = true,
        }
        synced
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.write(|file| file.truncate(len))
    }

    fn allocate(&self, bytes: u64) -> Result<(), DiskError> {
        self.write(|file| file.allocate(bytes))
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.open(|_| ())?.len()
    }

    fn raw(&self) -> Option<Arc<File>> {
        self.open(|_| ()).ok()?.raw()
    }
}

impl fmt::Debug for KeptFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedDisk").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
