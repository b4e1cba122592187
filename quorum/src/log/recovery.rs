use std::path::Path;
use std::sync::Arc;

use storage::disk::{Disk, DiskFile, OpenMode};

use super::{LogError, MetadataLog, create_log, frame, log_name, snapshot};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

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

pub(super) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    compact_from_bytes: u64,
) -> Result<(MetadataLog, MetadataImage, Recovery), LogError> {
    disk.create_dir(dir)?;
    // The folder's own name must be durable before anything in it is said to be.
    if let Some(parent) = dir.parent() {
        disk.sync_dir(parent)?;
    }
    let names = disk.list(dir)?;
    let offset_of = |name: &str, end: &str| name.strip_suffix(end)?.parse::<u64>().ok();
    let newest = names.iter().filter_map(|name| offset_of(name, ".snapshot")).max();
    let mut recovery = Recovery { snapshot_offset: newest, ..Recovery::default() };

    let mut image = MetadataImage::default();
    let mut snapshot_bytes = 0;
    if let Some(offset) = newest {
        let path = dir.join(snapshot::name(offset));
        let bytes = disk.read_file(&path)?.unwrap_or_default();
        snapshot_bytes = bytes.len() as u64;
        image = snapshot::decode(&path, &bytes)?;
    }
    let base_offset = newest.unwrap_or(0);
    remove_leftovers(&*disk, dir, &names, base_offset)?;

    let (file, end) = if names.contains(&log_name(base_offset)) {
        replay(&*disk, dir, base_offset, &mut image, &mut recovery)?
    } else {
        (create_log(&*disk, dir, base_offset)?, 0)
    };
    let log = MetadataLog {
        file,
        end,
        next_offset: image.offset(),
        base_offset,
        snapshot_bytes,
        compact_from_bytes,
        poisoned: false,
        dir: dir.to_owned(),
        disk,
    };
    Ok((log, image, recovery))
}

/// Older files, whose content the snapshot has, and unfinished snapshots.
fn remove_leftovers(
    disk: &dyn Disk,
    dir: &Path,
    names: &[String],
    base_offset: u64,
) -> Result<(), LogError> {
    for name in names {
        let older = |end| {
            name.strip_suffix(end)
                .and_then(|offset| offset.parse::<u64>().ok())
                .is_some_and(|offset| offset < base_offset)
        };
        if name.ends_with(".tmp") || older(".log") || older(".snapshot") {
            disk.remove(&dir.join(name))?;
        }
    }
    Ok(())
}

fn replay(
    disk: &dyn Disk,
    dir: &Path,
    base_offset: u64,
    image: &mut MetadataImage,
    recovery: &mut Recovery,
) -> Result<(Arc<dyn DiskFile>, u64), LogError> {
    let path = dir.join(log_name(base_offset));
    let file = disk.open(&path, OpenMode::Write)?;
    let bytes = disk.read_file(&path)?.unwrap_or_default();
    let corrupt =
        |at: usize, why: String| LogError::Corrupt { path: path.clone(), at: at as u64, why };
    let mut at = 0;
    loop {
        match frame::decode(&bytes[at..]) {
            frame::Found::End => break,
            frame::Found::Broken(why) if frame::any_frame_in(&bytes[at + 1..]) => {
                return Err(corrupt(at, why.to_owned()));
            }
            frame::Found::Broken(_) => {
                // The append that a crash interrupted; it was never acknowledged.
                recovery.truncated_bytes = (bytes.len() - at) as u64;
                file.truncate(at as u64)?;
                file.sync()?;
                break;
            }
            frame::Found::Frame { first_offset, payload } => {
                if first_offset != image.offset() {
                    let why = format!("record {first_offset} where {} belongs", image.offset());
                    return Err(corrupt(at, why));
                }
                let records: Vec<MetadataRecord> =
                    serde_json::from_slice(payload).map_err(|e| corrupt(at, e.to_string()))?;
                for record in &records {
                    image.apply(record).map_err(|source| LogError::Apply {
                        path: path.clone(),
                        offset: first_offset,
                        source,
                    })?;
                }
                recovery.replayed_records += records.len() as u64;
                at += frame::HEADER_BYTES + payload.len();
            }
        }
    }
    Ok((file, at as u64))
}
