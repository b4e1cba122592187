use bytes::Bytes;
use protocol::Str;

use super::{NEW_MEMBER_JOIN_TIMEOUT_MS, Now, RequestId};

/// A member of a group.
#[derive(Debug, Clone)]
pub struct Member {
    pub id: Str,
    /// Static members (KIP-345) have one.
    pub instance_id: Option<Str>,
    pub client_id: Str,
    pub client_host: Str,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// Protocol (assignor) name → the member's metadata for it, in the member's order of preference.
    pub protocols: Vec<(Str, Bytes)>,
    pub assignment: Bytes,
    pub(super) joining: Option<RequestId>,
    pub(super) syncing: Option<RequestId>,
    /// When the session (or the wait of a new member) is over; none while a request of it waits.
    pub(super) deadline: Option<u64>,
    /// Has never had an answer to a join, so it cannot send heartbeats.
    pub(super) is_new: bool,
}

impl Member {
    /// A member that waits for nothing.
    pub fn new(
        id: Str,
        instance_id: Option<Str>,
        client: (Str, Str),
        timeouts_ms: (i32, i32),
        protocols: Vec<(Str, Bytes)>,
    ) -> Self {
        Self {
            id,
            instance_id,
            client_id: client.0,
            client_host: client.1,
            rebalance_timeout_ms: timeouts_ms.0,
            session_timeout_ms: timeouts_ms.1,
            protocols,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            deadline: None,
            is_new: false,
        }
    }

    /// The member's metadata for a protocol.
    pub fn metadata(&self, protocol: &str) -> Option<&Bytes> {
        self.protocols.iter().find(|(name, _)| *name == *protocol).map(|(_, metadata)| metadata)
    }

    pub(super) fn supports(&self, protocol: &str) -> bool {
        self.metadata(protocol).is_some()
    }

    /// The member was heard of: its session begins anew.
    pub(super) fn touch(&mut self, now: Now) {
        self.deadline = Some(now.monotonic_ms + timeout(self.session_timeout_ms));
    }

    pub(super) fn wait_as_new(&mut self, now: Now) {
        self.is_new = true;
        self.deadline = Some(now.monotonic_ms + NEW_MEMBER_JOIN_TIMEOUT_MS);
    }
}

/// Timeouts on the wire are signed; negative ones are none at all.
pub(super) fn timeout(ms: i32) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
