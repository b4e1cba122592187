//! What a data folder remembers of its last registration, as `broker::cluster::epoch_file` keeps it.

use std::path::PathBuf;
use std::sync::Arc;

use storage::{Disk, DiskError};

/// The file with the epoch.
#[derive(Debug)]
pub(super) struct EpochFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    noted: Option<i64>,
    /// Something may have been acknowledged that is not on the disk.
    tainted: bool,
}

impl EpochFile {
    pub(super) fn open(disk: Arc<dyn Disk>) -> Result<Self, DiskError> {
        let path = crate::disk::data_dir().join("broker-epoch");
        let content = disk.read_file(&path)?;
        let parse = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse().ok();
        let noted = content.as_deref().and_then(parse);
        Ok(Self { disk, path, noted, tainted: false })
    }

    /// The last epoch that nothing was lost since.
    pub(super) fn epoch(&self) -> Option<i64> {
        self.noted
    }

    pub(super) fn note(&mut self, broker_epoch: i64, durable: bool) -> Result<(), DiskError> {
        self.tainted |= !durable;
        let wanted = (!self.tainted).then_some(broker_epoch);
        if wanted == self.noted {
            return Ok(());
        }
        match wanted {
            Some(epoch) => {
                self.disk.write_file_atomically(&self.path, epoch.to_string().as_bytes())?;
            }
            None => {
                self.disk.remove(&self.path)?;
                if let Some(dir) = self.path.parent() {
                    self.disk.sync_dir(dir)?;
                }
            }
        }
        self.noted = wanted;
        Ok(())
    }
}
