//! One file an API, named as Kafka names its message.
//!
//! A handler turns a request into a response; it must not know sockets or files. Those of `produce` and `fetch` are on
//! the hot path: they return a [`crate::connection::Reply`] and allocate nothing for a record. All others are
//! `async fn handle(broker, ctx, request, version) -> Response`.

pub(crate) mod allocate_producer_ids;
pub(crate) mod alter_configs;
pub(crate) mod alter_partition;
pub(crate) mod alter_partition_reassignments;
pub(crate) mod api_versions;
pub(crate) mod broker_heartbeat;
pub(crate) mod broker_registration;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_groups;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_groups;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_quorum;
pub(crate) mod describe_topic_partitions;
pub(crate) mod elect_leaders;
pub(crate) mod envelope;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod heartbeat;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod join_group;
mod leader_hint;
pub(crate) mod leave_group;
pub(crate) mod list_config_resources;
pub(crate) mod list_groups;
pub(crate) mod list_offsets;
pub(crate) mod list_partition_reassignments;
pub(crate) mod metadata;
pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;
pub(crate) mod offset_for_leader_epoch;
pub(crate) mod partition_traffic;
pub(crate) mod produce;
pub(crate) mod quorum_message;
pub(crate) mod raft_voters;
pub(crate) mod resource;
pub(crate) mod sync_group;
pub(crate) mod unregister_broker;
pub(crate) mod update_features;

use protocol::{ErrorCode, Str};

use quorum::node::ProposeError;

use crate::controller::SubmitError;

/// The error code and message for a command that could not be carried out at all. Another controller is what clients and
/// brokers try next, so they are told to.
fn refusal(error: &SubmitError) -> (i16, Option<Str>) {
    let code = match error {
        SubmitError::Quorum(ProposeError::NotLeader { .. } | ProposeError::Lost) => {
            tracing::debug!(%error, "a metadata change was not made here");
            ErrorCode::NOT_CONTROLLER
        }
        SubmitError::Quorum(ProposeError::Log(_)) => {
            tracing::error!(%error, "a metadata change failed");
            ErrorCode::KAFKA_STORAGE_ERROR
        }
        SubmitError::Stopping => ErrorCode::BROKER_NOT_AVAILABLE,
    };
    (code.into(), Some(Str::from(error.to_string())))
}
