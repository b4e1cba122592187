//! A broker is there, or wants to go (BrokerHeartbeat, KIP-631), or cannot write (KIP-858), or has not been heard of.

use protocol::{ErrorCode, Uuid};
use thiserror::Error;

use super::fencing;
use super::{Command, Controller, Decision, Draft, Entropy};
use crate::image::BrokerImage;
use crate::record::{BrokerChange, MetadataRecord};

/// A broker says that it is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerHeartbeat {
    /// Node id.
    pub broker_id: i32,
    /// Its registration.
    pub broker_epoch: i64,
    /// How many metadata records it has applied.
    pub metadata_offset: u64,
    /// It must not lead: its start is not over, or its disk failed.
    pub want_fence: bool,
    /// It wants to stop: its leaderships shall go first.
    pub want_shut_down: bool,
    /// Log directories that take no writes (OfflineLogDirs). Unlike Kafka's they may be named now and not any more later: a
    /// full disk has room again when something on it is deleted.
    pub offline_log_dirs: Vec<Uuid>,
    /// The controller's clock in ms.
    pub now_ms: u64,
}

/// What a broker learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatAnswer {
    /// It has applied everything up to its registration.
    pub is_caught_up: bool,
    /// It leads nothing.
    pub is_fenced: bool,
    /// It may stop: nobody is left whom its leaving would take by surprise.
    pub should_shut_down: bool,
}

/// Why a heartbeat does not count.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum HeartbeatError {
    /// It must register first.
    #[error("broker {0} is not registered")]
    NotRegistered(i32),
    /// A later registration exists.
    #[error("broker {0} has registered again since epoch {1}")]
    StaleEpoch(i32, i64),
}

impl HeartbeatError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            HeartbeatError::NotRegistered(_) => ErrorCode::BROKER_ID_NOT_REGISTERED,
            HeartbeatError::StaleEpoch(..) => ErrorCode::STALE_BROKER_EPOCH,
        }
    }
}

impl Command for BrokerHeartbeat {
    type Answer = Result<HeartbeatAnswer, HeartbeatError>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let id = self.broker_id;
        let Some(broker) = controller.image.broker(id).cloned() else {
            return Decision::refusal(Err(HeartbeatError::NotRegistered(id)));
        };
        if broker.epoch != self.broker_epoch {
            return Decision::refusal(Err(HeartbeatError::StaleEpoch(id, self.broker_epoch)));
        }
        controller.sessions.touch(id, self.now_ms);
        let is_caught_up = i64::try_from(self.metadata_offset).is_ok_and(|at| at >= broker.epoch);
        let mut draft = Draft::of(controller);
        let mut is_fenced = broker.fenced;
        let offline = self.offline_log_dirs.contains(&broker.directory_id);
        if offline != broker.log_dir_offline {
            let change = BrokerChange { log_dir_offline: Some(offline), ..no_change(&broker) };
            draft.add(vec![MetadataRecord::BrokerChange(change)]);
            if offline {
                fencing::log_dir_offline(controller, &mut draft, id);
            } else if !broker.fenced {
                fencing::unfenced(controller, &mut draft, id);
            }
        }
        if self.want_shut_down && !broker.in_controlled_shutdown {
            draft.change(id, broker.epoch, None, Some(true));
            fencing::shutting_down(controller, &mut draft, id);
        } else if self.want_fence && !broker.fenced {
            draft.change(id, broker.epoch, Some(true), None);
            fencing::fenced(controller, &mut draft, id);
            is_fenced = true;
        } else if broker.fenced && is_caught_up && !self.want_fence && !self.want_shut_down {
            draft.change(id, broker.epoch, Some(false), None);
            fencing::unfenced(controller, &mut draft, id);
            is_fenced = false;
        }
        // It sees for itself, in the metadata up to this decision, that it leads nothing that another could lead.
        let moved = draft.records.is_empty();
        let should_shut_down = self.want_shut_down && (moved || is_fenced);
        draft.decision(false, Ok(HeartbeatAnswer { is_caught_up, is_fenced, should_shut_down }))
    }
}

/// Fences the brokers whose session is over. The active controller's node asks for it now and then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FenceSilentBrokers {
    /// The controller's clock in ms.
    pub now_ms: u64,
}

impl Command for FenceSilentBrokers {
    /// The brokers that were fenced.
    type Answer = Vec<i32>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let image = controller.image.clone();
        let expired = controller.sessions.expired(&image, self.now_ms);
        #[cfg(feature = "planted")]
        let expired =
            if controller.has(super::Planted::NeverFences) { Vec::new() } else { expired };
        let mut draft = Draft::of(controller);
        for id in &expired {
            let Some(broker) = image.broker(*id) else { continue };
            draft.change(*id, broker.epoch, Some(true), None);
            fencing::fenced(controller, &mut draft, *id);
        }
        draft.decision(false, expired)
    }
}

/// Fences one broker that is known to be dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FenceBroker {
    /// Node id.
    pub broker_id: i32,
    /// The registration that is dead.
    pub broker_epoch: i64,
}

impl Command for FenceBroker {
    /// Whether it was unfenced, and of that registration, until now.
    type Answer = bool;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let mut draft = Draft::of(controller);
        let broker = controller.image.broker(self.broker_id);
        let lives = broker.is_some_and(|b| b.epoch == self.broker_epoch && !b.fenced);
        if lives {
            draft.change(self.broker_id, self.broker_epoch, Some(true), None);
            fencing::fenced(controller, &mut draft, self.broker_id);
        }
        draft.decision(false, lives)
    }
}

impl Draft {
    fn change(&mut self, id: i32, epoch: i64, fenced: Option<bool>, leaving: Option<bool>) {
        self.add(vec![MetadataRecord::BrokerChange(BrokerChange {
            broker_id: id,
            broker_epoch: epoch,
            fenced,
            in_controlled_shutdown: leaving,
            log_dir_offline: None,
        })]);
    }
}

fn no_change(broker: &BrokerImage) -> BrokerChange {
    BrokerChange {
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        fenced: None,
        in_controlled_shutdown: None,
        log_dir_offline: None,
    }
}
