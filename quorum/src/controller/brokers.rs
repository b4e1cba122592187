//! A broker comes: registration (BrokerRegistration, KIP-500, KIP-631, KIP-966).

use protocol::{ErrorCode, Uuid};
use thiserror::Error;

use super::fencing::{self, Loss};
use super::{Command, Controller, Decision, Draft, Entropy};
use crate::image::BrokerImage;
use crate::record::{BrokerRecord, MetadataRecord};

/// A broker has (re)started and asks to be one of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBroker {
    /// Node id, from 0.
    pub broker_id: i32,
    /// This life of its process; a request that is sent twice has the same.
    pub incarnation_id: Uuid,
    /// Its data folder: another one than before means that nothing is left of what it held.
    pub directory_id: Uuid,
    /// The epoch that its data folder remembers; -1 for none. An older one than that of the last registration under which it
    /// was let in means that the folder is an old copy, or that the broker was killed while it acknowledged records that
    /// were not on its disk.
    pub previous_broker_epoch: i64,
    /// Where clients reach it.
    pub host: String,
    /// Where clients reach it.
    pub port: u16,
    /// Failure domain.
    pub rack: Option<String>,
    /// Feature levels to finalize when the cluster is new.
    pub features: Vec<(String, i16)>,
    /// The controller's clock in ms.
    pub now_ms: u64,
}

/// Why a broker cannot register.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum RegisterError {
    /// Node ids are not negative.
    #[error("node id {0} is negative")]
    NegativeId(i32),
    /// Another process with that id is alive.
    #[error(
        "another broker is registered as node {0}, with another data folder, and it is alive; give each broker an id of its own"
    )]
    Duplicate(i32),
}

impl RegisterError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        match self {
            RegisterError::NegativeId(_) => ErrorCode::INVALID_REQUEST,
            RegisterError::Duplicate(_) => ErrorCode::DUPLICATE_BROKER_REGISTRATION,
        }
    }
}

impl Command for RegisterBroker {
    /// The broker's epoch.
    type Answer = Result<i64, RegisterError>;

    /// The broker begins fenced; its heartbeats unfence it once it has read the metadata up to its registration.
    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        if self.broker_id < 0 {
            return Decision::refusal(Err(RegisterError::NegativeId(self.broker_id)));
        }
        let image = controller.image.clone();
        let before = image.broker(self.broker_id);
        if let Some(before) = before {
            if before.incarnation_id == self.incarnation_id && !self.incarnation_id.is_zero() {
                return Decision::refusal(Ok(before.epoch));
            }
            // The same folder cannot be open twice, so its former life is over, whatever its session says.
            let alive = controller.sessions.is_alive(self.broker_id, self.now_ms);
            if !before.fenced && alive && before.directory_id != self.directory_id {
                return Decision::refusal(Err(RegisterError::Duplicate(self.broker_id)));
            }
        }
        let loss = before.map_or(Loss::Nothing, |before| self.loss_since(before));
        #[cfg(feature = "planted")]
        let loss = match loss {
            Loss::Disk if controller.has(super::Planted::EmptyDiskInSync) => Loss::Nothing,
            Loss::Tail if controller.has(super::Planted::OldDiskInSync) => Loss::Nothing,
            loss => loss,
        };
        let kept = before.filter(|_| loss == Loss::Nothing);
        let whole_since = kept.map(|before| before.whole_since);
        let mut draft = Draft::of(controller);
        if image.features().is_empty() {
            let level = |(name, level)| MetadataRecord::FeatureLevel { name, level };
            draft.add(self.features.into_iter().map(level).collect());
        }
        // As in Kafka the epoch tells from where on the metadata log knows of this life.
        let offset = i64::try_from(draft.image.offset()).unwrap_or(i64::MAX - 1);
        let epoch = image.next_broker_epoch().max(offset + 1);
        draft.add(vec![MetadataRecord::RegisterBroker(BrokerRecord {
            broker_id: self.broker_id,
            broker_epoch: epoch,
            host: self.host,
            port: self.port,
            rack: self.rack,
            fenced: true,
            incarnation_id: self.incarnation_id,
            directory_id: self.directory_id,
            in_controlled_shutdown: false,
            whole_since,
            // A new life of the process looks at its disk anew, and says so by its heartbeats.
            log_dir_offline: false,
        })]);
        fencing::registered(controller, &mut draft, self.broker_id, loss);
        controller.sessions.touch(self.broker_id, self.now_ms);
        draft.decision(false, Ok(epoch))
    }
}

impl RegisterBroker {
    fn loss_since(&self, before: &BrokerImage) -> Loss {
        let remembered = before.whole_since..=before.epoch;
        // Registrations of the first versions have no folder's id.
        if !before.directory_id.is_zero() && before.directory_id != self.directory_id {
            Loss::Disk
        } else if before.directory_id.is_zero() || remembered.contains(&self.previous_broker_epoch)
        {
            Loss::Nothing
        } else {
            Loss::Tail
        }
    }
}
