//! The only way to files: a seam, so that a seeded disk (`sim::SimDisk`) can take the real one's place.
//!
//! All calls are synchronous; who may not block (a network task) must ask through a thread that may.
//! A write is durable only after [`DiskFile::sync`]; a created, renamed or removed name only after
//! [`Disk::sync_dir`] on its folder.

mod bounded;
#[cfg(test)]
mod bounded_tests;
mod error;
mod os;
mod reserved;

use std::fmt::Debug;
use std::fs::File;
use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

pub use bounded::BoundedDisk;
pub use error::{DiskError, DiskFailure};
pub use os::OsDisk;
pub use reserved::{OnRelease, Reserve, ReservedDisk};

/// Bytes written at once where a file system cannot allocate.
const ALLOCATED_AT_ONCE: usize = 64 * 1024;

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Existing file, reads only.
    Read,
    /// Existing file, reads and writes.
    Write,
    /// Reads and writes, created when missing (existing content stays).
    Create,
}

/// A file system.
pub trait Disk: Send + Sync + Debug {
    /// Opens or creates a file.
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError>;
    /// Opens or creates a file that is held for long. A disk that must do with few descriptors may close it while it is not
    /// used, and opens it again by its name: one that was closed when its name went (removed or renamed, or its folder was)
    /// gives [`DiskFailure::NotFound`] from then on, and so does one that was opened a second time in the meantime.
    fn open_kept(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.open(path, mode)
    }
    /// As [`Disk::open_kept`] of a file that does not exist yet. It may be made as late as by the first call that needs it,
    /// and that is where it fails then.
    fn create_kept(&self, path: &Path) -> Result<Arc<dyn DiskFile>, DiskError> {
        self.open_kept(path, OpenMode::Create)
    }
    /// Removes a file; a missing file is not an error.
    fn remove(&self, path: &Path) -> Result<(), DiskError>;
    /// Renames a file or folder, replacing a file that has the new name.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Names (not paths) in a folder, sorted.
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError>;
    /// Whether a file or folder of that name exists.
    fn exists(&self, path: &Path) -> Result<bool, DiskError>;
    /// Makes a folder and its parents.
    fn create_dir(&self, dir: &Path) -> Result<(), DiskError>;
    /// Removes a folder with everything in it; a missing folder is not an error.
    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError>;

    /// Reads a whole (small) file; `None` when it does not exist.
    fn read_file(&self, path: &Path) -> Result<Option<Bytes>, DiskError> {
        let file = match self.open(path, OpenMode::Read) {
            Ok(file) => file,
            Err(e) if e.failure == DiskFailure::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut buf = vec![0; file.len()? as usize];
        let mut filled = 0;
        while filled < buf.len() {
            match file.read_at(&mut buf[filled..], filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        buf.truncate(filled);
        Ok(Some(Bytes::from(buf)))
    }

    /// Replaces a file so that after a crash either the old or the new content is there: temporary file,
    /// sync, rename, sync of the folder.
    fn write_file_atomically(&self, path: &Path, content: &[u8]) -> Result<(), DiskError> {
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = Path::new(&temporary);
        let file = self.open(temporary, OpenMode::Create)?;
        file.truncate(0)?;
        file.write_at(&mut [IoSlice::new(content)], 0)?;
        file.sync()?;
        self.rename(temporary, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }
}

/// For file systems that cannot allocate.
fn allocate_by_writing<F: DiskFile + ?Sized>(file: &F, bytes: u64) -> Result<(), DiskError> {
    let (zeros, mut at) = (vec![0; ALLOCATED_AT_ONCE], 0);
    while at < bytes {
        let len = zeros.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
        file.write_at(&mut [IoSlice::new(&zeros[..len])], at)?;
        at += len as u64;
    }
    Ok(())
}

/// An open file. Methods take offsets, so that readers and the one writer share it.
pub trait DiskFile: Send + Sync + Debug {
    /// Reads at `offset`; fewer bytes than asked for at the end of the file, 0 past it.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError>;
    /// Reads only what is in memory already: `None` when the disk would have to be waited for.
    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> Result<Option<usize>, DiskError> {
        self.read_at(buf, offset).map(Some)
    }
    /// Writes all buffers one after the other from `offset`. After an error any part may have been written.
    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<(), DiskError>;
    /// Makes content and length durable (`fdatasync`). An error is final: what was written before it must
    /// be taken as lost, a second call proves nothing.
    fn sync(&self) -> Result<(), DiskError>;
    /// Cuts or extends to `len` bytes.
    fn truncate(&self, len: u64) -> Result<(), DiskError>;
    /// Takes up room for so many bytes from the file's beginning; what they are is not said.
    fn allocate(&self, bytes: u64) -> Result<(), DiskError> {
        allocate_by_writing(self, bytes)
    }
    /// Length in bytes.
    fn len(&self) -> Result<u64, DiskError>;
    /// Whether the file is empty.
    fn is_empty(&self) -> Result<bool, DiskError> {
        self.len().map(|len| len == 0)
    }
    /// The file underneath, for `sendfile`; `None` when there is none (a simulated disk).
    fn raw(&self) -> Option<Arc<File>>;
}
