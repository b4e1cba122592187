//! A log directory: a folder a partition (`<topic>-<partition>`), and the files that say how the last shutdown
//! went, as in Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use crate::checkpoint::{self, CheckpointError, PartitionName};
use crate::log::{HotBudget, Log, LogConfig, OpenError, OpenState, RecoveryReport};
use crate::{Disk, DiskError, DiskFile, OpenMode};

const LOCK_FILE: &str = ".lock";
const CLEAN_FILE: &str = ".kafka_cleanshutdown";
const RECOVERY_POINTS: &str = "recovery-point-offset-checkpoint";
const HIGH_WATERMARKS: &str = "replication-offset-checkpoint";
const START_OFFSETS: &str = "log-start-offset-checkpoint";
/// Says which topic a partition's folder belongs to.
pub(crate) const METADATA_FILE: &str = "partition.metadata";
const DELETE_SUFFIX: &str = "-delete";
const STRAY_SUFFIX: &str = "-stray";
/// In the place of the topic's id when a folder does not say whose it is.
const UNCLAIMED: &str = "unclaimed";

/// Why a log directory cannot be used.
#[derive(Debug, Error)]
pub enum LogDirError {
    /// A call on the disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A checkpoint file is broken.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Another process uses the directory.
    #[error("{} is in use by another process: stop it, or choose another data directory", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

/// A partition's folder, as it is found on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The topic's name, from the folder's.
    pub topic: String,
    /// The partition, from the folder's name.
    pub partition: i32,
    /// The topic's id in Kafka's text form, from `partition.metadata`; `None` when that is not there, or torn.
    pub topic_id: Option<String>,
}

/// What is known of a partition before its log is opened.
#[derive(Debug, Default)]
struct Known {
    recovery_points: BTreeMap<PartitionName, i64>,
    start_offsets: BTreeMap<PartitionName, i64>,
    high_watermarks: BTreeMap<PartitionName, i64>,
    /// Logs that were opened by this process: they are as they should be, whatever the stop before was like.
    opened: BTreeSet<PartitionName>,
    /// Removed logs that the checkpoint files may still speak of, and which removal it was.
    stale: BTreeMap<PartitionName, u64>,
    removals: u64,
}

/// A log directory that this process holds.
#[derive(Debug)]
pub struct LogDir {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    budget: HotBudget,
    clean: bool,
    clean_epoch: Option<i64>,
    known: Mutex<Known>,
    /// Serialises writers of the checkpoint files.
    writing: Mutex<()>,
    lock: Arc<dyn DiskFile>,
}

impl LogDir {
    /// Opens a directory, making it if it is missing, and locks it against other processes. Folders of partitions
    /// that were being deleted are removed.
    ///
    /// # Errors
    /// [`LogDirError`].
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, LogDirError> {
        disk.create_dir(path)?;
        let lock = lock(&*disk, path)?;
        let clean_file = path.join(CLEAN_FILE);
        let clean_content = disk.read_file(&clean_file)?;
        let clean = clean_content.is_some();
        let clean_epoch = clean_content.and_then(|content| broker_epoch(&content));
        let known = Known {
            recovery_points: checkpoint::read(&*disk, &path.join(RECOVERY_POINTS))?,
            start_offsets: checkpoint::read(&*disk, &path.join(START_OFFSETS))?,
            high_watermarks: checkpoint::read(&*disk, &path.join(HIGH_WATERMARKS))?,
            opened: BTreeSet::new(),
            stale: BTreeMap::new(),
            removals: 0,
        };
        for name in disk.list(path)?.iter().filter(|name| name.ends_with(DELETE_SUFFIX)) {
            disk.remove_dir(&path.join(name))?;
        }
        // From here on a crash is unclean.
        disk.remove(&clean_file)?;
        disk.sync_dir(path)?;
        Ok(Self {
            disk,
            path: path.to_owned(),
            budget: HotBudget::default(),
            clean,
            clean_epoch,
            known: Mutex::new(known),
            writing: Mutex::new(()),
            lock,
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The disk under it.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    /// Whether the last shutdown was clean.
    pub fn was_clean(&self) -> bool {
        self.clean
    }

    /// The broker epoch under which the last process stopped cleanly; `None` after an unclean stop, or when it did not know
    /// its epoch. A broker that registers with another one may have lost records (KIP-966).
    pub fn clean_shutdown_epoch(&self) -> Option<i64> {
        self.clean_epoch
    }

    /// The high watermark that was written last, if any: at most what it was at the end.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        let name = (topic.to_owned(), partition);
        self.known.lock().high_watermarks.get(&name).copied()
    }

    /// Partitions that have a folder, sorted.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn partitions(&self) -> Result<Vec<PartitionName>, DiskError> {
        let names = self.disk.list(&self.path)?;
        Ok(names.iter().filter_map(|name| parse_folder(name)).collect())
    }

    /// The folders of [`LogDir::partitions`] with the topic that each says it belongs to.
    ///
    /// # Errors
    /// When the directory cannot be listed, or a folder's metadata cannot be read.
    pub fn folders(&self) -> Result<Vec<Folder>, DiskError> {
        let folder = |(topic, partition): PartitionName| {
            let topic_id = self.topic_id(&self.folder(&topic, partition))?;
            Ok(Folder { topic, partition, topic_id })
        };
        self.partitions()?.into_iter().map(folder).collect()
    }

    /// Opens a partition's log, making its folder if it is missing. `topic_id` is Kafka's text form; a folder that
    /// belongs to another topic of the same name (deleted and made anew) is put aside under another name. One that does not
    /// say whose it is holds nothing that was flushed (a flush makes its metadata durable, too), and is put aside as well: it may
    /// be another topic's.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_log(
        &self,
        topic: &str,
        partition: i32,
        topic_id: &str,
        config: LogConfig,
        now_ms: i64,
    ) -> Result<(Log, RecoveryReport), OpenError> {
        let dir = self.folder(topic, partition);
        let name = (topic.to_owned(), partition);
        let mut exists = self.disk.exists(&dir)?;
        if exists {
            let stored = self.topic_id(&dir)?;
            if stored.as_deref() != Some(topic_id) {
                self.put_aside(topic, partition, stored.as_deref())?;
                exists = false;
            }
        }
        let mut state = OpenState { clean: self.clean, ..OpenState::default() };
        if exists {
            let known = self.known.lock();
            state.recovery_point = known.recovery_points.get(&name).copied().unwrap_or(0);
            state.start_offset = known.start_offsets.get(&name).copied().unwrap_or(0);
        } else {
            // Nothing is synced here: the cluster's metadata says that the partition exists, so an empty folder
            // that a crash takes is made again. The first flush makes the names durable.
            self.forget_for_good(topic, partition)?;
            self.disk.create_dir(&dir)?;
            let metadata = format!("version: 0\ntopic_id: {topic_id}");
            let file = self.disk.open(&dir.join(METADATA_FILE), OpenMode::Create)?;
            file.write_at(&mut [IoSlice::new(metadata.as_bytes())], 0)?;
            state.is_new = true;
        }
        let (disk, budget) = (self.disk.clone(), self.budget.clone());
        let opened = Log::open(disk, &dir, config, state, budget, now_ms)?;
        self.known.lock().opened.insert(name);
        Ok(opened)
    }

    fn topic_id(&self, dir: &Path) -> Result<Option<String>, DiskError> {
        let content = self.disk.read_file(&dir.join(METADATA_FILE))?;
        Ok(content.and_then(|content| {
            let text = String::from_utf8_lossy(&content).into_owned();
            // It becomes a part of a folder's name when the folder is put aside.
            let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
            let id =
                |line: &str| Some(line.strip_prefix("topic_id: ")?.chars().map(plain).collect());
            text.lines().find_map(id)
        }))
    }

    /// Renames the folder of a partition that no topic claims; its records stay for the operator to decide about. The new name has
    /// the id of the topic whose it says it is, if it does.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn put_aside(
        &self,
        topic: &str,
        partition: i32,
        topic_id: Option<&str>,
    ) -> Result<(), DiskError> {
        self.forget(topic, partition);
        let tag = topic_id.unwrap_or(UNCLAIMED);
        let aside = self.path.join(format!("{topic}-{partition}.{tag}{STRAY_SUFFIX}"));
        self.disk.remove_dir(&aside)?;
        self.disk.rename(&self.folder(topic, partition), &aside)?;
        self.disk.sync_dir(&self.path)
    }

    /// Removes the folder of a partition of this very topic, if there is one: another topic of the same name may have its
    /// folder there by now. A crash in the middle leaves a folder that the next start removes.
    ///
    /// # Errors
    /// When it cannot be renamed or removed.
    pub fn remove_log(&self, topic: &str, partition: i32, topic_id: &str) -> Result<(), DiskError> {
        let stored = self.topic_id(&self.folder(topic, partition))?;
        if stored.is_some_and(|stored| stored != topic_id) {
            return Ok(());
        }
        self.forget(topic, partition);
        let doomed = self.path.join(format!("{topic}-{partition}.{topic_id}{DELETE_SUFFIX}"));
        self.disk.remove_dir(&doomed)?;
        match self.disk.rename(&self.folder(topic, partition), &doomed) {
            Err(e) if e.failure == crate::DiskFailure::NotFound => return Ok(()),
            other => other?,
        }
        self.disk.sync_dir(&self.path)?;
        self.disk.remove_dir(&doomed)
    }

    /// Returns whether there was, or may still be in the files, anything to forget.
    fn forget(&self, topic: &str, partition: i32) -> bool {
        let name = (topic.to_owned(), partition);
        let known = &mut *self.known.lock();
        let had = [
            known.recovery_points.remove(&name).is_some(),
            known.start_offsets.remove(&name).is_some(),
            known.high_watermarks.remove(&name).is_some(),
        ];
        if had.contains(&true) {
            known.removals += 1;
            known.stale.insert(name.clone(), known.removals);
        }
        known.stale.contains_key(&name)
    }

    /// A log begins in an empty folder: what the checkpoint files say of one that was there before (a replica that left and
    /// comes back) must not be taken for this one's after a crash.
    fn forget_for_good(&self, topic: &str, partition: i32) -> Result<(), DiskError> {
        if !self.forget(topic, partition) {
            return Ok(());
        }
        // The files are written once for all that are gone by now: a topic that is made anew may have thousands of partitions.
        let gone = self.known.lock().removals;
        self.write_checkpoints([])?;
        let writing = self.writing.lock();
        let high_watermarks = self.known.lock().high_watermarks.clone();
        checkpoint::write(&*self.disk, &self.path.join(HIGH_WATERMARKS), &high_watermarks)?;
        drop(writing);
        self.known.lock().stale.retain(|_, removal| *removal > gone);
        Ok(())
    }

    /// Writes the checkpoint of high watermarks, if any has changed. What it is not told of keeps its old entry. It is
    /// written again with the next change after an error.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_high_watermarks(
        &self,
        offsets: impl IntoIterator<Item = (PartitionName, i64)>,
    ) -> Result<(), DiskError> {
        let _writing = self.writing.lock();
        let high_watermarks = {
            let known = &mut *self.known.lock();
            let mut changed = false;
            for (name, offset) in offsets {
                changed |= known.high_watermarks.insert(name, offset) != Some(offset);
            }
            if !changed {
                return Ok(());
            }
            known.high_watermarks.clone()
        };
        checkpoint::write(&*self.disk, &self.path.join(HIGH_WATERMARKS), &high_watermarks)
    }

    /// Writes the checkpoints of recovery points and log starts. What it is not told of keeps its old entry
    /// (a partition that could not be opened).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_checkpoints(
        &self,
        offsets: impl IntoIterator<Item = (PartitionName, i64, i64)>,
    ) -> Result<(), DiskError> {
        let _writing = self.writing.lock();
        let (recovery_points, start_offsets) = {
            let known = &mut *self.known.lock();
            for (name, recovery_point, start_offset) in offsets {
                known.recovery_points.insert(name.clone(), recovery_point);
                known.start_offsets.insert(name, start_offset);
            }
            (known.recovery_points.clone(), known.start_offsets.clone())
        };
        checkpoint::write(&*self.disk, &self.path.join(RECOVERY_POINTS), &recovery_points)?;
        checkpoint::write(&*self.disk, &self.path.join(START_OFFSETS), &start_offsets)
    }

    /// Notes that all logs were closed well, under which broker epoch (-1: not known), in Kafka's form (KIP-966): the last
    /// thing that a process does with the directory.
    ///
    /// After an unclean stop that is noted only once every log has been opened, and so recovered: a process that ends
    /// before it knows its partitions leaves them to the next one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn mark_clean(&self, broker_epoch: i64) -> Result<(), DiskError> {
        if !self.clean {
            let present = self.partitions()?;
            let known = self.known.lock();
            if present.iter().any(|name| !known.opened.contains(name)) {
                return Ok(());
            }
        }
        // Who has not registered has not acknowledged anything either.
        let before = self.clean_epoch.filter(|_| broker_epoch < 0);
        let broker_epoch = before.unwrap_or(broker_epoch);
        let content = format!(r#"{{"version":0,"brokerEpoch":{broker_epoch}}}"#);
        self.disk.write_file_atomically(&self.path.join(CLEAN_FILE), content.as_bytes())
    }

    /// Lets another process, or another broker of this one, take the directory. Nothing may be written to it afterwards.
    pub fn release(&self) {
        if let Some(raw) = self.lock.raw()
            && let Err(error) = rustix::fs::flock(&*raw, rustix::fs::FlockOperation::Unlock)
        {
            tracing::warn!(%error, "failed to unlock {}", self.path.display());
        }
    }

    fn folder(&self, topic: &str, partition: i32) -> PathBuf {
        self.path.join(format!("{topic}-{partition}"))
    }
}

/// The epoch in Kafka's `{"version":0,"brokerEpoch":7}`.
fn broker_epoch(content: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?;
    let (_, rest) = text.split_once(r#""brokerEpoch""#)?;
    let value = rest.trim_start().strip_prefix(':')?.trim_start();
    let end = value.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(value.len());
    value.get(..end)?.parse().ok().filter(|epoch| *epoch >= 0)
}

fn parse_folder(name: &str) -> Option<PartitionName> {
    if name.starts_with('.') || name.ends_with(DELETE_SUFFIX) || name.ends_with(STRAY_SUFFIX) {
        return None;
    }
    let (topic, partition) = name.rsplit_once('-')?;
    let partition = partition.parse().ok().filter(|p| *p >= 0)?;
    (!topic.is_empty()).then(|| (topic.to_owned(), partition))
}

fn lock(disk: &dyn Disk, path: &Path) -> Result<Arc<dyn DiskFile>, LogDirError> {
    let file = disk.open(&path.join(LOCK_FILE), OpenMode::Create)?;
    if let Some(raw) = file.raw() {
        let exclusive = rustix::fs::FlockOperation::NonBlockingLockExclusive;
        if rustix::fs::flock(&*raw, exclusive).is_err() {
            return Err(LogDirError::Locked { path: path.to_owned() });
        }
    }
    Ok(file)
}
