//! Who waits for a group's answer.

use groups::{JoinAnswer, SyncAnswer};
use tokio::sync::oneshot;

/// All groups of one partition of `__consumer_offsets`, and who waits in them.
pub(super) type Shard = groups::Shard<Waiter>;

/// Who waits for an answer.
#[derive(Debug)]
pub(super) enum Waiter {
    Join(oneshot::Sender<JoinAnswer>),
    Sync(oneshot::Sender<SyncAnswer>),
}
