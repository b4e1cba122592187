//! Kafka's offset checkpoint files: one offset a partition, as text (`OffsetCheckpointFile`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use thiserror::Error;

use crate::{Disk, DiskError};

const VERSION: &str = "0";

/// Topic and partition.
pub type PartitionName = (String, i32);

/// Why a checkpoint file cannot be read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// A call on the disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is not a checkpoint.
    #[error("{path} is not an offset checkpoint file (line {line}): restore or remove it")]
    Malformed {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
    },
}

/// Reads a checkpoint; a missing file is an empty one.
///
/// # Errors
/// [`CheckpointError`].
pub fn read(disk: &dyn Disk, path: &Path) -> Result<BTreeMap<PartitionName, i64>, CheckpointError> {
    let Some(content) = disk.read_file(path)? else { return Ok(BTreeMap::new()) };
    parse(&String::from_utf8_lossy(&content))
        .map_err(|line| CheckpointError::Malformed { path: path.display().to_string(), line })
}

/// Replaces a checkpoint, durably.
///
/// # Errors
/// The first failed call; the old content is there then.
pub fn write(
    disk: &dyn Disk,
    path: &Path,
    offsets: &BTreeMap<PartitionName, i64>,
) -> Result<(), DiskError> {
    let mut out = format!("{VERSION}\n{}\n", offsets.len());
    for ((topic, partition), offset) in offsets {
        let _ = writeln!(out, "{topic} {partition} {offset}");
    }
    disk.write_file_atomically(path, out.as_bytes())
}

fn parse(content: &str) -> Result<BTreeMap<PartitionName, i64>, usize> {
    let mut lines = content.lines();
    if lines.next() != Some(VERSION) {
        return Err(1);
    }
    let count: usize = lines.next().and_then(|l| l.parse().ok()).ok_or(2_usize)?;
    let mut offsets = BTreeMap::new();
    for (i, line) in lines.enumerate() {
        let mut words = line.split(' ');
        let entry = (|| {
            let topic = words.next()?.to_owned();
            let partition = words.next()?.parse().ok()?;
            Some(((topic, partition), words.next()?.parse().ok()?))
        })();
        let (name, offset) = entry.ok_or(i + 3)?;
        offsets.insert(name, offset);
    }
    if offsets.len() == count { Ok(offsets) } else { Err(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recovery-point-offset-checkpoint");
        let disk = crate::OsDisk;
        assert!(read(&disk, &path).unwrap().is_empty());
        let offsets = BTreeMap::from([(("a".to_owned(), 0), 7), (("a".to_owned(), 1), i64::MAX)]);
        write(&disk, &path, &offsets).unwrap();
        assert_eq!(read(&disk, &path).unwrap(), offsets);
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            format!("0\n2\na 0 7\na 1 {}\n", i64::MAX)
        );
    }

    #[test]
    fn what_is_no_checkpoint_is_named_by_line() {
        assert_eq!(parse(""), Err(1));
        assert_eq!(parse("0\n1\n"), Err(2));
        assert_eq!(parse("0\n1\na x 3\n"), Err(3));
    }
}
