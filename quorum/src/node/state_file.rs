//! The file `quorum-state`: epoch and vote.

use std::path::Path;

use serde::{Deserialize, Serialize};
use storage::disk::{Disk, DiskError};

use super::OpenError;
use crate::raft::{HardState, Voter};

/// The file's name (Kafka's).
pub const FILE_NAME: &str = "quorum-state";

/// The form on disk: JSON, so that a person can read it.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    version: u32,
    epoch: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voted_for: Option<Voter>,
}

const VERSION: u32 = 1;

/// Reads the state; a folder without one has seen no epoch.
pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<HardState, OpenError> {
    let path = dir.join(FILE_NAME);
    let Some(bytes) = disk.read_file(&path)? else { return Ok(HardState::default()) };
    let damaged = |why: String| OpenError::State { path: path.display().to_string(), why };
    let content: Content = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if content.version != VERSION || content.epoch < 0 {
        return Err(damaged(format!("version {}, epoch {}", content.version, content.epoch)));
    }
    Ok(HardState { epoch: content.epoch, voted_for: content.voted_for })
}

/// Makes the state durable.
pub(super) fn write(disk: &dyn Disk, dir: &Path, state: HardState) -> Result<(), DiskError> {
    let content = Content { version: VERSION, epoch: state.epoch, voted_for: state.voted_for };
    // Numbers and a text: they can always be written.
    let bytes = serde_json::to_vec(&content).unwrap_or_default();
    disk.write_file_atomically(&dir.join(FILE_NAME), &bytes)
}
