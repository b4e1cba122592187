use std::path::Path;
use std::sync::Arc;

use super::config::{HotBudget, LogConfig};
use super::error::OpenError;
use super::hot::HotTail;
use super::read::{find, read_error};
use super::segment::{INDEX_SUFFIX, LOG_SUFFIX, Scan, Segment, TIME_INDEX_SUFFIX, file_name};
use super::walk::Walk;
use super::{Log, ReadError};
use crate::epochs::LeaderEpochs;
use crate::producers::Producers;
use crate::{Disk, DiskError};

/// What the log directory's checkpoints say of a log before it is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenState {
    /// Everything before it was durable.
    pub recovery_point: i64,
    /// Log start offset.
    pub start_offset: i64,
    /// The last shutdown was clean: nothing needs to be scanned.
    pub clean: bool,
    /// The folder has just been made, with no log in it: its own name, and whose it is, become durable with the first flush.
    /// (After an unclean stop, too: nobody knows whether there was one.)
    pub is_new: bool,
}

/// What opening a log found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes whose batches were checked.
    pub scanned_bytes: u64,
    /// Bytes cut off the unflushed tail.
    pub truncated_bytes: u64,
    /// Why they were cut off.
    pub reason: Option<String>,
    /// Indexes built anew.
    pub indexes_rebuilt: u32,
}

impl Log {
    /// Opens a partition's folder, which must exist. After an unclean stop everything from the recovery point on
    /// is checked by CRC, cut at the first batch that is not whole, and made durable.
    ///
    /// # Errors
    /// [`OpenError::Corrupt`] when bytes before the recovery point are bad: nothing is changed then.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        config: LogConfig,
        state: OpenState,
        budget: HotBudget,
        now_ms: i64,
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let mut report = RecoveryReport::default();
        // A folder that has just been made is empty: a topic may have thousands of them.
        let bases = if state.is_new { Vec::new() } else { tidy(&*disk, dir)? };
        let opener = Opener { disk: &disk, dir, config: &config, state };
        let (mut segments, mut end_offset) = opener.segments(&bases, &mut report)?;
        if segments.is_empty() || state.start_offset > end_offset {
            // New, or everything before the log's start (DeleteRecords up to the end).
            for segment in segments.drain(..) {
                segment.remove(&*disk)?;
            }
            end_offset = state.start_offset;
            let make = if bases.is_empty() { Segment::first } else { Segment::create };
            segments.push(Arc::new(make(&disk, dir, end_offset)?));
        }
        let start_offset = state.start_offset.max(segments[0].base_offset());
        let recovered = !state.clean && report.scanned_bytes > 0;
        let unsynced = if recovered { segments[..segments.len() - 1].to_vec() } else { Vec::new() };
        let mut log = Self {
            disk: disk.clone(),
            dir: dir.to_owned(),
            config,
            segments,
            start_offset,
            end_offset,
            recovery_point: state.recovery_point.min(end_offset),
            unsynced,
            names_unsynced: true,
            // A clean stop leaves out what never had a record.
            folder_unsynced: state.is_new || !state.clean || end_offset == 0,
            active_since_ms: now_ms,
            hot: HotTail::new(budget),
            producers: Producers::default(),
            epochs: LeaderEpochs::default(),
            truncations: 0,
            failed: false,
        };
        if state.clean {
            log.recovery_point = end_offset;
        }
        if !state.is_new {
            let epochs = LeaderEpochs::load(&*log.disk, &log.dir)?;
            log.rebuild_state(epochs, now_ms)?;
        }
        if recovered {
            log.recovery_point = log.recovery_point.min(end_offset - 1).max(0);
            log.flush()?;
        }
        Ok((log, report))
    }

    /// Producer state and leader epochs: from a snapshot, from `epochs`, and from the batches that these do not know. Without
    /// `epochs` all batches are looked at.
    pub(super) fn rebuild_state(
        &mut self,
        epochs: Option<LeaderEpochs>,
        now_ms: i64,
    ) -> Result<(), OpenError> {
        let (producers, snapshot) =
            Producers::load(&*self.disk, &self.dir, self.end_offset, now_ms)?;
        self.producers = producers;
        // The epochs' file is as new as the last flush; a snapshot may be newer.
        let mut from = snapshot.min(self.recovery_point).max(self.start_offset);
        match epochs {
            Some(epochs) => {
                self.epochs = epochs;
                // From there on the batches say it: a flush may have written over a truncation before the crash.
                self.epochs.truncate_from_end(from.min(self.end_offset));
            }
            None => {
                self.epochs = LeaderEpochs::default();
                from = self.start_offset;
            }
        }
        for segment in &self.segments {
            let end = segment.len();
            if end == 0 {
                continue;
            }
            let found = find(segment, from, end, false).map_err(open_error)?.flatten();
            let Some((position, _)) = found else { continue };
            let mut walk = Walk::new(&**segment.file(), position, end);
            loop {
                let header = walk.peek();
                let header =
                    header.map_err(|e| open_error(read_error(segment, walk.position(), e)))?;
                let Some(header) = header else { break };
                if header.base_offset >= snapshot {
                    self.producers.update(&header, now_ms);
                }
                let epoch = header.partition_leader_epoch;
                if self.epochs.latest().is_none_or(|latest| latest < epoch) {
                    self.epochs.assign(epoch, header.base_offset);
                }
                walk.skip(&header);
            }
        }
        Ok(())
    }
}

pub(super) fn open_error(error: ReadError) -> OpenError {
    match error {
        ReadError::Disk(error) => OpenError::Disk(error),
        ReadError::Corrupt { path, position, reason } => {
            OpenError::Corrupt { path, position, reason: reason.to_string() }
        }
        ReadError::OutOfRange { offset, .. } => OpenError::Corrupt {
            path: Default::default(),
            position: 0,
            reason: format!("offset {offset} is missing"),
        },
    }
}

/// Removes what an interrupted operation left and returns the segments' base offsets, ascending.
fn tidy(disk: &dyn Disk, dir: &Path) -> Result<Vec<i64>, DiskError> {
    let names = disk.list(dir)?;
    let base = |name: &str, suffix: &str| -> Option<i64> {
        name.strip_suffix(suffix).filter(|digits| digits.len() == 20)?.parse().ok()
    };
    let bases: Vec<i64> = names.iter().filter_map(|name| base(name, LOG_SUFFIX)).collect();
    for name in &names {
        let index = base(name, INDEX_SUFFIX).or_else(|| base(name, TIME_INDEX_SUFFIX));
        let orphan = index.is_some_and(|base| !bases.contains(&base));
        if orphan || name.ends_with(".tmp") || name.ends_with(".deleted") {
            disk.remove(&dir.join(name))?;
        }
    }
    Ok(bases)
}

struct Opener<'a> {
    disk: &'a Arc<dyn Disk>,
    dir: &'a Path,
    config: &'a LogConfig,
    state: OpenState,
}

impl Opener<'_> {
    /// Opens the segments up to the first that is cut; returns them and the log's end.
    fn segments(
        &self,
        bases: &[i64],
        report: &mut RecoveryReport,
    ) -> Result<(Vec<Arc<Segment>>, i64), OpenError> {
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(bases.len());
        let mut end_offset = 0;
        for (i, base) in bases.iter().enumerate() {
            let next_base = bases.get(i + 1);
            let unflushed =
                !self.state.clean && next_base.is_none_or(|next| *next > self.state.recovery_point);
            if unflushed && i > 0 && *base != end_offset {
                // The segment before lost its end in the crash: what follows hangs in the air.
                if end_offset < self.state.recovery_point {
                    return Err(OpenError::Corrupt {
                        path: self.dir.join(file_name(*base, LOG_SUFFIX)),
                        position: 0,
                        reason: format!("the segment before it ends at offset {end_offset}"),
                    });
                }
                self.drop_from(&bases[i..], end_offset, report)?;
                break;
            }
            let (segment, scan) = self.segment(*base, unflushed, report)?;
            end_offset = scan.next_offset;
            let last = scan.bad.is_some() && unflushed;
            let missing = if unflushed {
                (next_base.is_none() || last) && end_offset < self.state.recovery_point
            } else {
                next_base.is_some_and(|next| *next != end_offset)
            };
            let corrupt = match scan.bad {
                Some(reason) if !unflushed || missing => Some(reason),
                None if missing => Some("records that had been made durable are missing".into()),
                _ => None,
            };
            if let Some(reason) = corrupt {
                let path = segment.path().to_owned();
                return Err(OpenError::Corrupt { path, position: scan.valid, reason });
            }
            if last {
                report.truncated_bytes += segment.len() - scan.valid;
                segment.truncate(scan.valid)?;
            }
            segments.push(Arc::new(segment));
            if last {
                self.drop_from(&bases[i + 1..], end_offset, report)?;
                break;
            }
        }
        Ok((segments, end_offset))
    }

    /// Removes the segments of an unflushed tail, newest first, so that a crash leaves no gap.
    fn drop_from(
        &self,
        bases: &[i64],
        end_offset: i64,
        report: &mut RecoveryReport,
    ) -> Result<(), OpenError> {
        for base in bases.iter().rev() {
            let (segment, _) = Segment::open(self.disk, self.dir, *base, false)?;
            report.truncated_bytes += segment.len();
            segment.remove(&**self.disk)?;
        }
        if let (None, Some(base)) = (&report.reason, bases.first()) {
            report.reason = Some(format!("segment {base} does not follow offset {end_offset}"));
        }
        Ok(())
    }

    fn segment(
        &self,
        base: i64,
        unflushed: bool,
        report: &mut RecoveryReport,
    ) -> Result<(Segment, Scan), OpenError> {
        let interval = self.config.index_interval_bytes;
        let nobody = &mut |_: &_| {};
        if !unflushed {
            let (segment, indexed) = Segment::open(self.disk, self.dir, base, true)?;
            if let Some(start) = segment.last_indexed_position().filter(|_| indexed) {
                let scan = segment.scan(start, i64::MAX, interval, nobody)?;
                if scan.bad.is_none() {
                    if start > 0 {
                        let first = segment.load_first_timestamp();
                        first.map_err(|e| open_error(read_error(&segment, 0, e)))?;
                    }
                    return Ok((segment, scan));
                }
            }
            report.indexes_rebuilt += 1;
        }
        let (segment, _) = Segment::open(self.disk, self.dir, base, false)?;
        let verify_from = if unflushed { self.state.recovery_point } else { i64::MAX };
        let scan = segment.scan(0, verify_from, interval, nobody)?;
        if unflushed {
            report.scanned_bytes += segment.len();
            report.indexes_rebuilt += 1;
            report.reason = report.reason.take().or_else(|| scan.bad.clone());
        }
        Ok((segment, scan))
    }
}
