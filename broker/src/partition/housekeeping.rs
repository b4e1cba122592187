//! What happens to partitions by the clock: retention, checkpoints, expiry. Blocks: runs on a thread of its own.

use std::sync::Arc;

use quorum::MetadataImage;
use storage::{DiskError, FlushTarget, Folder};

use super::hosted::Partition;
use super::registry::Partitions;

impl Partitions {
    /// Applies retention to all partitions, forgets silent producers, gives idle partitions' memory back.
    pub(crate) fn clean_up(&self, now_ms: i64, producer_expiration_ms: i64) {
        for partition in self.view().online() {
            let inner = &mut *partition.inner.lock();
            let high_watermark = inner.replica.high_watermark().offset;
            let log = inner.replica.log_mut();
            match log.apply_retention(high_watermark, now_ms) {
                Ok(0) => {}
                Ok(removed) => {
                    tracing::info!(
                        %partition, removed, start = log.start_offset(), "retention removed segments"
                    );
                }
                Err(error) => tracing::error!(%partition, "retention failed: {error}"),
            }
            log.expire_producers(now_ms, producer_expiration_ms);
            if !std::mem::take(&mut inner.touched) {
                log.cool();
            }
        }
    }

    /// Brings the averages of bytes in and out up to date.
    pub(crate) fn sample_traffic(&self, monotonic_ms: u64) {
        for partition in self.view().online() {
            partition.traffic.sample(partition.leads(), monotonic_ms);
        }
    }

    /// Flushes what is not on disk yet and writes the checkpoints, so that a restart after a crash scans little.
    ///
    /// # Errors
    /// The first failed call.
    pub(crate) fn checkpoint(&self) -> Result<(), DiskError> {
        let view = self.view();
        for partition in view.online() {
            if partition.inner.lock().replica.needs_flush() {
                partition.request_flush();
            }
        }
        self.log_dir.write_checkpoints(view.online().map(|partition| partition.checkpointed()))
    }

    /// Writes the checkpoint of high watermarks: where a replica begins after a crash.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn checkpoint_high_watermarks(&self) -> Result<(), DiskError> {
        let view = self.view();
        let offsets: Vec<_> = view
            .online()
            .filter_map(|partition| {
                let inner = partition.inner.lock();
                // A replica that is alone has committed all that it has: it needs no checkpoint.
                let shared = inner.replica.assignment().replicas.len() > 1;
                let name = || (partition.topic.to_string(), partition.index);
                shared.then(|| (name(), inner.replica.high_watermark().offset))
            })
            .collect();
        self.log_dir.write_high_watermarks(offsets)
    }

    /// Makes a moved log start durable (DeleteRecords).
    ///
    /// # Errors
    /// When the checkpoint cannot be written.
    pub(crate) fn checkpoint_starts(&self, changed: &[Arc<Partition>]) -> Result<(), DiskError> {
        self.log_dir.write_checkpoints(changed.iter().map(|partition| partition.checkpointed()))
    }

    /// Puts folders aside that belong to no topic of `image`, or to other nodes: of topics that were deleted while this node was
    /// down, also when there are others of the same names by now, or of a metadata log that was replaced. Their records stay on disk.
    pub(crate) fn put_strays_aside(&self, image: &MetadataImage) -> Result<(), DiskError> {
        for Folder { topic, partition, topic_id } in self.log_dir.folders()? {
            if !image.claims(self.node_id, &topic, partition, topic_id.as_deref()) {
                tracing::warn!(%topic, partition, "nothing on this node claims this folder: it is renamed to `…-stray`");
                self.log_dir.put_aside(&topic, partition, topic_id.as_deref())?;
            }
        }
        Ok(())
    }

    /// After [`Partitions::close`]: another broker may take the folder.
    pub(crate) fn release_folder(&self) {
        self.log_dir.release();
    }

    /// Closes all logs and notes that this was done, under which broker epoch (-1: none), so that the next start needs no
    /// scan.
    ///
    /// # Errors
    /// The first failed call; the next start recovers then.
    pub(crate) fn close(&self, broker_epoch: i64) -> Result<(), DiskError> {
        let view = self.view();
        let mut first_error = None;
        for partition in view.online() {
            // Those who wait for a commit get it; afterwards nothing is taken any more.
            let closed = partition.flush().and_then(|()| {
                let inner = &mut *partition.inner.lock();
                let closed = inner.replica.log_mut().close();
                inner.replica.log_mut().fail();
                closed
            });
            if let Err(error) = closed {
                tracing::error!(%partition, "cannot close the log: {error}");
                first_error.get_or_insert(error);
            }
        }
        self.log_dir.write_checkpoints(view.online().map(|partition| partition.checkpointed()))?;
        self.checkpoint_high_watermarks()?;
        match first_error {
            None => self.log_dir.mark_clean(broker_epoch),
            Some(error) => Err(error),
        }
    }
}
