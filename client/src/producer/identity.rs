//! Who an idempotent producer is, and the numbers its batches carry.

use protocol::messages::InitProducerIdRequest;

use crate::cluster::Lane;
use crate::{ApiError, Client, ClientError};

/// Producer id and epoch, as given by a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// Sequence number after `count` records from `first` on; it wraps to 0, as in Kafka.
pub(super) fn sequence_after(first: i32, count: i32) -> i32 {
    first.checked_add(count).unwrap_or_else(|| count - (i32::MAX - first) - 1)
}

/// Asks a broker for a new identity, once.
pub(super) async fn obtain(client: &Client, lane: Lane) -> Result<Identity, ClientError> {
    let request = InitProducerIdRequest {
        // Kafka's default is the empty string, which is not a legal id.
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    };
    let nodes: Vec<i32> = client.snapshot().nodes.keys().copied().collect();
    let response = match fastrand::choice(nodes) {
        Some(node) => client.call_node(node, lane, &request, i16::MAX).await?,
        None => client.call_any(&request).await?,
    };
    ApiError::check(response.error_code)?;
    Ok(Identity { id: response.producer_id, epoch: response.producer_epoch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(sequence_after(0, 5), 5);
        assert_eq!(sequence_after(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 2, 10), 7);
    }
}
