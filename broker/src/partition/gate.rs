//! Whether the log directory takes writes, for all who write into it and all who must know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use storage::{DiskError, Reserve, WriteGate, Writes};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::context::Clock;

/// How often it is looked whether a full disk is to be probed.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The gate of the log directory. Each write that the disk refuses is told to it; while it is closed nothing is appended, as
/// leader or as follower, and heartbeats say so (KIP-858), so that other replicas take over.
#[derive(Debug)]
pub(crate) struct LogDirGate {
    open: AtomicBool,
    gate: Mutex<WriteGate>,
    changes: watch::Sender<Writes>,
    /// Told when the broker cannot go on.
    failed: Arc<watch::Sender<Option<String>>>,
}

impl LogDirGate {
    pub(crate) fn new(failed: Arc<watch::Sender<Option<String>>>) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicBool::new(true),
            gate: Mutex::default(),
            changes: watch::Sender::new(Writes::Open),
            failed,
        })
    }

    /// Whether writes are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// What holds, and whenever that changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Writes> {
        self.changes.subscribe()
    }

    /// A write or a sync was refused.
    pub(crate) fn refused(&self, error: &DiskError) {
        let mut gate = self.gate.lock();
        if !gate.refused(error) {
            return;
        }
        let writes = gate.writes();
        self.tell(writes);
        drop(gate);
        if writes == Writes::Failed {
            tracing::error!("{error}: nothing can be acknowledged any more");
            self.failed.send_replace(Some(error.to_string()));
        } else {
            tracing::error!("no records are taken until there is room: {error}");
        }
    }

    /// Under the gate's lock, so that what is told last is what holds.
    fn tell(&self, writes: Writes) {
        self.open.store(writes == Writes::Open, Ordering::Release);
        self.changes.send_replace(writes);
    }

    fn probed(&self, found_room: bool, now_ms: u64) {
        let mut gate = self.gate.lock();
        if gate.probed(found_room, now_ms) {
            self.tell(gate.writes());
            tracing::info!("there is room on the disk again; records are taken");
        }
    }

    /// Looks for room while there is none. Runs until `shutdown`.
    pub(crate) async fn watch(
        self: Arc<Self>,
        reserve: Arc<Reserve>,
        clock: Arc<dyn Clock>,
        shutdown: CancellationToken,
    ) {
        shutdown.run_until_cancelled(self.probe(&reserve, &*clock)).await;
    }

    async fn probe(&self, reserve: &Arc<Reserve>, clock: &dyn Clock) {
        let mut changes = self.changes();
        // The sender is this value itself.
        while changes.wait_for(|writes| *writes == Writes::Full).await.is_ok() {
            tokio::time::sleep(LOOK_INTERVAL).await;
            if !self.gate.lock().probe_is_due(clock.monotonic_ms()) {
                continue;
            }
            let reserve = Arc::clone(reserve);
            let probed = tokio::task::spawn_blocking(move || reserve.probe()).await;
            let found_room = match probed {
                Ok(Err(error)) if !error.is_transient() => {
                    self.refused(&error);
                    false
                }
                Ok(probed) => probed.is_ok(),
                Err(_) => false,
            };
            self.probed(found_room, clock.monotonic_ms());
        }
    }
}
