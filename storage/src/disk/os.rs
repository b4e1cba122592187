use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::{Errno, ReadWriteFlags};

use super::{Disk, DiskError, DiskFile, OpenMode};

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsDisk;

#[derive(Debug)]
struct OsFile {
    file: Arc<File>,
    path: PathBuf,
}

impl Disk for OsDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create(true).truncate(false);
            }
        }
        let file = options.open(path).map_err(|e| DiskError::new("open", path, e))?;
        Ok(Arc::new(OsFile { file: Arc::new(file), path: path.to_owned() }))
    }

    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        missing_is_fine(fs::remove_file(path)).map_err(|e| DiskError::new("remove", path, e))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        fs::rename(from, to).map_err(|e| DiskError::new("rename", from, e))
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        let failed = |e| DiskError::new("list", dir, e);
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(failed)? {
            // A name that is not UTF-8 cannot be one of ours.
            if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        path.try_exists().map_err(|e| DiskError::new("look up", path, e))
    }

    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        fs::create_dir_all(dir).map_err(|e| DiskError::new("create folder", dir, e))
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError> {
        missing_is_fine(fs::remove_dir_all(dir))
            .map_err(|e| DiskError::new("remove folder", dir, e))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|e| DiskError::new("sync folder", dir, e))
    }
}

fn missing_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl OsFile {
    fn failed(&self, op: &'static str) -> impl Fn(io::Error) -> DiskError + '_ {
        move |e| DiskError::new(op, &self.path, e)
    }
}

impl DiskFile for OsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        loop {
            match self.file.read_at(buf, offset) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map_err(self.failed("read")),
            }
        }
    }

    fn read_cached_at(&self, buf: &mut [u8], offset: u64) -> Result<Option<usize>, DiskError> {
        let bufs = &mut [IoSliceMut::new(buf)];
        match rustix::io::preadv2(&*self.file, bufs, offset, ReadWriteFlags::NOWAIT) {
            Ok(n) => Ok(Some(n)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            // A file system without RWF_NOWAIT: nothing to learn, so do the plain read.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.read_at(buf, offset).map(Some)
            }
            Err(e) => Err(self.failed("read")(e.into())),
        }
    }

    fn write_at(&self, mut bufs: &mut [IoSlice<'_>], mut offset: u64) -> Result<(), DiskError> {
        IoSlice::advance_slices(&mut bufs, 0);
        while !bufs.is_empty() {
            match rustix::io::pwritev(&*self.file, bufs, offset) {
                Ok(0) => return Err(self.failed("write")(io::ErrorKind::WriteZero.into())),
                Ok(n) => {
                    IoSlice::advance_slices(&mut bufs, n);
                    offset += n as u64;
                }
                Err(Errno::INTR) => {}
                Err(e) => return Err(self.failed("write")(e.into())),
            }
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(self.failed(super::error::SYNC))
    }

    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file.set_len(len).map_err(self.failed("truncate"))
    }

    fn allocate(&self, bytes: u64) -> Result<(), DiskError> {
        let flags = rustix::fs::FallocateFlags::empty();
        loop {
            match rustix::fs::fallocate(&*self.file, flags, 0, bytes) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    return super::allocate_by_writing(self, bytes);
                }
                Err(e) => return Err(self.failed("allocate")(e.into())),
            }
        }
    }

    fn len(&self) -> Result<u64, DiskError> {
        self.file.metadata().map(|m| m.len()).map_err(self.failed("measure"))
    }

    fn raw(&self) -> Option<Arc<File>> {
        Some(self.file.clone())
    }
}
