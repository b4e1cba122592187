//! [`BoundedDisk`] over a disk that counts descriptors and has only so many.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[derive(Debug)]
struct Counting {
    open: Arc<AtomicUsize>,
    limit: usize,
}

#[derive(Debug)]
struct Counted {
    file: Arc<dyn DiskFile>,
    open: Arc<AtomicUsize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Disk for Counting {
    fn open(&self, path: &Path, mode: OpenMode) -> Result<Arc<dyn DiskFile>, DiskError> {
        if self.open.load(Ordering::Relaxed) >= self.limit {
            let error = io::Error::from(rustix::io::Errno::MFILE);
            return Err(DiskError::new("open", path, error));
        }
        let file = OsDisk.open(path, mode)?;
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(Counted { file, open: Arc::clone(&self.open) }))
    }
    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        OsDisk.remove(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        OsDisk.rename(from, to)
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        OsDisk.list(dir)
    }
    fn exists(&self, path: &Path) -> Result<bool, DiskError> {
        OsDisk.exists(path)
    }
    fn create_dir(&self, dir: &Path) -> Result<(), DiskError> {
        OsDisk.create_dir(dir)
    }
    fn remove_dir(&self, dir: &Path) -> Result<(), DiskError> {
        OsDisk.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        OsDisk.sync_dir(dir)
    }
}

impl DiskFile for Counted {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.file.read_at(buf, offset)
    }
    fn write_at(&self, bufs: &mut [IoSlice<'_>], offset: u64) -> Result<(), DiskError> {
        self.file.write_at(bufs, offset)
    }
    fn sync(&self) -> Result<(), DiskError> {
        self.file.sync()
    }
    fn truncate(&self, len: u64) -> Result<(), DiskError> {
        self.file.truncate(len)
    }
    fn len(&self) -> Result<u64, DiskError> {
        self.file.len()
    }
    fn raw(&self) -> Option<Arc<File>> {
        self.file.raw()
    }
}

struct Fixture {
    dir: tempfile::TempDir,
    disk: BoundedDisk,
    open: Arc<AtomicUsize>,
}

fn fixture(capacity: usize, limit: usize) -> Fixture {
    let open = Arc::new(AtomicUsize::new(0));
    let counting = Counting { open: Arc::clone(&open), limit };
    let disk = BoundedDisk::new(Arc::new(counting), capacity);
    Fixture { dir: tempfile::tempdir().unwrap(), disk, open }
}

impl Fixture {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str) -> Arc<dyn DiskFile> {
        self.disk.open_kept(&self.path(name), OpenMode::Create).unwrap()
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

fn write(file: &dyn DiskFile, text: &str) {
    file.write_at(&mut [IoSlice::new(text.as_bytes())], 0).unwrap();
}

fn read(file: &dyn DiskFile) -> Result<String, DiskError> {
    let mut buf = [0; 16];
    let len = file.read_at(&mut buf, 0)?;
    Ok(String::from_utf8_lossy(&buf[..len]).into_owned())
}

#[test]
fn many_files_are_held_with_few_open() {
    let on = fixture(4, usize::MAX);
    let files: Vec<_> = (0..100).map(|i| on.file(&format!("f{i}"))).collect();
    for round in 0..3 {
        for (i, file) in files.iter().enumerate() {
            write(&**file, &format!("{round} {i}"));
            file.sync().unwrap();
        }
        for (i, file) in files.iter().enumerate() {
            assert_eq!(read(&**file).unwrap(), format!("{round} {i}"));
        }
        assert!(on.open() <= 6, "{} are open", on.open());
        assert_eq!(on.disk.open_count(), on.open());
    }
    drop(files);
    assert_eq!(on.open(), 0);
    assert!(on.disk.shared_names().is_empty());
}

#[test]
fn what_is_not_synced_stays_open() {
    let on = fixture(2, usize::MAX);
    let dirty: Vec<_> = (0..10).map(|i| on.file(&format!("d{i}"))).collect();
    dirty.iter().for_each(|file| write(&**file, "new"));
    let clean: Vec<_> = (0..10).map(|i| on.file(&format!("c{i}"))).collect();
    assert!((10..14).contains(&on.open()), "{} are open", on.open());
    let mut buf = [0; 3];
    assert!(dirty.iter().all(|file| file.read_cached_at(&mut buf, 0).unwrap() == Some(3)));
    dirty.iter().for_each(|file| file.sync().unwrap());
    clean.iter().for_each(|file| assert_eq!(file.len().unwrap(), 0));
    assert!(on.open() <= 4, "{} are open", on.open());
}

#[test]
fn a_read_that_must_not_wait_opens_nothing() {
    let on = fixture(1, usize::MAX);
    let (first, second) = (on.file("a"), on.file("b"));
    write(&*first, "first");
    first.sync().unwrap();
    second.len().unwrap();
    on.file("c").len().unwrap();
    let mut buf = [0; 5];
    assert_eq!(first.read_cached_at(&mut buf, 0).unwrap(), None);
    assert_eq!(first.read_at(&mut buf, 0).unwrap(), 5);
    assert_eq!(first.read_cached_at(&mut buf, 0).unwrap(), Some(5));
    assert!(first.raw().is_some());
}

#[test]
fn a_closed_file_is_not_taken_for_another_of_its_name() {
    let on = fixture(1, usize::MAX);
    let other = on.file("other");
    let closed = |name: &str| {
        let file = on.file(name);
        write(&*file, "old");
        file.sync().unwrap();
        // Twice: the first use only takes its mark away.
        on.file("x").len().unwrap();
        other.len().unwrap();
        file
    };
    on.disk.create_dir(&on.path("t-0")).unwrap();
    let (removed, moved) = (closed("removed"), closed("t-0/log"));
    on.disk.remove(&on.path("removed")).unwrap();
    on.disk.rename(&on.path("t-0"), &on.path("t-0.gone")).unwrap();
    on.disk.create_dir(&on.path("t-0")).unwrap();
    let (again, made) = (on.file("removed"), on.file("t-0/log"));
    write(&*again, "new");
    write(&*made, "new");
    for gone in [&removed, &moved] {
        assert_eq!(read(&**gone).unwrap_err().failure, DiskFailure::NotFound);
        gone.sync().expect("there is nothing that could be synced");
    }
    on.disk.remove(&on.path("removed")).unwrap();
    assert_eq!(read(&*again).unwrap(), "new", "who has it open keeps it");
}

#[test]
fn a_file_is_made_by_the_first_call_and_never_again() {
    let on = fixture(4, 1);
    let file = on.disk.create_kept(&on.path("new")).unwrap();
    assert!(!on.path("new").exists() && on.open() == 0);
    let mut buf = [0; 3];
    assert_eq!(file.read_cached_at(&mut buf, 0).unwrap(), None);
    write(&*file, "new");
    file.sync().unwrap();
    assert_eq!(std::fs::read(on.path("new")).unwrap(), b"new");
    on.file("other").len().expect("the first is closed for it");
    std::fs::remove_file(on.path("new")).unwrap();
    assert_eq!(read(&*file).unwrap_err().failure, DiskFailure::NotFound);
    assert!(!on.path("new").exists(), "an empty file would hide the loss");
}

#[test]
fn descriptors_are_found_when_there_are_none() {
    let on = fixture(100, 8);
    let files: Vec<_> = (0..50).map(|i| on.file(&format!("f{i}"))).collect();
    on.disk.open(&on.path("f0"), OpenMode::Read).expect("another is closed for it");
    for (i, file) in files.iter().enumerate().take(8) {
        write(&**file, &i.to_string());
    }
    let error = on.disk.open_kept(&on.path("f9"), OpenMode::Write).unwrap_err();
    assert_eq!(error.failure, DiskFailure::Descriptors);
    assert!(error.to_string().contains("ulimit -n"), "{error}");
    files[0].sync().unwrap();
    files[9].len().expect("the synced one is closed for it");
}

#[test]
fn threads_share_files() {
    let on = fixture(3, usize::MAX);
    let files: Vec<_> = (0..12).map(|i| on.file(&format!("f{i}"))).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let files = &files;
            scope.spawn(move || {
                for i in 0..3_000 {
                    let file = &files[(i * 7 + thread) % files.len()];
                    let at = (thread * 8) as u64;
                    file.write_at(&mut [IoSlice::new(&(i as u64).to_be_bytes())], at).unwrap();
                    let mut buf = [0; 8];
                    file.read_at(&mut buf, at).unwrap();
                    assert_eq!(u64::from_be_bytes(buf), i as u64);
                    if i % 50 == 0 {
                        file.sync().unwrap();
                    }
                }
            });
        }
    });
    files.iter().for_each(|file| file.sync().unwrap());
    on.file("last").len().unwrap();
    on.file("one more").len().unwrap();
    assert!(on.open() <= 6, "{} are open", on.open());
}
