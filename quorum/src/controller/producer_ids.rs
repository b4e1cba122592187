use thiserror::Error;

use super::{Command, Controller, Decision, Entropy};
use crate::record::MetadataRecord;

/// How many producer ids a broker gets at once (Kafka's block size).
const BLOCK: i32 = 1000;

/// A broker needs producer ids to give to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllocateProducerIds;

/// Ids that no other broker was or will be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// First id.
    pub first: i64,
    /// How many.
    pub len: i32,
}

/// All 2⁶³ ids are used up.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[error("all producer ids are used up")]
pub struct ProducerIdError;

impl Command for AllocateProducerIds {
    type Answer = Result<ProducerIdBlock, ProducerIdError>;

    fn decide(self, controller: &mut Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        let first = controller.image.next_producer_id();
        match first.checked_add(i64::from(BLOCK)) {
            None => Decision { records: Vec::new(), answer: Err(ProducerIdError) },
            Some(next_producer_id) => Decision {
                records: vec![MetadataRecord::ProducerIds { next_producer_id }],
                answer: Ok(ProducerIdBlock { first, len: BLOCK }),
            },
        }
    }
}
