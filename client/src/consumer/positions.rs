//! Where partitions without a position begin: what the group committed, else what the configuration says.

use super::partitions::{Start, Ticket};
use super::{AutoOffsetReset, ConsumeError, Isolation, Shared};
use crate::TopicPartition;
use crate::group::offsets;

/// Kafka's special timestamps of ListOffsets.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// What became of the search for a partition's position.
pub(super) type Found = (Ticket, Result<i64, ConsumeError>);

impl Shared {
    /// Finds positions.
    pub(super) async fn find_positions(&self, lost: Vec<(Ticket, Start)>) -> Vec<Found> {
        let committed = match self.find_committed(&lost).await {
            Ok(committed) => committed,
            Err(error) => {
                let fail = |(ticket, _)| (ticket, Err(ConsumeError::Client(error.clone())));
                return lost.into_iter().map(fail).collect();
            }
        };
        let mut found = Vec::with_capacity(lost.len());
        let mut reset = Vec::new();
        for (ticket, start) in lost {
            match committed.get(&ticket.partition) {
                Some(offset) if start == Start::Committed => found.push((ticket, Ok(*offset))),
                _ => reset.push((ticket, start)),
            }
        }
        found.extend(self.reset(reset).await);
        found
    }

    async fn find_committed(
        &self,
        lost: &[(Ticket, Start)],
    ) -> Result<std::collections::HashMap<TopicPartition, i64>, crate::ClientError> {
        let wanted: Vec<TopicPartition> = lost
            .iter()
            .filter(|(_, start)| *start == Start::Committed)
            .map(|(ticket, _)| ticket.partition.clone())
            .collect();
        match &self.coordinator {
            Some(coordinator) if !wanted.is_empty() => {
                let stable = self.config.isolation == Isolation::ReadCommitted;
                offsets::fetch(coordinator, Some(&wanted), stable).await
            }
            _ => Ok(std::collections::HashMap::new()),
        }
    }

    async fn reset(&self, tickets: Vec<(Ticket, Start)>) -> Vec<Found> {
        let timestamp = match self.config.auto_offset_reset {
            AutoOffsetReset::Earliest => EARLIEST,
            AutoOffsetReset::Latest => LATEST,
            AutoOffsetReset::None => {
                let fail = |(ticket, start): (Ticket, Start)| {
                    let partition = ticket.partition.clone();
                    let reason = match start {
                        Start::OutOfRange => "its offset does not exist",
                        _ => "nothing is committed",
                    };
                    (ticket, Err(ConsumeError::NoPosition { partition, reason }))
                };
                return tickets.into_iter().map(fail).collect();
            }
        };
        if tickets.is_empty() {
            return Vec::new();
        }
        let wanted: Vec<_> =
            tickets.iter().map(|(t, _)| (t.partition.clone(), timestamp)).collect();
        let listed = self.client.offsets_at(&wanted, self.config.isolation.code()).await;
        tickets
            .into_iter()
            .zip(listed)
            .map(|((ticket, _), (_, result))| {
                (ticket, result.map(|l| l.offset).map_err(ConsumeError::Client))
            })
            .collect()
    }
}
