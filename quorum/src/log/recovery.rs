//! Opening a log: which files count, and what is in them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use storage::disk::{Disk, DiskFile, OpenMode};

use super::frames::{Mark, Recent};
use super::{Frame, LogError, MetadataLog, SnapshotId, create_log, frame, log_name, snapshot};
use crate::image::MetadataImage;
use crate::raft::VoterSet;

/// What opening the log found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Records that came from the snapshot's offset on.
    pub replayed_records: u64,
    /// Bytes of an unfinished append that were cut off.
    pub truncated_bytes: u64,
    /// Offset of the snapshot that was read.
    pub snapshot_offset: Option<u64>,
}

/// An opened log, before it is known what of it is committed.
#[derive(Debug)]
pub struct Opened {
    /// The log.
    pub log: MetadataLog,
    /// What the snapshot says; it was committed when it was written.
    pub image: MetadataImage,
    /// The voters at the snapshot, when it names any.
    pub voters: Option<VoterSet>,
    /// The frames behind the snapshot, which may be committed or not.
    pub tail: Vec<Frame>,
    /// What was found.
    pub recovery: Recovery,
}

pub(super) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    compact_from_bytes: u64,
) -> Result<Opened, LogError> {
    disk.create_dir(dir)?;
    // The folder's own name must be durable before anything in it is said to be.
    if let Some(parent) = dir.parent() {
        disk.sync_dir(parent)?;
    }
    let names = disk.list(dir)?;
    let newest = names.iter().filter_map(|name| offset_of(name, ".snapshot")).max();
    let mut recovery = Recovery { snapshot_offset: newest, ..Recovery::default() };

    let (mut image, mut voters) = (MetadataImage::default(), None);
    let mut snapshot_id = SnapshotId::default();
    let mut snapshot_bytes = 0;
    if let Some(offset) = newest {
        let path = dir.join(snapshot::name(offset));
        let bytes = disk.read_file(&path)?.unwrap_or_default();
        snapshot_bytes = bytes.len() as u64;
        let read = snapshot::decode(&path, &bytes)?;
        snapshot_id = SnapshotId { offset, epoch: read.epoch };
        (image, voters) = (read.image, read.voters);
    }
    // A log may begin before the snapshot (for followers that are behind), never after it.
    let before = |offset: &u64| *offset <= snapshot_id.offset;
    let base = names.iter().filter_map(|name| offset_of(name, ".log")).filter(before).max();
    let content = match base {
        None => None,
        Some(base) => read_log(&*disk, dir, base, &mut recovery)?.of_history(snapshot_id),
    };
    let base_offset = base.filter(|_| content.is_some()).unwrap_or(snapshot_id.offset);
    remove_leftovers(&*disk, dir, &names, base_offset, snapshot_id.offset)?;
    let content = match content {
        Some(content) => content,
        None => Content::empty(create_log(&*disk, dir, base_offset)?, base_offset),
    };
    let mut recent = Recent::default();
    for frame in &content.tail {
        recent.push(frame.clone(), u64::MAX);
    }
    recovery.replayed_records = content.next_offset - snapshot_id.offset;
    let log = MetadataLog {
        file: content.file,
        end: content.end,
        buffer: Vec::new(),
        marks: content.marks,
        recent,
        durable_offset: content.next_offset,
        next_offset: content.next_offset,
        base_offset,
        snapshot: snapshot_id,
        snapshot_bytes,
        compact_from_bytes,
        poisoned: false,
        dir: dir.to_owned(),
        disk,
    };
    Ok(Opened { log, image, voters, tail: content.tail, recovery })
}

fn offset_of(name: &str, end: &str) -> Option<u64> {
    name.strip_suffix(end)?.parse().ok()
}

/// Older files, whose content the newer ones have, and unfinished files.
fn remove_leftovers(
    disk: &dyn Disk,
    dir: &Path,
    names: &[String],
    base_offset: u64,
    snapshot_offset: u64,
) -> Result<(), LogError> {
    for name in names {
        let old_log = offset_of(name, ".log").is_some_and(|offset| offset != base_offset);
        let old_snapshot =
            offset_of(name, ".snapshot").is_some_and(|offset| offset < snapshot_offset);
        if name.ends_with(".tmp") || old_log || old_snapshot {
            disk.remove(&dir.join(name))?;
        }
    }
    Ok(())
}

/// A log file that was read.
struct Content {
    file: Arc<dyn DiskFile>,
    end: u64,
    marks: VecDeque<Mark>,
    /// Frames; after [`Content::of_history`] only those behind the snapshot.
    tail: Vec<Frame>,
    next_offset: u64,
}

impl Content {
    fn empty(file: Arc<dyn DiskFile>, next_offset: u64) -> Self {
        Self { file, end: 0, marks: VecDeque::new(), tail: Vec::new(), next_offset }
    }

    /// This log when the snapshot is of the same history: it has a frame that ends where the snapshot does, of the same
    /// epoch. Otherwise the snapshot came from a leader in place of the log, and a crash left the log behind.
    fn of_history(mut self, snapshot: SnapshotId) -> Option<Self> {
        let reaches = self.next_offset >= snapshot.offset;
        let ends_there = self.tail.iter().find(|frame| frame.end_offset() >= snapshot.offset);
        let same = match ends_there {
            Some(frame) if frame.first_offset() < snapshot.offset => {
                frame.end_offset() == snapshot.offset && frame.epoch() == snapshot.epoch
            }
            _ => true,
        };
        self.tail.retain(|frame| frame.first_offset() >= snapshot.offset);
        (reaches && same).then_some(self)
    }
}

fn read_log(
    disk: &dyn Disk,
    dir: &Path,
    base_offset: u64,
    recovery: &mut Recovery,
) -> Result<Content, LogError> {
    let path = dir.join(log_name(base_offset));
    let file = disk.open(&path, OpenMode::Write)?;
    let bytes = disk.read_file(&path)?.unwrap_or_default();
    let corrupt =
        |at: usize, why: String| LogError::Corrupt { path: path.clone(), at: at as u64, why };
    let mut content = Content::empty(file, base_offset);
    let (mut at, mut epoch) = (0, 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match frame::decode(rest) {
            frame::Found::End => break,
            frame::Found::Broken(why) if frame::any_frame_in(rest.get(1..).unwrap_or_default()) => {
                return Err(corrupt(at, why.to_owned()));
            }
            frame::Found::Broken(_) => {
                // The append that a crash interrupted; it was never acknowledged.
                recovery.truncated_bytes = rest.len() as u64;
                content.file.truncate(at as u64)?;
                content.file.sync()?;
                break;
            }
            frame::Found::Frame { first_offset, epoch: of, payload, len } => {
                if first_offset != content.next_offset || of < epoch {
                    let wanted = content.next_offset;
                    let why = format!("record {first_offset} of epoch {of} where {wanted} belongs");
                    return Err(corrupt(at, why));
                }
                epoch = of;
                let read = Frame::parse(first_offset, epoch, Bytes::copy_from_slice(payload))
                    .map_err(|why| corrupt(at, why))?;
                content.marks.push_back(Mark { first_offset, epoch, at: at as u64 });
                content.next_offset = read.end_offset();
                content.tail.push(read);
                at += len;
            }
        }
    }
    content.end = at as u64;
    Ok(content)
}
