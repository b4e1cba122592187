//! From a committed image to what this broker does: partitions first, then the handlers see it.
//!
//! Opening logs takes long, and the quorum must not wait for it: images are applied by a thread of their own, always the
//! newest one. Logs are opened only once the image holds this life's registration: what an image from before says of
//! this broker's partitions may be about a disk that is not there any more.

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use quorum::MetadataImage;
use storage::{DiskError, EpochFile};
use tokio::sync::watch;

use crate::config::Configs;
use crate::context::ImageCell;
use crate::partition::Partitions;
use crate::peers::Peers;

/// The newest committed image, for whoever has time to apply it.
#[derive(Debug, Default)]
pub(crate) struct NewestImage {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    image: Option<Arc<MetadataImage>>,
    /// Epoch of this life's registration, once known.
    broker_epoch: Option<i64>,
    stopped: bool,
}

impl NewestImage {
    /// Replaces the image.
    pub(crate) fn set(&self, image: Arc<MetadataImage>) {
        self.state.lock().image = Some(image);
        self.changed.notify_all();
    }

    /// This broker has registered: images with that registration may be acted on.
    pub(crate) fn registered(&self, broker_epoch: i64) {
        self.state.lock().broker_epoch = Some(broker_epoch);
        self.changed.notify_all();
    }

    /// No image is given out any more.
    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for an image other than `last`, or for the registration that lets `last` be acted on.
    fn next(&self, last: &Applied) -> Option<(Arc<MetadataImage>, Option<i64>)> {
        let mut state = self.state.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(image) = &state.image {
                let news = last.image.as_ref().is_none_or(|last| !Arc::ptr_eq(last, image));
                if news || state.broker_epoch != last.broker_epoch {
                    return Some((Arc::clone(image), state.broker_epoch));
                }
            }
            self.changed.wait(&mut state);
        }
    }
}

#[derive(Default)]
struct Applied {
    image: Option<Arc<MetadataImage>>,
    broker_epoch: Option<i64>,
    opened: bool,
}

/// Applies images as they come.
pub(crate) struct MetadataApplier {
    pub(crate) node_id: i32,
    pub(crate) newest: Arc<NewestImage>,
    pub(crate) partitions: Arc<Partitions>,
    pub(crate) peers: Arc<Peers>,
    /// Voters that may not be registered as brokers (yet).
    pub(crate) voters: Vec<(i32, String, u16)>,
    pub(crate) cell: Arc<ImageCell>,
    pub(crate) configs: Arc<Configs>,
    pub(crate) epoch_file: EpochFile,
    pub(crate) failed: Arc<watch::Sender<Option<String>>>,
}

impl MetadataApplier {
    /// Starts the thread; it ends after [`NewestImage::stop`].
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(crate) fn start(self) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("metadata".to_owned()).spawn(move || self.run())
    }

    fn run(mut self) {
        let mut applied = Applied::default();
        while let Some((image, broker_epoch)) = self.newest.next(&applied) {
            self.know_addresses(&image);
            let registered = broker_epoch.filter(|epoch| {
                image.broker(self.node_id).is_some_and(|broker| broker.epoch >= *epoch)
            });
            if registered.is_some() || applied.opened {
                if let Err(error) = self.act_on(&image, registered, applied.opened) {
                    self.failed.send_replace(Some(error.to_string()));
                    return;
                }
                applied.opened = true;
            }
            self.cell.publish(Arc::clone(&image), applied.opened);
            applied.image = Some(image);
            applied.broker_epoch = broker_epoch;
        }
    }

    fn act_on(
        &mut self,
        image: &Arc<MetadataImage>,
        registered: Option<i64>,
        opened: bool,
    ) -> Result<(), DiskError> {
        if let Some(epoch) = registered {
            self.epoch_file.note(epoch, self.configs.broker_bool(image, "log.flush.before.ack"))?;
        }
        if !opened {
            self.partitions.put_strays_aside(image)?;
        }
        self.partitions.apply(image);
        Ok(())
    }

    /// A broker's registration is newer than the configuration.
    fn know_addresses(&self, image: &MetadataImage) {
        let registered = image.brokers().map(|b| (b.id, b.host.to_string(), b.port));
        let others = self.voters.iter().filter(|(id, ..)| image.broker(*id).is_none()).cloned();
        self.peers.set_addresses(registered.chain(others));
    }
}
