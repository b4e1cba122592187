//! Partitions that could not be opened for want of room, once there is some.

use std::sync::Arc;

use storage::Writes;
use tokio_util::sync::CancellationToken;

use super::registry::Partitions;

impl Partitions {
    /// Opens them each time that the folder takes writes again. Runs until `shutdown`.
    pub(crate) async fn reopen_with_room(self: Arc<Self>, shutdown: CancellationToken) {
        let mut changes = self.gate().changes();
        let forever = async {
            // The sender belongs to this value.
            while changes.changed().await.is_ok() {
                if *changes.borrow_and_update() == Writes::Open {
                    let partitions = Arc::clone(&self);
                    // A panic there is a bug that shows itself; the next change tries again.
                    tokio::task::spawn_blocking(move || partitions.reopen()).await.ok();
                }
            }
        };
        shutdown.run_until_cancelled(forever).await;
    }
}
