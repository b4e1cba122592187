use protocol::ErrorCode;
use thiserror::Error;

use super::fencing;
use super::{Command, Controller, Decision, Draft, Entropy};
use crate::record::MetadataRecord;

/// A broker is gone for good (UnregisterBroker).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnregisterBroker {
    /// Node id.
    pub broker_id: i32,
}

/// Why a broker stays.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum UnregisterError {
    /// It is not there.
    #[error("Broker ID {0} is not currently registered")]
    NotRegistered(i32),
}

impl UnregisterError {
    /// Kafka's code for it.
    pub fn code(&self) -> ErrorCode {
        ErrorCode::BROKER_ID_NOT_REGISTERED
    }
}

impl Command for UnregisterBroker {
    type Answer = Result<(), UnregisterError>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let broker_id = self.broker_id;
        if controller.image.broker(broker_id).is_none() {
            return Decision::refusal(Err(UnregisterError::NotRegistered(broker_id)));
        }
        let mut draft = Draft::of(controller);
        fencing::fenced(controller, &mut draft, broker_id);
        draft.add(vec![MetadataRecord::UnregisterBroker { broker_id }]);
        controller.sessions.forget(broker_id);
        draft.decision(false, Ok(()))
    }
}
