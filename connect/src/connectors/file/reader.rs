//! Follows a text file: complete lines from a byte position on, as they are appended.
//!
//! What counts as the same file: one whose bytes just before the position are still those that were read. So a file may
//! be replaced by an edited copy (as editors do) and be followed on. A file that is shorter than the position, or
//! different before it, is a new file and is read from its start; that is told in the log. A truncation is believed only
//! when it lasts for a second look ([`FileReader::read`] called again), because editors truncate before they write.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

/// Longest line. A longer one fails the task: it would not fit into a record anyway.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// How much is read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// How many bytes before the position are compared to tell whether a file is still the same.
const MEMORY_BYTES: usize = 1 << 10;

/// Why a file cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is no regular file; name a text file")]
    NotAFile { path: PathBuf },
    #[error(
        "the line at byte {position} of {path} is longer than {MAX_LINE_BYTES} bytes; is this a text file?"
    )]
    LineTooLong { path: PathBuf, position: u64 },
}

/// A line without its ending, and the position after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub bytes: Bytes,
    pub end: u64,
}

/// Why a read delivered no more lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// There may be more.
    More,
    /// The end of the file; so many bytes of a line without an ending wait there.
    End { unfinished: usize },
    /// There is no such file.
    Missing,
}

/// Follows one file.
#[derive(Debug)]
pub struct FileReader {
    path: PathBuf,
    file: Option<File>,
    /// After the last line that was delivered.
    position: u64,
    /// What was read after the position.
    buffer: BytesMut,
    /// Up to where `buffer` is known to hold no line ending.
    searched: usize,
    /// The last bytes before the position, as far as they were read by this reader.
    memory: Vec<u8>,
    /// The last look saw another file.
    doubts: bool,
}

impl FileReader {
    pub fn new(path: &Path, position: u64) -> FileReader {
        FileReader {
            path: path.to_owned(),
            file: None,
            position,
            buffer: BytesMut::new(),
            searched: 0,
            memory: Vec::new(),
            doubts: false,
        }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next complete lines, at most `max`. A missing file is no error; an unreadable one is.
    ///
    /// # Errors
    /// When the file cannot be read or holds a line longer than [`MAX_LINE_BYTES`].
    pub fn read(&mut self, max: usize) -> Result<(Vec<Line>, Seen), ReadError> {
        if !self.open()? {
            return Ok((Vec::new(), Seen::Missing));
        }
        let mut lines = Vec::new();
        let mut checked = false;
        loop {
            while let Some(line) = self.take_line() {
                lines.push(line);
                if lines.len() >= max {
                    return Ok((lines, Seen::More));
                }
            }
            if !checked && !self.is_same()? {
                return Ok((lines, Seen::More));
            }
            checked = true;
            if !self.fill()? {
                let unfinished = self.buffer.len();
                if unfinished <= CHUNK_BYTES {
                    // Read again at the next look: until its end is written, a line may still change.
                    self.forget_buffer();
                }
                return Ok((lines, Seen::End { unfinished }));
            }
        }
    }

    /// Opens the file if it is not open, or if another one has taken its name. False when there is none.
    fn open(&mut self) -> Result<bool, ReadError> {
        let there = match std::fs::metadata(&self.path) {
            Ok(there) if !there.is_file() => {
                return Err(ReadError::NotAFile { path: self.path.clone() });
            }
            Ok(there) => Some(there),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(self.io(e)),
        };
        let open = match &self.file {
            Some(open) => Some(open.metadata().map_err(|e| self.io(e))?),
            None => None,
        };
        let same = match (&there, &open) {
            (Some(there), Some(open)) => (open.dev(), open.ino()) == (there.dev(), there.ino()),
            (None, None) => return Ok(false),
            _ => false,
        };
        // A file that was renamed or removed is read to its end first.
        if same || (open.is_some() && self.has_unread()?) {
            return Ok(true);
        }
        self.forget_buffer();
        self.file = match File::open(&self.path) {
            Ok(file) => Some(file),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(self.io(e)),
        };
        Ok(self.file.is_some())
    }

    /// Whether the open file holds complete lines that were not delivered yet.
    fn has_unread(&mut self) -> Result<bool, ReadError> {
        while !self.has_line() {
            if !self.fill()? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has_line(&mut self) -> bool {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        self.searched = found.map_or(self.buffer.len(), |at| self.searched + at);
        found.is_some()
    }

    fn take_line(&mut self) -> Option<Line> {
        if !self.has_line() {
            return None;
        }
        let mut bytes = self.buffer.split_to(self.searched + 1).freeze();
        self.searched = 0;
        self.position += bytes.len() as u64;
        self.remember(&bytes);
        bytes.truncate(bytes.len() - 1);
        if bytes.last() == Some(&b'\r') {
            bytes.truncate(bytes.len() - 1);
        }
        Some(Line { bytes, end: self.position })
    }

    fn remember(&mut self, bytes: &[u8]) {
        self.memory.extend_from_slice(&bytes[bytes.len().saturating_sub(MEMORY_BYTES)..]);
        if self.memory.len() > 8 * MEMORY_BYTES {
            let surplus = self.memory.len() - MEMORY_BYTES;
            self.memory.drain(..surplus);
        }
    }

    /// Reads more into the buffer. False at the end of the file.
    fn fill(&mut self) -> Result<bool, ReadError> {
        if self.buffer.len() > MAX_LINE_BYTES {
            return Err(ReadError::LineTooLong {
                path: self.path.clone(),
                position: self.position,
            });
        }
        let Some(file) = &self.file else { return Ok(false) };
        let old = self.buffer.len();
        self.buffer.resize(old + CHUNK_BYTES, 0);
        let read = read_at(file, &mut self.buffer[old..], self.position + old as u64);
        self.buffer.truncate(old + read.as_ref().copied().unwrap_or(0));
        Ok(read.map_err(|e| self.io(e))? > 0)
    }

    /// Whether the open file still is what was read so far. Where it is not, the reader goes back to the start.
    fn is_same(&mut self) -> Result<bool, ReadError> {
        let Some(file) = &self.file else { return Ok(false) };
        let length = file.metadata().map_err(|e| self.io(e))?.len();
        let memory = &self.memory[self.memory.len().saturating_sub(MEMORY_BYTES)..];
        let unchanged = length >= self.position && {
            let mut before = vec![0; memory.len()];
            let from = self.position - memory.len() as u64;
            let read = read_at(file, &mut before, from).map_err(|e| self.io(e))?;
            read == before.len() && before == memory
        };
        if unchanged {
            self.doubts = false;
            return Ok(true);
        }
        self.forget_buffer();
        if !std::mem::replace(&mut self.doubts, true) {
            return Ok(false);
        }
        tracing::warn!(
            file = %self.path.display(),
            position = self.position,
            length,
            "the file was truncated or replaced by another; reading it from its start"
        );
        self.doubts = false;
        self.position = 0;
        self.memory.clear();
        Ok(true)
    }

    fn forget_buffer(&mut self) {
        self.buffer.clear();
        self.searched = 0;
    }

    fn io(&self, source: io::Error) -> ReadError {
        ReadError::Io { path: self.path.clone(), source }
    }
}

/// Reads until the buffer is full or the file ends.
fn read_at(file: &File, mut buffer: &mut [u8], mut from: u64) -> io::Result<usize> {
    let whole = buffer.len();
    while !buffer.is_empty() {
        match file.read_at(buffer, from) {
            Ok(0) => break,
            Ok(read) => {
                buffer = &mut buffer[read..];
                from += read as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(whole - buffer.len())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    struct Place {
        _dir: tempfile::TempDir,
        path: PathBuf,
    }

    fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines.txt");
        Place { _dir: dir, path }
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn lines(reader: &mut FileReader) -> Vec<String> {
        let (lines, _) = reader.read(usize::MAX).unwrap();
        lines.into_iter().map(|line| String::from_utf8(line.bytes.to_vec()).unwrap()).collect()
    }

    #[test]
    fn appended_lines_follow_and_an_unfinished_one_waits() {
        let place = place();
        let mut reader = FileReader::new(&place.path, 0);
        assert_eq!(reader.read(10).unwrap(), (vec![], Seen::Missing));
        append(&place.path, "one\r\n\ntwo");
        assert_eq!(lines(&mut reader), ["one", ""]);
        assert_eq!(reader.position(), 6);
        assert_eq!(reader.read(10).unwrap(), (vec![], Seen::End { unfinished: 3 }));
        append(&place.path, "2\nthree\n");
        assert_eq!(lines(&mut reader), ["two2", "three"]);
        let length = std::fs::metadata(&place.path).unwrap().len();
        assert_eq!(reader.position(), length);
    }

    #[test]
    fn a_position_resumes_within_the_file_and_batches_are_bounded() {
        let place = place();
        append(&place.path, "a\nbb\nccc\ndddd\n");
        let mut reader = FileReader::new(&place.path, 2);
        let (lines, seen) = reader.read(2).unwrap();
        assert_eq!(seen, Seen::More);
        assert_eq!(lines[1], Line { bytes: Bytes::from_static(b"ccc"), end: 9 });
        let (lines, seen) = reader.read(2).unwrap();
        assert_eq!((lines.len(), seen), (1, Seen::End { unfinished: 0 }));
    }

    #[test]
    fn a_truncated_file_is_read_anew_at_the_second_look() {
        let place = place();
        append(&place.path, "one\ntwo\n");
        let mut reader = FileReader::new(&place.path, 0);
        assert_eq!(lines(&mut reader).len(), 2);
        std::fs::write(&place.path, "new\n").unwrap();
        assert_eq!(lines(&mut reader), Vec::<String>::new());
        assert_eq!(lines(&mut reader), ["new"]);
    }

    #[test]
    fn a_file_shorter_than_a_stored_position_is_read_anew() {
        let place = place();
        append(&place.path, "one\n");
        let mut reader = FileReader::new(&place.path, 1000);
        lines(&mut reader);
        assert_eq!(lines(&mut reader), ["one"]);
        assert_eq!(reader.position(), 4);
    }

    #[test]
    fn an_edited_copy_in_its_place_is_followed_on() {
        let place = place();
        append(&place.path, "one\ntwo\n");
        let mut reader = FileReader::new(&place.path, 0);
        assert_eq!(lines(&mut reader).len(), 2);
        let copy = place.path.with_extension("new");
        std::fs::write(&copy, "one\ntwo\nthree\n").unwrap();
        std::fs::rename(&copy, &place.path).unwrap();
        assert_eq!(lines(&mut reader), ["three"]);
    }

    #[test]
    fn a_rotated_file_is_read_to_its_end_and_then_the_new_one() {
        let place = place();
        append(&place.path, "one\n");
        let mut reader = FileReader::new(&place.path, 0);
        assert_eq!(lines(&mut reader), ["one"]);
        append(&place.path, "two\n");
        std::fs::rename(&place.path, place.path.with_extension("1")).unwrap();
        append(&place.path, "different\nfile\n");
        assert_eq!(lines(&mut reader), ["two"]);
        lines(&mut reader);
        assert_eq!(lines(&mut reader), ["different", "file"]);
    }

    #[test]
    fn folders_and_endless_lines_are_errors() {
        let place = place();
        let folder = place.path.parent().unwrap().to_owned();
        let error = FileReader::new(&folder, 0).read(1).unwrap_err();
        assert!(matches!(error, ReadError::NotAFile { .. }), "{error}");
        std::fs::write(&place.path, vec![b'x'; MAX_LINE_BYTES + 1]).unwrap();
        let error = FileReader::new(&place.path, 0).read(1).unwrap_err();
        assert!(matches!(error, ReadError::LineTooLong { position: 0, .. }), "{error}");
    }
}
