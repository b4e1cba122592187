//! Partitions that could not be opened for want of room or descriptors, once there are some.

use std::sync::Arc;
use std::time::Duration;

use storage::Writes;
use tokio_util::sync::CancellationToken;

use super::registry::Partitions;

/// Nobody tells that descriptors are free again: it is looked so often.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

impl Partitions {
    /// Opens them each time that the folder takes writes again, and now and then while it does. Runs until `shutdown`.
    pub(crate) async fn reopen_with_room(self: Arc<Self>, shutdown: CancellationToken) {
        let mut changes = self.gate().changes();
        let forever = async {
            loop {
                // The sender belongs to this value: an error is as good as the end of the wait.
                tokio::time::timeout(LOOK_INTERVAL, changes.changed()).await.ok();
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
