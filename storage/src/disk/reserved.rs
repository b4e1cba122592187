//! A part of the disk that is kept free for what must go on when the disk is full.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Disk, DiskError, DiskFailure, DiskFile, OpenMode};

/// Called when the reserve is given up: the disk is full, whoever can do without room must do so.
pub type OnRelease = Box<dyn Fn(&DiskError) + Send + Sync>;

/// A file that takes up room, and is removed when there is none.
///
/// The metadata log lies on the same disk as the records. When records have filled it, the quorum must still be able to write
/// down that this broker is full, and who leads instead.
pub struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: u64,
    held: AtomicBool,
    on_release: OnRelease,
}

impl Reserve {
    /// Makes the file, if there is room; without room there is no reserve until [`Reserve::probe`] finds some.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        bytes: u64,
        on_release: OnRelease,
    ) -> Arc<Reserve> {
        let path = path.to_owned();
        let reserve = Self { disk, path, bytes, held: AtomicBool::new(false), on_release };
        if let Err(error) = reserve.fill() {
            tracing::warn!("no room is kept free for the metadata: {error}");
        }
        Arc::new(reserve)
    }

    /// Looks for room for the reserve and as much again.
    ///
    /// # Errors
    /// There is none, or the disk refuses.
    pub fn probe(&self) -> Result<(), DiskError> {
        self.fill()?;
        let trial = self.path.with_extension("trial");
        let allocated = allocate(&*self.disk, &trial, self.bytes);
        let freed = free(&*self.disk, &trial);
        allocated.and(freed)
    }

    fn fill(&self) -> Result<(), DiskError> {
        if !self.held.load(Ordering::Acquire) {
            if let Err(error) = allocate(&*self.disk, &self.path, self.bytes) {
                free(&*self.disk, &self.path)?;
                return Err(error);
            }
            self.held.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Gives the room to whoever met `error`. Returns whether there was any to give.
    fn release(&self, error: &DiskError) -> bool {
        (self.on_release)(error);
        let held = self.held.swap(false, Ordering::AcqRel);
        if held {
            tracing::warn!("{error}; what was kept free for the metadata is used now");
        }
        held && free(&*self.disk, &self.path).is_ok()
    }

    fn with<T>(&self, mut call: impl FnMut() -> Result<T, DiskError>) -> Result<T, DiskError> {
        match call() {
            // After a failed sync nothing is sure any more.
            Err(error)
                if error.is_transient()
                    && error.failure == DiskFailure::Full
                    && self.release(&error) =>
            {
                call()
            }
            other => other,
        }
    }
}

fn allocate(disk: &dyn Disk, path: &Path, bytes: u64) -> Result<(), DiskError> {
    disk.open(path, OpenMode::Create)?.allocate(bytes)
}

/// Gives a file's room back: at once, and not when the last one who has it open is gone.
fn free(disk: &dyn Disk, path: &Path) -> Result<(), DiskError> {
    match disk.open(path, OpenMode::Write) {
        Ok(file) => file.truncate(0)?,
        Err(error) if error.failure == DiskFailure::NotFound => {}
        Err(error) => return Err(error),
    }
    disk.remove(path)
}

impl std::fmt::Debug for Reserve {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reserve").field("held", &self.held).finish_non_exhaustive()
    }
}

/// A disk whose calls may use a reserve.
#[derive(Debug, Clone)]
pub struct ReservedDisk(pub Arc<Reserve>);

#[derive(Debug)]
struct ReservedFile {
    file: Arc<dyn DiskFile>,
    reserve: Arc<Reserve>,
}

impl ReservedDisk {
    fn disk(&self) -> &dyn Disk {
        &*self.0.disk
    }
}

impl Disk for ReservedDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = self.0.with(|| self.disk().open(path, mode))?;
        Ok(Arc::new(ReservedFile { file, reserve: Arc::clone(&self.0) }))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.disk().remove(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.0.with(|| self.disk().rename(from, to))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        self.disk().list(dir)
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        self.disk().exists(path)
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.0.with(|| self.disk().create_dir(dir))
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.disk().remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.disk().sync_dir(dir)
    }
}

impl DiskFile for ReservedFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.file.read_at(buf, offset)
    }

    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> Result<Option<usize>, DiskError> {
        self.file.read_cached_at(buf, offset)
    }

    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        // A write that fails in its middle leaves slices that do not say where they began. Metadata is small: a copy is cheap.
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        self.reserve.with(|| self.file.write_at(&mut [IoSlice::new(&bytes)], offset))
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync()
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.reserve.with(|| self.file.truncate(len))
    }

    fn allocate(&self, bytes: u64) -> Result<(), DiskError> {
        self.file.allocate(bytes)
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.file.len()
    }

    fn raw(&self) -> Option<Arc<std::fs::File>> {
        self.file.raw()
    }
}
