//! The journal beside a sink's file: what makes the file hold every record once, whatever is killed.
//!
//! Beside `counts.txt` lies `.counts.txt.journal`. At each flush the file is made durable, and then the journal is
//! replaced, in one rename, by its length and the next offset of every partition; only then are the offsets committed to
//! Kafka. A task that starts and finds that the last one did not close the journal cuts the file back to that length and
//! begins at those offsets, so records that were written after the last flush are not there twice.
//!
//! The offsets that the consumer group has committed stay the authority. They lie, for each partition, between the last
//! commit that the journal knows to have gone well and the journal's own offset (when the worker died between journal
//! and commit); anything else means that a person or another worker has moved them, and then they are followed.
//!
//! Only one task at a time may write a file; a lock on it sees to that. A file that is moved away or removed while a task
//! writes it is closed, and a new one is begun in its place.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::api::{SinkOffsets, TopicPartition};

/// Longest journal that is read: far more partitions than one file takes.
const MAX_JOURNAL_BYTES: u64 = 16 << 20;

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    #[error("another connector's task writes {path}; each sink needs a file of its own")]
    Locked { path: PathBuf },
    #[error(
        "{path} is damaged ({why}); remove it to append to the file as it is, which may hold some records twice"
    )]
    Damaged { path: PathBuf, why: String },
}

/// The journal's content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Length of the file at the last flush, in bytes.
    length: u64,
    /// Whether a task has the file open for writing, so that it may be longer than `length`.
    open: bool,
    partitions: BTreeMap<String, Mark>,
}

/// The next offset of a partition at the last flush, and the last one that was known to be committed then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    next: i64,
    committed: Option<i64>,
}

impl Mark {
    /// Whether a committed offset may be what commits of this journal's flushes have left.
    fn explains(&self, committed: Option<i64>) -> bool {
        match committed {
            None => self.committed.is_none(),
            Some(committed) => {
                committed <= self.next && self.committed.is_none_or(|known| known <= committed)
            }
        }
    }
}

/// A file that is appended to, and its journal.
#[derive(Debug)]
pub struct JournaledFile {
    path: PathBuf,
    journal: PathBuf,
    file: File,
    state: State,
    /// Length of the file with everything that was appended.
    length: u64,
}

impl JournaledFile {
    /// Opens or creates the file; cuts off what the last task wrote after its last flush.
    ///
    /// # Errors
    /// When the file or its journal cannot be written, is damaged, or is in use.
    pub fn open(path: &Path) -> Result<JournaledFile, JournalError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let journal = path.with_file_name(format!(".{name}.journal"));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(at("create the folder", folder))?;
        }
        let (file, mut length) = open_locked(path)?;
        let mut state = load(&journal)?.unwrap_or_default();
        if state.open && length > state.length {
            tracing::info!(
                file = %path.display(),
                from = length,
                to = state.length,
                "cutting off what was written after the last flush; it will be written again"
            );
            file.set_len(state.length).map_err(at("truncate", path))?;
            length = state.length;
        }
        if length < state.length {
            tracing::warn!(
                file = %path.display(),
                length,
                journal = state.length,
                "the file is shorter than it was left; appending to it as it is"
            );
        }
        state.length = length;
        state.open = true;
        let opened = JournaledFile { path: path.to_owned(), journal, file, state, length };
        opened.save()?;
        Ok(opened)
    }

    /// Where to begin in a partition when it is not the committed offset: at the journal's, when that is ahead.
    pub fn start(&mut self, partition: &TopicPartition, committed: Option<i64>) -> Option<i64> {
        let key = partition.to_string();
        if let Some(mark) = self.state.partitions.get(&key) {
            if committed == Some(mark.next) {
                return None;
            }
            if mark.explains(committed) {
                return Some(mark.next);
            }
            tracing::info!(
                file = %self.path.display(),
                %partition,
                journal = mark.next,
                committed,
                "the committed offset was moved; following it"
            );
        }
        match committed {
            Some(next) => self.state.partitions.insert(key, Mark { next, committed }),
            None => self.state.partitions.remove(&key),
        };
        None
    }

    /// Begins a new file where the old one was moved away or removed.
    fn follow_path(&mut self) -> Result<(), JournalError> {
        let open = self.file.metadata().map_err(at("read", &self.path))?;
        let same = match std::fs::metadata(&self.path) {
            Ok(there) => (there.dev(), there.ino()) == (open.dev(), open.ino()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            Err(e) => return Err(at("read", &self.path)(e)),
        };
        if same {
            return Ok(());
        }
        tracing::info!(file = %self.path.display(), "the file was moved away; beginning a new one");
        self.file.sync_data().map_err(at("flush", &self.path))?;
        (self.file, self.length) = open_locked(&self.path)?;
        self.state.length = self.length;
        self.save()
    }

    /// Appends bytes. On an error nothing of them stays in the file.
    ///
    /// # Errors
    /// When they cannot be written, for example because the disk is full.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        self.follow_path()?;
        if let Err(source) = self.file.write_all(bytes) {
            // Half a line must not stay; if even this fails, the next start cuts the file.
            let _ = self.file.set_len(self.length);
            return Err(JournalError::Io { what: "write", path: self.path.clone(), source });
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Makes everything durable and remembers these offsets with it.
    ///
    /// # Errors
    /// When it cannot be made durable. The file must then be opened anew.
    pub fn flush(&mut self, offsets: &SinkOffsets) -> Result<(), JournalError> {
        let moved = offsets.iter().any(|(partition, next)| {
            self.state.partitions.get(&partition.to_string()).is_none_or(|mark| mark.next != *next)
        });
        if !moved && self.length == self.state.length {
            return Ok(());
        }
        self.file.sync_data().map_err(at("flush", &self.path))?;
        self.state.length = self.length;
        for (partition, next) in offsets {
            self.state.partitions.entry(partition.to_string()).or_default().next = *next;
        }
        self.save()
    }

    /// Takes note that these offsets were committed; the next flush, or closing, writes it down.
    pub fn committed(&mut self, offsets: &SinkOffsets) {
        for (partition, offset) in offsets {
            if let Some(mark) = self.state.partitions.get_mut(&partition.to_string()) {
                mark.committed = Some(*offset);
            }
        }
    }

    /// Forgets what was appended after the last flush and says that the file is complete.
    ///
    /// # Errors
    /// When the file or its journal cannot be written.
    pub fn close(mut self) -> Result<(), JournalError> {
        if self.length > self.state.length {
            self.file.set_len(self.state.length).map_err(at("truncate", &self.path))?;
        }
        self.state.open = false;
        self.save()
    }

    fn save(&self) -> Result<(), JournalError> {
        let temporary = self.journal.with_extension("journal.new");
        let json = serde_json::to_vec(&self.state).map_err(|e| JournalError::Damaged {
            path: self.journal.clone(),
            why: e.to_string(),
        })?;
        let write = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(&json)?;
            file.sync_data()?;
            std::fs::rename(&temporary, &self.journal)?;
            match self.journal.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
                _ => Ok(()),
            }
        };
        write().map_err(at("write", &self.journal))
    }
}

fn at<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> JournalError + 'a {
    move |source| JournalError::Io { what, path: path.to_owned(), source }
}

/// Opens a file for appending, with its length; nobody else has it open in this way.
fn open_locked(path: &Path) -> Result<(File, u64), JournalError> {
    let file = File::options().append(true).create(true).open(path).map_err(at("write", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(JournalError::Locked { path: path.to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(at("lock", path)(source)),
    }
    let length = file.metadata().map_err(at("read", path))?.len();
    Ok((file, length))
}

fn load(journal: &Path) -> Result<Option<State>, JournalError> {
    let damaged = |why: String| JournalError::Damaged { path: journal.to_owned(), why };
    let length = match std::fs::metadata(journal) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(at("read", journal)(e)),
    };
    if length > MAX_JOURNAL_BYTES {
        return Err(damaged(format!("it has {length} bytes")));
    }
    let bytes = std::fs::read(journal).map_err(at("read", journal))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| damaged(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(next: i64) -> SinkOffsets {
        SinkOffsets::from([(TopicPartition::new("t", 0), next)])
    }

    fn start(file: &mut JournaledFile, committed: Option<i64>) -> Option<i64> {
        file.start(&TopicPartition::new("t", 0), committed)
    }

    #[test]
    fn what_was_written_after_the_last_flush_is_cut_off_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new").join("out.txt");
        let mut file = JournaledFile::open(&path).unwrap();
        file.append(b"one\n").unwrap();
        file.flush(&offsets(1)).unwrap();
        file.append(b"two\nhal").unwrap();
        drop(file); // as a kill does: no close

        let mut file = JournaledFile::open(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
        assert_eq!(start(&mut file, None), Some(1), "killed between journal and first commit");
        assert_eq!(start(&mut file, Some(1)), None, "the commit is the same");
        assert_eq!(start(&mut file, Some(2)), None, "somebody moved the offsets");
    }

    #[test]
    fn a_kill_between_journal_and_commit_goes_on_from_the_journal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        let mut file = JournaledFile::open(&path).unwrap();
        for (line, next) in [(b"one\n", 5), (b"two\n", 8)] {
            file.append(line).unwrap();
            file.flush(&offsets(next)).unwrap();
            file.committed(&offsets(next));
        }
        // This flush is committed with an answer that never comes.
        file.append(b"333\n").unwrap();
        file.flush(&offsets(9)).unwrap();
        drop(file);
        for (committed, begin) in
            [(Some(8), Some(9)), (Some(9), None), (Some(7), None), (Some(10), None), (None, None)]
        {
            let mut file = JournaledFile::open(&path).unwrap();
            assert_eq!(start(&mut file, committed), begin, "{committed:?}");
        }
        let mut file = JournaledFile::open(&path).unwrap();
        assert_eq!(file.start(&TopicPartition::new("t", 1), Some(5)), None);
    }

    #[test]
    fn after_a_clean_close_every_other_offset_was_moved_by_somebody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        let mut file = JournaledFile::open(&path).unwrap();
        for next in [5, 8] {
            file.append(b"line\n").unwrap();
            file.flush(&offsets(next)).unwrap();
            file.committed(&offsets(next));
        }
        file.close().unwrap();
        for committed in [Some(5), Some(7), Some(8), None] {
            let mut file = JournaledFile::open(&path).unwrap();
            assert_eq!(start(&mut file, committed), None, "{committed:?}");
        }
    }

    #[test]
    fn what_a_person_appends_after_a_clean_stop_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        let mut file = JournaledFile::open(&path).unwrap();
        file.append(b"one\n").unwrap();
        file.flush(&offsets(1)).unwrap();
        file.append(b"unflushed\n").unwrap();
        file.close().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one\n");
        std::fs::write(&path, "one\nby hand\n").unwrap();
        drop(JournaledFile::open(&path).unwrap());
        drop(JournaledFile::open(&path).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nby hand\n");
    }

    #[test]
    fn a_file_that_is_moved_away_is_followed_by_a_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        let mut file = JournaledFile::open(&path).unwrap();
        file.append(b"one\n").unwrap();
        std::fs::rename(&path, dir.path().join("out.1")).unwrap();
        file.append(b"two\n").unwrap();
        file.flush(&offsets(2)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
        std::fs::remove_file(&path).unwrap();
        file.append(b"three\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three\n");
    }

    #[test]
    fn a_second_writer_and_a_damaged_journal_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.txt");
        let file = JournaledFile::open(&path).unwrap();
        let error = JournaledFile::open(&path).unwrap_err();
        assert!(matches!(error, JournalError::Locked { .. }), "{error}");
        drop(file);
        std::fs::write(dir.path().join(".out.txt.journal"), "{").unwrap();
        let error = JournaledFile::open(&path).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}
