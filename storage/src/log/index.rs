//! Sparse indexes: sorted entries of fixed size, one about every `index.interval.bytes` of log.
//!
//! New entries wait in memory and are written many at a time: an entry a batch would double the system calls
//! of an append. What is lost in a crash is rebuilt by recovery. Lookups are plain reads: no `mmap`.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Disk, DiskError, DiskFile, OpenMode};

/// Entries that wait in memory before they are written.
const PENDING_ENTRIES: usize = 512;

/// An entry of an index file, big-endian.
pub(super) trait Entry: Copy + std::fmt::Debug {
    const BYTES: usize;
    /// What the index is sorted by.
    fn key(&self) -> i64;
    fn put(&self, out: &mut Vec<u8>);
    fn get(bytes: &[u8]) -> Self;
}

/// `.index`: a batch's last offset, less the segment's base offset, and where the batch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetEntry {
    pub(super) relative_offset: u32,
    pub(super) position: u32,
}

impl Entry for OffsetEntry {
    const BYTES: usize = 8;
    fn key(&self) -> i64 {
        i64::from(self.relative_offset)
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
    }
    fn get(bytes: &[u8]) -> Self {
        Self { relative_offset: u32_at(bytes, 0), position: u32_at(bytes, 4) }
    }
}

/// `.timeindex`: the largest timestamp so far and the last offset (relative) of the batch that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TimeEntry {
    pub(super) timestamp: i64,
    pub(super) relative_offset: u32,
}

impl Entry for TimeEntry {
    const BYTES: usize = 12;
    fn key(&self) -> i64 {
        self.timestamp
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
    }
    fn get(bytes: &[u8]) -> Self {
        let high = i64::from(u32_at(bytes, 0)) << 32;
        Self { timestamp: high | i64::from(u32_at(bytes, 4)), relative_offset: u32_at(bytes, 8) }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// One index file and the entries that are not in it yet.
///
/// It is opened for each write, of hundreds of entries, and closed again. An error of the system's own late write reaches the
/// sync in [`SparseIndex::seal`] though another handle wrote: Linux tells it to whoever opens the file next, as long as
/// nobody has heard of it (`errseq_t`) and the inode is in memory.
#[derive(Debug)]
pub(super) struct SparseIndex<E> {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// For lookups, from the first one on.
    reader: Option<Arc<dyn DiskFile>>,
    written: u64,
    pending: Vec<E>,
    last: Option<E>,
}

impl<E: Entry> SparseIndex<E> {
    /// An empty index; a file that is there is cut to nothing at the first write.
    pub(super) fn empty(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path, reader: None, written: 0, pending: Vec::new(), last: None }
    }

    /// The index as the file has it; `None` when there is no file or it is no whole number of entries.
    pub(super) fn load(disk: Arc<dyn Disk>, path: PathBuf) -> Result<Option<Self>, DiskError> {
        if !disk.exists(&path)? {
            return Ok(None);
        }
        let file = disk.open(&path, OpenMode::Read)?;
        let len = file.len()?;
        if len % E::BYTES as u64 != 0 {
            return Ok(None);
        }
        let written = len / E::BYTES as u64;
        let last = match written.checked_sub(1) {
            Some(last) => Some(read_entry(&*file, last)?),
            None => None,
        };
        Ok(Some(Self { disk, path, reader: None, written, pending: Vec::new(), last }))
    }

    pub(super) fn last(&self) -> Option<E> {
        self.last
    }

    pub(super) fn bytes(&self) -> u64 {
        (self.written + self.pending.len() as u64) * E::BYTES as u64
    }

    pub(super) fn push(&mut self, entry: E) -> Result<(), DiskError> {
        if self.pending.len() >= PENDING_ENTRIES {
            let file = self.writer()?;
            self.write(&*file)?;
        }
        self.pending.push(entry);
        self.last = Some(entry);
        Ok(())
    }

    /// Opens the file for writing, making it if it is missing, and drops what is in it from elsewhere.
    fn writer(&self) -> Result<Arc<dyn DiskFile>, DiskError> {
        let file = self.disk.open(&self.path, OpenMode::Create)?;
        let len = self.written * E::BYTES as u64;
        if file.len()? != len {
            file.truncate(len)?;
        }
        Ok(file)
    }

    /// Writes the entries that wait.
    fn write(&mut self, file: &dyn DiskFile) -> Result<(), DiskError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut buf = Vec::with_capacity(self.pending.len() * E::BYTES);
        for entry in &self.pending {
            entry.put(&mut buf);
        }
        file.write_at(&mut [IoSlice::new(&buf)], self.written * E::BYTES as u64)?;
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Writes what waits and makes it durable.
    pub(super) fn seal(&mut self) -> Result<(), DiskError> {
        let file = self.writer()?;
        self.write(&*file)?;
        self.pending.shrink_to_fit();
        file.sync()
    }

    /// Lets go of the file until the next lookup.
    pub(super) fn close(&mut self) {
        self.reader = None;
    }

    /// The last entry whose key is not above `key`. `Ok(None)`: reading would have to wait for the disk.
    pub(super) fn floor(&mut self, key: i64, cached: bool) -> Result<Option<Option<E>>, DiskError> {
        self.last_of(|entry| entry.key() <= key, cached)
    }

    /// The last of the entries at the beginning that `within` takes, which takes none after the first that it refuses. `Ok(None)`:
    /// reading would have to wait for the disk.
    pub(super) fn last_of(
        &mut self,
        within: impl Fn(&E) -> bool,
        cached: bool,
    ) -> Result<Option<Option<E>>, DiskError> {
        if self.pending.first().is_some_and(&within) {
            let count = self.pending.partition_point(&within);
            return Ok(Some(count.checked_sub(1).map(|i| self.pending[i])));
        }
        if self.written == 0 {
            return Ok(Some(None));
        }
        let file = match &self.reader {
            Some(file) => file.clone(),
            None if cached => return Ok(None),
            None => self.reader.insert(self.disk.open_kept(&self.path, OpenMode::Read)?).clone(),
        };
        let (mut low, mut high) = (0, self.written);
        let mut found = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let entry: E = if cached {
                match read_entry_cached(&*file, middle)? {
                    Some(entry) => entry,
                    None => return Ok(None),
                }
            } else {
                read_entry(&*file, middle)?
            };
            if within(&entry) {
                found = Some(entry);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Some(found))
    }

    /// Drops the entries from the first one on that `keep` refuses.
    pub(super) fn truncate(&mut self, keep: impl Fn(&E) -> bool) -> Result<(), DiskError> {
        if self.written == 0 && self.pending.is_empty() {
            return Ok(());
        }
        let file = self.writer()?;
        self.write(&*file)?;
        while self.written > 0 {
            let entry = read_entry(&*file, self.written - 1)?;
            if keep(&entry) {
                self.last = Some(entry);
                break;
            }
            self.written -= 1;
        }
        if self.written == 0 {
            self.last = None;
        }
        file.truncate(self.written * E::BYTES as u64)
    }
}

fn read_entry<E: Entry>(file: &dyn DiskFile, index: u64) -> Result<E, DiskError> {
    let mut buf = [0; 16];
    // A short read leaves zeros: an index is a hint, the batches that it points to are checked.
    file.read_at(&mut buf[..E::BYTES], index * E::BYTES as u64)?;
    Ok(E::get(&buf))
}

fn read_entry_cached<E: Entry>(file: &dyn DiskFile, index: u64) -> Result<Option<E>, DiskError> {
    let mut buf = [0; 16];
    let read = file.read_cached_at(&mut buf[..E::BYTES], index * E::BYTES as u64)?;
    Ok(read.map(|_| E::get(&buf)))
}
