//! What the data folder remembers of its last registration.
//!
//! A broker that comes back with its last epoch has lost nothing that counted, and stays eligible to lead (KIP-966). Kafka
//! can say so after a clean stop only. Here a replica counts a record as held when it is on disk
//! (`log.flush.before.ack`), so a killed broker has it as well: the epoch is noted as soon as the broker registers. Once
//! that config has been off for a moment, only a clean stop notes it, until the next start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Disk, DiskError};

const FILE_NAME: &str = "broker-epoch";

/// The file with the epoch.
#[derive(Debug)]
pub struct EpochFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// What the file says; `None` when there is none.
    noted: Option<i64>,
    /// Something may have been acknowledged that is not on the disk.
    tainted: bool,
}

impl EpochFile {
    /// Reads the file in the data folder.
    ///
    /// # Errors
    /// The disk refuses. A file that cannot be understood counts as none: that is the safe side.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, DiskError> {
        let path = dir.join(FILE_NAME);
        let content = disk.read_file(&path)?;
        let parse = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse().ok();
        let noted = content.as_deref().and_then(parse);
        Ok(Self { disk, path, noted, tainted: false })
    }

    /// The last epoch that nothing was lost since, -1 for none.
    pub fn epoch(&self) -> i64 {
        self.noted.unwrap_or(-1)
    }

    /// Notes the epoch, or takes the note away when `durable` (what is acknowledged is on disk) does not hold. Called
    /// before any partition works by that.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn note(&mut self, broker_epoch: i64, durable: bool) -> Result<(), DiskError> {
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

#[cfg(test)]
mod tests {
    use crate::OsDisk;

    use super::*;

    #[test]
    fn an_epoch_is_kept_only_while_nothing_can_be_lost() {
        let dir = tempfile::tempdir().unwrap();
        let open = || EpochFile::open(Arc::new(OsDisk), dir.path()).unwrap();
        let mut file = open();
        assert_eq!(file.epoch(), -1);
        file.note(7, true).unwrap();
        assert_eq!(open().epoch(), 7);
        file.note(7, false).unwrap();
        assert_eq!(open().epoch(), -1);
        file.note(7, true).unwrap();
        assert_eq!(open().epoch(), -1, "what was written meanwhile may be lost");
    }
}
