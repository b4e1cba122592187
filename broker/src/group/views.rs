//! Groups as administrators see them.

use bytes::Bytes;
use groups::{Group, Member, State};
use protocol::{ErrorCode, Str};

use super::coordinator::GroupCoordinator;

/// A group for DescribeGroups.
#[derive(Debug, Clone)]
pub(crate) struct GroupDescription {
    pub(crate) state: &'static str,
    pub(crate) protocol_type: Str,
    /// The protocol's name in a Stable group, else empty.
    pub(crate) protocol: Str,
    pub(crate) members: Vec<MemberDescription>,
}

/// A member for DescribeGroups.
#[derive(Debug, Clone)]
pub(crate) struct MemberDescription {
    pub(crate) member_id: Str,
    pub(crate) instance_id: Option<Str>,
    pub(crate) client_id: Str,
    pub(crate) client_host: Str,
    pub(crate) metadata: Bytes,
    pub(crate) assignment: Bytes,
}

/// A group for ListGroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupListing {
    pub(crate) group_id: Str,
    pub(crate) protocol_type: Str,
    pub(crate) state: &'static str,
}

impl GroupCoordinator {
    /// Describes a group; `None` when there is none.
    ///
    /// # Errors
    /// This broker cannot say.
    pub(crate) fn describe(&self, group_id: &Str) -> Result<Option<GroupDescription>, ErrorCode> {
        self.inner.with_shard(group_id, |_, shard| {
            shard.cells.get(group_id).map(|cell| describe(&cell.group))
        })
    }

    /// All groups whose offsets this broker leads.
    ///
    /// # Errors
    /// COORDINATOR_LOAD_IN_PROGRESS when some are not known yet; beside it come those that are.
    pub(crate) fn list(&self) -> (ErrorCode, Vec<GroupListing>) {
        let mut groups = Vec::new();
        let all = !self.inner.has_topic()
            || self.inner.on_every_shard(|_, _, shard| {
                groups.extend(shard.cells.values().map(|cell| GroupListing {
                    group_id: cell.group.id().clone(),
                    protocol_type: cell.group.protocol_type().cloned().unwrap_or_default(),
                    state: cell.group.state().name(),
                }));
            });
        let error = if all { ErrorCode::NONE } else { ErrorCode::COORDINATOR_LOAD_IN_PROGRESS };
        groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        (error, groups)
    }
}

fn describe(group: &Group) -> GroupDescription {
    let stable = group.state() == State::Stable;
    let protocol = group.protocol_name().filter(|_| stable).cloned().unwrap_or_default();
    let member = |m: &Member| MemberDescription {
        member_id: m.id.clone(),
        instance_id: m.instance_id.clone(),
        client_id: m.client_id.clone(),
        client_host: m.client_host.clone(),
        metadata: m.metadata(&protocol).cloned().unwrap_or_default(),
        assignment: if stable { m.assignment.clone() } else { Bytes::new() },
    };
    GroupDescription {
        state: group.state().name(),
        protocol_type: group.protocol_type().cloned().unwrap_or_default(),
        members: group.members().map(member).collect(),
        protocol,
    }
}
