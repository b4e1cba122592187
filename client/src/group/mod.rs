//! Membership of a classic consumer group, with a protocol of the caller's.
//!
//! `member` is the task that joins, keeps the membership by heartbeats and joins again; `join` is one round of
//! JoinGroup and SyncGroup; `coordinator` finds the broker in charge; `offsets` are the group's committed offsets.

pub(crate) mod coordinator;
mod join;
mod member;
pub(crate) mod offsets;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use protocol::{ErrorCode, Str};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{ApiError, Client, ClientError};
use coordinator::Coordinator;

/// Settings of a member; the defaults are those of Kafka's Java consumer.
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// The group.
    pub group_id: String,
    /// A name that survives restarts of the member (static membership, KIP-345).
    pub group_instance_id: Option<String>,
    /// The coordinator drops a member that it has not heard of for this long. Default 45 000.
    pub session_timeout_ms: u32,
    /// The coordinator waits this long for members to join again. Default 300 000.
    pub rebalance_timeout_ms: u32,
    /// Default 3 000.
    pub heartbeat_interval_ms: u32,
}

impl GroupConfig {
    /// Defaults for a group.
    pub fn new(group_id: impl Into<String>) -> Self {
        Self {
            group_id: group_id.into(),
            group_instance_id: None,
            session_timeout_ms: 45_000,
            rebalance_timeout_ms: 300_000,
            heartbeat_interval_ms: 3_000,
        }
    }
}

/// A member as the group's leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Given by the coordinator.
    pub member_id: Str,
    /// The member's own lasting name, if it has one.
    pub instance_id: Option<Str>,
    /// What the member said under the chosen protocol.
    pub metadata: Bytes,
}

/// What a member got in a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// This member.
    pub member_id: Str,
    /// The generation.
    pub generation: i32,
    /// The member that assigned.
    pub leader_id: Str,
    /// The protocol that was chosen.
    pub protocol: Str,
    /// What the leader assigned; empty when it assigned nothing to this member.
    pub data: Bytes,
}

impl Assigned {
    /// Whether this member assigned.
    pub fn is_leader(&self) -> bool {
        self.member_id == self.leader_id
    }
}

/// Why an assignment ended without being given up in order: somebody else may have it already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostReason {
    /// The coordinator no longer knows this member or its generation.
    Expelled(ErrorCode),
    /// No heartbeat reached the coordinator for the session timeout.
    SessionTimeout,
    /// [`GroupProtocol::is_alive`] said no; the member left the group.
    NotAlive,
}

/// Why a member cannot be in the group; it tries again only when told to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GroupError {
    /// The coordinator refuses the member.
    #[error("group {group}: {error}")]
    Refused {
        /// The group.
        group: String,
        /// Why.
        error: ApiError,
    },
    /// The coordinator cannot be asked.
    #[error("group {group}: {error}")]
    Client {
        /// The group.
        group: String,
        /// Why.
        error: ClientError,
    },
}

/// What members of a group agree on. All methods are called from one task.
pub trait GroupProtocol: Send + Sync + std::fmt::Debug + 'static {
    /// The kind of group, such as `consumer` or `connect`.
    fn protocol_type(&self) -> Str;

    /// Protocols that this member can follow, best first, each with what it has to say. Asked at every join.
    fn protocols(&self) -> Vec<(Str, Bytes)>;

    /// Assigns work to all members; asked of the leader. Members that are left out get empty bytes.
    fn assign<'a>(
        &'a self,
        protocol: &'a str,
        members: &'a [JoinedMember],
    ) -> BoxFuture<'a, Result<Vec<(Str, Bytes)>, ClientError>>;

    /// A new generation begins: give up what is assigned. Heartbeats go on until the future ends, and only then the
    /// member joins again. Must end within the rebalance timeout, or the member is expelled.
    fn revoke(&self) -> BoxFuture<'_, ()>;

    /// What was assigned is no longer this member's.
    fn lost(&self, reason: LostReason);

    /// A generation has begun.
    fn assigned(&self, assigned: Assigned);

    /// The member cannot join; see [`GroupMember::rejoin`].
    fn failed(&self, error: GroupError);

    /// Whether the member still does its work. If not, it leaves the group until it does.
    fn is_alive(&self) -> bool {
        true
    }
}

/// Who a member is now, for requests in its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) member_id: Str,
    pub(crate) generation: i32,
}

impl Identity {
    /// Nobody in particular: how offsets are committed from outside the group.
    pub(crate) const NOBODY: Self = Self { member_id: Str::EMPTY, generation: -1 };
}

/// Membership of a group, kept by a task of its own. Clones are handles of one membership; it ends, with a word to
/// the coordinator, when the last one is dropped.
#[derive(Debug, Clone)]
pub struct GroupMember {
    shared: Arc<Shared>,
    _running: Arc<tokio_util::sync::DropGuard>,
}

#[derive(Debug)]
struct Shared {
    config: GroupConfig,
    coordinator: Arc<Coordinator>,
    protocol: Arc<dyn GroupProtocol>,
    identity: Mutex<Identity>,
    rejoin: Notify,
    stop: CancellationToken,
    ended: CancellationToken,
}

impl GroupMember {
    /// Starts to join.
    pub fn start(client: &Client, config: GroupConfig, protocol: Arc<dyn GroupProtocol>) -> Self {
        let coordinator = Arc::new(Coordinator::new(client, &config.group_id));
        Self::start_at(coordinator, config, protocol)
    }

    pub(crate) fn start_at(
        coordinator: Arc<Coordinator>,
        config: GroupConfig,
        protocol: Arc<dyn GroupProtocol>,
    ) -> Self {
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            config,
            coordinator,
            protocol,
            identity: Mutex::new(Identity::NOBODY),
            rejoin: Notify::new(),
            stop: stop.clone(),
            ended: CancellationToken::new(),
        });
        tokio::spawn(member::run(Arc::clone(&shared)));
        Self { shared, _running: Arc::new(stop.drop_guard()) }
    }

    /// Begins a new generation, for example because what this member has to say has changed. Also ends the pause
    /// after [`GroupProtocol::failed`] and when [`GroupProtocol::is_alive`] is true again.
    pub fn rejoin(&self) {
        self.shared.rejoin.notify_one();
    }

    /// The id that the coordinator gave; empty before the first join.
    pub fn member_id(&self) -> Str {
        self.shared.identity.lock().member_id.clone()
    }

    /// The generation; -1 while there is none.
    pub fn generation(&self) -> i32 {
        self.shared.identity.lock().generation
    }

    pub(crate) fn identity(&self) -> Identity {
        self.shared.identity.lock().clone()
    }

    /// Leaves the group and waits until the coordinator knows, or cannot be told.
    pub async fn leave(&self) {
        self.shared.stop.cancel();
        self.shared.ended.cancelled().await;
    }
}
