use std::fs::File;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use fastrand::Rng;
use storage::{DiskError, DiskFile};

use super::{SECTOR_BYTES, SimDisk, State, stopped};

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Inode {
    /// As the running system sees it.
    pub(super) live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Inode {
    fn write(&mut self, offset: usize, data: Vec<u8>) {
        put(&mut self.live, offset, &data);
        self.pending.push(Change::Write(offset, data));
    }

    fn truncate(&mut self, len: usize) {
        self.live.resize(len, 0);
        self.pending.push(Change::Truncate(len));
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.live);
        self.pending.clear();
    }

    /// Some sectors of what was not synced reached the disk, in any order; the rest is what was there before.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        let mut content = std::mem::take(&mut self.durable);
        // How much the system had written back by itself differs from crash to crash.
        let written_back = rng.f64();
        for change in self.pending.drain(..) {
            match change {
                Change::Truncate(len) if rng.bool() => content.resize(len, 0),
                Change::Truncate(_) => {}
                Change::Write(offset, data) => {
                    let mut at = offset;
                    let end = offset + data.len();
                    while at < end {
                        let sector_end = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                        if rng.f64() < written_back {
                            put(&mut content, at, &data[at - offset..sector_end - offset]);
                        }
                        at = sector_end;
                    }
                }
            }
        }
        self.live.clone_from(&content);
        self.durable = content;
    }
}

fn put(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

/// An open file.
#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) life: u64,
    pub(super) path: PathBuf,
    pub(super) inode: usize,
}

impl SimFile {
    fn with<T>(
        &self,
        op: &'static str,
        work: impl FnOnce(&mut State) -> Result<T, io::Error>,
    ) -> Result<T, DiskError> {
        let state = &mut *self.disk.state.lock();
        state.call(op, &self.path)?;
        if state.life != self.life {
            return Err(DiskError::new(op, &self.path, stopped()));
        }
        work(state).map_err(|error| DiskError::new(op, &self.path, error))
    }
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl DiskFile for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.with("read", |state| {
            let content = &state.inodes[self.inode].live;
            let from = (offset as usize).min(content.len());
            let count = buf.len().min(content.len() - from);
            buf[..count].copy_from_slice(&content[from..from + count]);
            Ok(count)
        })
    }

    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> Result<Option<usize>, DiskError> {
        let cold = {
            let state = &mut *self.disk.state.lock();
            state.rng.u8(..100) < state.faults.cold_percent
        };
        if cold { Ok(None) } else { self.read_at(buf, offset).map(Some) }
    }

    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        self.with("write", |state| {
            let mut data: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
            let offset = offset as usize;
            let grows = (offset + data.len()).saturating_sub(state.inodes[self.inode].live.len());
            let free = state.faults.capacity.map(|capacity| capacity.saturating_sub(state.used()));
            let error = if state.faults.write_fails {
                Some(eio())
            } else if free.is_some_and(|free| grows as u64 > free) {
                Some(io::ErrorKind::StorageFull.into())
            } else {
                None
            };
            if error.is_some() {
                // A part may have been written.
                let part = state.rng.usize(..=data.len().min(free.unwrap_or(0) as usize));
                data.truncate(part);
            }
            state.inodes[self.inode].write(offset, data);
            error.map_or(Ok(()), Err)
        })
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.with("sync", |state| {
            if state.faults.sync_fails {
                // As on Linux: the pages are clean now, whatever the disk has of them.
                return Err(eio());
            }
            if !state.faults.sync_lies {
                state.inodes[self.inode].sync();
            }
            Ok(())
        })
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.with("truncate", |state| {
            state.inodes[self.inode].truncate(len as usize);
            Ok(())
        })
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.with("measure", |state| Ok(state.inodes[self.inode].live.len() as u64))
    }

    fn raw(&self) -> Option<Arc<File>> {
        None
    }
}
