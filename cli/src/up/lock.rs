//! One `vltava up` a data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

const FILE: &str = "up.lock";

/// Holds the folder until it is dropped; the system gives it free when the process dies, however it dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Why the folder cannot be held.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error(
        "{folder} is in use by another vltava up (process {pid}); stop it, or choose another folder with --data-dir"
    )]
    Held { folder: String, pid: String },
    #[error("cannot use {folder}: {reason}; choose another folder with --data-dir")]
    Unusable { folder: String, reason: String },
}

impl Lock {
    /// Takes `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be written.
    pub(crate) fn take(folder: &Path) -> Result<Self, LockError> {
        let shown = folder.display().to_string();
        let unusable = |error: std::io::Error| LockError::Unusable {
            folder: shown.clone(),
            reason: super::files::reason(&error),
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(FILE))
            .map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                let pid = if known { pid.trim().to_owned() } else { "unknown".to_owned() };
                return Err(LockError::Held { folder: shown, pid });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(unusable)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("data");
        let first = Lock::take(&inside).expect("free");
        let error = Lock::take(&inside).expect_err("held").to_string();
        let expected = format!(
            "{} is in use by another vltava up (process {}); stop it, or choose another folder with --data-dir",
            inside.display(),
            std::process::id()
        );
        assert_eq!(error, expected);
        drop(first);
        Lock::take(&inside).expect("free again");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data");
        std::fs::write(&path, "").expect("written");
        let error = Lock::take(&path).expect_err("no folder").to_string();
        assert!(error.contains("--data-dir"), "{error}");
    }
}
