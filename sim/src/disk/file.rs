//! An open file of a [`super::SimDisk`].

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::{DiskError, DiskFile};

use super::{Change, Content, State};

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) inode: u64,
    pub(super) boot: u64,
    pub(super) path: PathBuf,
    pub(super) writable: bool,
}

impl SimFile {
    /// Runs `f` on the file's content, unless the machine has crashed since it was opened.
    fn with<T>(
        &self,
        op: &'static str,
        f: impl FnOnce(&mut Content) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let mut state = self.state.lock();
        let state = state.call(op, &self.path)?;
        let result = if state.boot == self.boot {
            // A file that has no name any more still has its content for those who hold it.
            f(state.inodes.entry(self.inode).or_default())
        } else {
            Err(io::Error::other("opened before the crash"))
        };
        result.map_err(|source| DiskError::new(op, &self.path, source))
    }

    fn check_writable(&self, op: &'static str) -> Result<(), DiskError> {
        if self.writable {
            return Ok(());
        }
        Err(DiskError::new(op, &self.path, io::ErrorKind::PermissionDenied.into()))
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.with("read", |content| {
            let rest = content.current.get(offset as usize..).unwrap_or_default();
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> Result<Option<usize>, DiskError> {
        let cold = {
            let state = &mut *self.state.lock();
            state.random.u8(..100) < state.cold_percent
        };
        if cold { Ok(None) } else { self.read_at(buf, offset).map(Some) }
    }

    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        self.check_writable("write")?;
        let bytes: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let (room, fails) = {
            let state = self.state.lock();
            (state.capacity_bytes.saturating_sub(state.used_bytes()), state.writes_fail)
        };
        self.with("write", |content| {
            if fails {
                return Err(io::Error::from_raw_os_error(5));
            }
            let grows = (offset as usize + bytes.len()).saturating_sub(content.current.len());
            if grows > room {
                // A real disk may have taken a part before it was full.
                let part = bytes[..bytes.len().saturating_sub(grows)].to_vec();
                content.change(Change::Write { offset: offset as usize, bytes: part });
                return Err(io::ErrorKind::StorageFull.into());
            }
            content.change(Change::Write { offset: offset as usize, bytes });
            Ok(())
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        let (works, fails) = {
            let state = &mut *self.state.lock();
            let fails = state.failing_syncs > 0;
            state.has_failed |= fails;
            state.failing_syncs = state.failing_syncs.saturating_sub(1);
            (state.sync_works, fails)
        };
        self.with("sync", |content| {
            if fails {
                return Err(io::Error::from_raw_os_error(5));
            }
            if works {
                content.sync();
            }
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.check_writable("truncate")?;
        self.with("truncate", |content| {
            content.change(Change::Truncate(len as usize));
            Ok(())
        })
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.with("stat", |content| Ok(content.current.len() as u64))
    }

    fn raw(&self) -> Option<Arc<File>> {
        None
    }
}
