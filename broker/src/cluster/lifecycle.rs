//! A broker's life in its cluster: it registers, catches up, is unfenced, keeps saying that it is there, and gives its
//! leaderships away before it stops.
//!
//! ```text
//! start ──► registering ──► catching up ──► active ──► stopping ──► may stop
//!                ▲                             │
//!                └──── the controller does not know this registration any more
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::messages::broker_registration_request::{Feature, Listener};
use protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
};
use protocol::{ErrorCode, Str, Uuid};
use quorum::controller::Entropy;
use storage::Writes;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::metadata::NewestImage;
use super::to_controller;
use crate::context::{Broker, BrokerEpoch};
use crate::entropy::SystemEntropy;

/// How long one registration or heartbeat may take, a change of controller included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before a registration that was refused is tried again: a twin's session may end.
const REGISTER_BACKOFF: Duration = Duration::from_millis(500);
/// Pause between heartbeats of a broker that waits for something.
const EAGER_INTERVAL: Duration = Duration::from_millis(20);
/// A stop waits so long for a controller to answer at all: without a quorum nobody can take the leaderships.
const UNANSWERED_STOP: Duration = Duration::from_secs(5);
/// A stop waits so long for leaderships to move.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// What this broker says of itself.
#[derive(Debug)]
pub(crate) struct Registration {
    pub(crate) directory_id: Uuid,
    pub(crate) cluster_id: Str,
    pub(crate) advertised: (Str, u16),
    pub(crate) rack: Option<Str>,
    /// What the data folder remembers, -1 for nothing.
    pub(crate) previous_broker_epoch: i64,
}

/// Where this broker is in its life.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    registration: Registration,
    newest: Arc<NewestImage>,
    heartbeat_interval: Duration,
    broker_epoch: Arc<BrokerEpoch>,
    /// Unfenced at least once in this life: clients are served.
    serving: AtomicBool,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Serving,
    MayStop,
}

impl Lifecycle {
    pub(crate) fn new(
        registration: Registration,
        newest: Arc<NewestImage>,
        broker_epoch: Arc<BrokerEpoch>,
        heartbeat_interval: Duration,
    ) -> Self {
        let (state, serving) = (watch::Sender::new(State::Starting), AtomicBool::new(false));
        Self { registration, newest, heartbeat_interval, broker_epoch, serving, state }
    }

    /// Of a node that is a controller alone: nobody registers it, it leads no partitions, and it answers from the start.
    pub(crate) fn begin_as_controller(&self) {
        self.serving.store(true, Ordering::Release);
        self.state.send_replace(State::MayStop);
    }

    /// Where others reach this node.
    pub(crate) fn advertised(&self) -> &(Str, u16) {
        &self.registration.advertised
    }

    /// Whether clients are served. They wait before that.
    pub(crate) fn is_serving(&self) -> bool {
        self.serving.load(Ordering::Acquire)
    }

    /// Waits until clients are served.
    pub(crate) async fn serving(&self) {
        let mut state = self.state.subscribe();
        // The sender is this value itself.
        state.wait_for(|state| *state != State::Starting).await.ok();
    }

    /// Runs until `stop`, then gives leaderships away; ends without that on `shutdown`.
    pub(crate) async fn run(
        broker: Arc<Broker>,
        stop: CancellationToken,
        shutdown: CancellationToken,
    ) {
        let life = Self::live(&broker, &stop);
        if shutdown.run_until_cancelled(life).await.is_some() {
            broker.lifecycle.state.send_replace(State::MayStop);
        }
    }

    async fn live(broker: &Arc<Broker>, stop: &CancellationToken) {
        let lived = async {
            loop {
                broker.lifecycle.register(broker).await;
                broker.lifecycle.catch_up(broker).await;
                broker.lifecycle.beat(broker).await;
                tracing::warn!(
                    "the controller does not know this broker any more; registering again"
                );
            }
        };
        tokio::select! {
            () = lived => {}
            () = stop.cancelled() => {}
        }
        broker.lifecycle.leave(broker).await;
    }

    /// Waits until this broker's leaderships are given away, or cannot be.
    pub(crate) async fn left(&self) {
        let mut state = self.state.subscribe();
        state.wait_for(|state| *state == State::MayStop).await.ok();
    }

    /// Registers, however long that takes.
    async fn register(&self, broker: &Arc<Broker>) {
        let incarnation_id = SystemEntropy.uuid();
        loop {
            let request = self.request(broker, incarnation_id);
            match to_controller::call(broker, &request, REQUEST_TIMEOUT).await {
                Ok(answer) if answer.error_code == ErrorCode::NONE.0 => {
                    let epoch = answer.broker_epoch;
                    self.broker_epoch.set(epoch);
                    self.newest.registered(epoch);
                    let rack = self.registration.rack.as_deref();
                    tracing::info!(broker_epoch = epoch, rack, "registered");
                    return;
                }
                Ok(answer) => {
                    let why = ErrorCode(answer.error_code).message();
                    tracing::warn!("the controller does not register this broker: {why}");
                }
                Err(error) => tracing::warn!("this broker is not registered yet: {error}"),
            }
            tokio::time::sleep(REGISTER_BACKOFF).await;
        }
    }

    fn request(&self, broker: &Broker, incarnation_id: Uuid) -> BrokerRegistrationRequest {
        let known = self.broker_epoch.load();
        let features = quorum::features::SUPPORTED.iter().map(|feature| Feature {
            name: Str::from(feature.name),
            min_supported_version: feature.min,
            max_supported_version: feature.max,
        });
        BrokerRegistrationRequest {
            broker_id: broker.config.node_id,
            cluster_id: self.registration.cluster_id.clone(),
            incarnation_id,
            listeners: vec![Listener {
                name: Str::from("PLAINTEXT"),
                host: self.registration.advertised.0.clone(),
                port: self.registration.advertised.1,
                security_protocol: 0,
            }],
            features: features.collect(),
            rack: self.registration.rack.clone(),
            log_dirs: vec![self.registration.directory_id],
            // Within one life nothing is lost.
            previous_broker_epoch: if known >= 0 {
                known
            } else {
                self.registration.previous_broker_epoch
            },
            ..Default::default()
        }
    }

    /// Waits until this broker acts by an image that holds its registration.
    async fn catch_up(&self, broker: &Broker) {
        let (id, epoch) = (broker.config.node_id, self.broker_epoch.load());
        let registered = |image: &quorum::MetadataImage| {
            image.broker(id).is_some_and(|broker| broker.epoch >= epoch)
        };
        broker.image.wait_for_opened(registered).await;
    }

    /// Sends heartbeats until the registration is not known any more.
    async fn beat(&self, broker: &Arc<Broker>) {
        let mut writes = broker.partitions.gate().changes();
        loop {
            writes.mark_unchanged();
            let sent = Instant::now();
            let mut interval = self.heartbeat_interval;
            match self.heartbeat(broker, false).await {
                Ok(answer) if answer.error_code == ErrorCode::NONE.0 => {
                    if answer.is_fenced {
                        interval = EAGER_INTERVAL;
                    } else if !self.serving.load(Ordering::Acquire) {
                        self.begin_to_serve(broker).await;
                    }
                }
                Ok(answer) if is_unknown(answer.error_code) => return,
                Ok(answer) => {
                    tracing::warn!("heartbeat refused: {}", ErrorCode(answer.error_code).message());
                }
                Err(error) => tracing::warn!("heartbeat failed: {error}"),
            }
            tokio::select! {
                () = tokio::time::sleep_until(sent + interval) => {}
                // A disk that takes no writes holds up whoever waits for this replica: the controller hears of it at once.
                Ok(()) = writes.changed() => {}
            }
        }
    }

    /// Clients are let in once this broker's own image says that it is unfenced, so that they find the leaders that it
    /// was just given.
    async fn begin_to_serve(&self, broker: &Broker) {
        let id = broker.config.node_id;
        let unfenced =
            |image: &quorum::MetadataImage| image.broker(id).is_some_and(|broker| !broker.fenced);
        if timeout(REQUEST_TIMEOUT, broker.image.wait_for_opened(unfenced)).await.is_err() {
            return;
        }
        self.serving.store(true, Ordering::Release);
        self.state.send_replace(State::Serving);
    }

    async fn heartbeat(
        &self,
        broker: &Arc<Broker>,
        want_shut_down: bool,
    ) -> Result<BrokerHeartbeatResponse, to_controller::NoController> {
        let applied = broker.image().offset();
        let writes = *broker.partitions.gate().changes().borrow();
        let offline = (writes != Writes::Open).then_some(self.registration.directory_id);
        let request = BrokerHeartbeatRequest {
            broker_id: broker.config.node_id,
            broker_epoch: self.broker_epoch.load(),
            current_metadata_offset: i64::try_from(applied).unwrap_or(i64::MAX),
            want_fence: false,
            want_shut_down,
            offline_log_dirs: offline.into_iter().collect(),
            ..Default::default()
        };
        to_controller::call(broker, &request, REQUEST_TIMEOUT.min(self.heartbeat_interval)).await
    }

    /// Has the controller move what this broker leads.
    async fn leave(&self, broker: &Arc<Broker>) {
        if self.broker_epoch.load() < 0 {
            return;
        }
        let begun = Instant::now();
        let mut answered = begun;
        while begun.elapsed() < STOP_TIMEOUT && answered.elapsed() < UNANSWERED_STOP {
            match self.heartbeat(broker, true).await {
                Ok(answer) if answer.error_code != ErrorCode::NONE.0 => {
                    // Somebody else is this broker by now, or it was unregistered: nothing is left to give away.
                    if is_unknown(answer.error_code) {
                        return;
                    }
                }
                Ok(answer) if answer.should_shut_down => return,
                Ok(_) => answered = Instant::now(),
                Err(error) => tracing::debug!("leaderships cannot be moved yet: {error}"),
            }
            tokio::time::sleep(EAGER_INTERVAL).await;
        }
        tracing::warn!("stopping although leaderships have not been moved");
    }
}

fn is_unknown(error_code: i16) -> bool {
    let code = ErrorCode(error_code);
    code == ErrorCode::STALE_BROKER_EPOCH || code == ErrorCode::BROKER_ID_NOT_REGISTERED
}
