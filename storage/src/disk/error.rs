use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// [`DiskError::op`] of a failed sync of a file.
pub(super) const SYNC: &str = "sync";

/// What kind of failure a [`DiskError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskFailure {
    /// No space left (ENOSPC, EDQUOT): may pass when space is freed.
    Full,
    /// The file or folder does not exist.
    NotFound,
    /// Not allowed to (EACCES, EPERM, EROFS).
    Denied,
    /// Too many open files, of the process (EMFILE) or of the system (ENFILE).
    Descriptors,
    /// Everything else, EIO among it: the device cannot be trusted.
    Failed,
}

/// A failed call on a [`super::Disk`].
#[derive(Debug, Error)]
#[error("cannot {op} {}: {source}{}", path.display(), hint(*failure))]
pub struct DiskError {
    /// What was tried: `open`, `write`, `sync`, …
    pub op: &'static str,
    /// On which file or folder.
    pub path: PathBuf,
    /// The kind of failure.
    pub failure: DiskFailure,
    /// The system's error.
    pub source: io::Error,
}

fn hint(failure: DiskFailure) -> &'static str {
    match failure {
        DiskFailure::Full => " (free space on this volume or enlarge it)",
        DiskFailure::Descriptors => {
            " (no file descriptor is left: raise the limit of open files, ulimit -n or LimitNOFILE=)"
        }
        _ => "",
    }
}

impl DiskError {
    /// Wraps the system's error and names the failure.
    pub fn new(op: &'static str, path: &Path, source: io::Error) -> Self {
        let failure = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskFailure::Full,
            io::ErrorKind::NotFound => DiskFailure::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                DiskFailure::Denied
            }
            _ => match rustix::io::Errno::from_io_error(&source) {
                Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                    DiskFailure::Descriptors
                }
                _ => DiskFailure::Failed,
            },
        };
        Self { op, path: path.to_owned(), failure, source }
    }

    /// Whether the same call may work later and nothing that was written is in doubt: no room, or no descriptors.
    /// A failed sync is never so, whatever its reason.
    pub fn is_transient(&self) -> bool {
        self.op != SYNC && matches!(self.failure, DiskFailure::Full | DiskFailure::Descriptors)
    }

    /// Whether what was written before is in doubt as well. What cannot be read or be made anew concerns one file or folder; a
    /// write, a sync or a rename that fails is the device's word on all of it.
    pub fn leaves_in_doubt(&self) -> bool {
        let concerns_one =
            matches!(self.op, "open" | "read" | "list" | "look up" | "create folder");
        !concerns_one && !self.is_transient() && self.failure != DiskFailure::NotFound
    }
}
