use std::path::PathBuf;
use std::sync::Arc;

use super::segment::Segment;
use super::{Log, OffsetPosition};
use crate::log_dir::METADATA_FILE;
use crate::{Disk, DiskError, DiskFailure, OpenMode};

/// What must be synced so that everything up to `end` is durable. Run it without the log's lock.
#[derive(Debug)]
pub struct FlushPlan {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    closed: Vec<Arc<Segment>>,
    active: Option<Arc<Segment>>,
    names: bool,
    folder: bool,
    /// New content of the leader epoch checkpoint.
    epochs: Option<(PathBuf, String)>,
    end: OffsetPosition,
    /// Truncations of the log before the plan.
    truncations: u64,
}

impl FlushPlan {
    /// The log's end that becomes durable.
    pub fn end(&self) -> OffsetPosition {
        self.end
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.active.is_none() && !self.names && self.epochs.is_none()
    }

    /// Syncs, oldest segment first. An error is final (see [`crate::DiskFile::sync`]).
    ///
    /// # Errors
    /// The first failed call.
    pub fn run(&self) -> Result<(), DiskError> {
        for segment in &self.closed {
            segment.file().sync()?;
            segment.seal()?;
        }
        if let Some(active) = &self.active {
            active.file().sync()?;
        }
        if let Some((path, content)) = &self.epochs {
            self.disk.write_file_atomically(path, content.as_bytes())?;
        }
        if self.names {
            self.disk.sync_dir(&self.dir)?;
        }
        if let Some(parent) = self.dir.parent().filter(|_| self.folder) {
            match self.disk.open(&self.dir.join(METADATA_FILE), OpenMode::Read) {
                Ok(metadata) => metadata.sync()?,
                Err(error) if error.failure == DiskFailure::NotFound => {}
                Err(error) => return Err(error),
            }
            self.disk.sync_dir(parent)?;
        }
        Ok(())
    }
}

impl Log {
    /// Plans a flush of everything that is in the log now.
    pub fn plan_flush(&mut self) -> FlushPlan {
        let end = self.end();
        let dirty = self.recovery_point < end.offset && self.active().len() > 0;
        FlushPlan {
            disk: self.disk.clone(),
            dir: self.dir.clone(),
            closed: self.unsynced.clone(),
            active: dirty.then(|| self.active().clone()),
            names: self.names_unsynced,
            folder: self.folder_unsynced,
            epochs: self.epochs.take_dirty(&self.dir, end.offset),
            end,
            truncations: self.truncations,
        }
    }

    /// Notes that `plan` has run. Returns whether the log is durable up to the plan's end: it is not when a truncation
    /// came in between, after which other records may be at these offsets.
    pub fn flushed(&mut self, plan: &FlushPlan) -> bool {
        self.unsynced.retain(|s| !plan.closed.iter().any(|done| Arc::ptr_eq(s, done)));
        // A segment made after the plan needs another sync of the folder, and so does one that had no record: its file may be
        // made with the first.
        let made = plan.end.position > 0;
        if plan.names && made && plan.end.segment_base == self.active().base_offset() {
            self.names_unsynced = false;
        }
        self.folder_unsynced &= !plan.folder;
        let valid = self.truncations == plan.truncations;
        if !valid && plan.epochs.is_some() {
            // It may have written what was cut off over what the truncation has written.
            self.epochs.mark_dirty();
        }
        // An empty log has nothing that could be missing, and may yet begin at a smaller offset (`reset_to`).
        let is_empty = self.segments.len() == 1 && self.active().len() == 0;
        if valid && !is_empty {
            self.recovery_point = self.recovery_point.max(plan.end.offset);
        }
        valid
    }

    /// Notes that `plan` failed: a later plan does its work if the disk was only full, else the log takes no writes
    /// any more.
    pub fn flush_failed(&mut self, plan: &FlushPlan, error: &DiskError) {
        if plan.epochs.is_some() {
            self.epochs.mark_dirty();
        }
        if !error.is_transient() {
            self.failed = true;
        }
    }

    /// Plans, runs and notes a flush, for those who may block.
    ///
    /// # Errors
    /// As [`FlushPlan::run`], noted as [`Log::flush_failed`] says.
    pub fn flush(&mut self) -> Result<(), DiskError> {
        let plan = self.plan_flush();
        if let Err(error) = plan.run() {
            self.flush_failed(&plan, &error);
            return Err(error);
        }
        self.flushed(&plan);
        Ok(())
    }

    /// Flushes and writes what a clean start needs: complete indexes, producer snapshot.
    ///
    /// # Errors
    /// The first failed call.
    pub fn close(&mut self) -> Result<(), DiskError> {
        if self.end_offset == 0 {
            // Nothing was ever kept in it: a start makes the same of whatever a crash leaves of its folder.
            return Ok(());
        }
        self.flush()?;
        self.producers.write_snapshot(&*self.disk, &self.dir, self.end_offset)?;
        self.active().seal()?;
        self.disk.sync_dir(&self.dir)
    }
}
