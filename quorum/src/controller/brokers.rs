use thiserror::Error;

use super::{Command, Controller, Decision, Draft, Entropy};
use crate::record::{BrokerRecord, MetadataRecord, PartitionChange};

/// A broker has (re)started and asks to be one of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterBroker {
    /// Node id, from 0.
    pub broker_id: i32,
    /// Where clients reach it.
    pub host: String,
    /// Where clients reach it.
    pub port: u16,
    /// Failure domain.
    pub rack: Option<String>,
    /// Feature levels to finalize when the cluster is new.
    pub features: Vec<(String, i16)>,
}

/// Why a broker cannot register.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum RegisterError {
    /// Node ids are not negative.
    #[error("node id {0} is negative")]
    NegativeId(i32),
}

impl Command for RegisterBroker {
    /// The broker's epoch.
    type Answer = Result<i64, RegisterError>;

    /// Every partition that the broker led gets a new leader epoch: its log may have lost an unflushed tail, and
    /// followers and consumers find out by the epoch (KIP-101, KIP-320).
    fn decide(self, controller: &Controller, _: &mut dyn Entropy) -> Decision<Self::Answer> {
        if self.broker_id < 0 {
            let answer = Err(RegisterError::NegativeId(self.broker_id));
            return Decision { records: Vec::new(), answer };
        }
        let image = &controller.image;
        let epoch = image.next_broker_epoch();
        let mut draft = Draft::of(controller);
        if image.features().is_empty() {
            let level = |(name, level)| MetadataRecord::FeatureLevel { name, level };
            draft.add(self.features.into_iter().map(level).collect());
        }
        draft.add(vec![MetadataRecord::RegisterBroker(BrokerRecord {
            broker_id: self.broker_id,
            broker_epoch: epoch,
            host: self.host,
            port: self.port,
            rack: self.rack,
            fenced: false,
        })]);
        let led = image.topics().iter().flat_map(|topic| {
            let mine = topic.iter().filter(|(_, partition)| {
                partition.leader == self.broker_id
                    || (partition.leader == -1 && partition.isr.contains(&self.broker_id))
            });
            mine.map(|(partition, _)| {
                MetadataRecord::PartitionChange(PartitionChange {
                    topic_id: topic.id,
                    partition,
                    isr: None,
                    leader: Some(self.broker_id),
                    replicas: None,
                })
            })
        });
        let led: Vec<_> = led.collect();
        draft.add(led);
        draft.decision(false, Ok(epoch))
    }
}
