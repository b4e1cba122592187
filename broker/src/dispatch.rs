//! From a frame to the handler of its API, and back to a frame.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use protocol::frame::{self, RequestHeader};
use protocol::messages::{
    AddRaftVoterRequest, AllocateProducerIdsRequest, AlterConfigsRequest,
    AlterPartitionReassignmentsRequest, AlterPartitionRequest, ApiVersionsRequest,
    BrokerHeartbeatRequest, BrokerRegistrationRequest, CreatePartitionsRequest,
    CreateTopicsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeQuorumRequest, DescribeTopicPartitionsRequest, ElectLeadersRequest, EnvelopeRequest,
    FetchRequest, FindCoordinatorRequest, HeartbeatRequest, IncrementalAlterConfigsRequest,
    InitProducerIdRequest, JoinGroupRequest, LeaveGroupRequest, ListConfigResourcesRequest,
    ListGroupsRequest, ListOffsetsRequest, ListPartitionReassignmentsRequest, MetadataRequest,
    OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest,
    PartitionTrafficRequest, ProduceRequest, QuorumMessageRequest, RemoveRaftVoterRequest,
    SyncGroupRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
};
use protocol::{ApiKey, DecodeError, Decoder, Message, Request, Segment};

use crate::api;
use crate::cluster::forward;
use crate::connection::{CloseReason, Reply, Service};
use crate::context::{Broker, RequestContext};

impl Service for Broker {
    fn call(self: &Arc<Self>, peer: SocketAddr, frame: Bytes) -> Reply {
        receive(self, peer, frame).unwrap_or_else(|reason| {
            self.metrics.bad_requests.inc();
            Reply::Close(reason)
        })
    }
}

/// A frame from a connection. Clients wait until this broker has begun to serve, and what changes metadata is passed on
/// when another node is the active controller.
fn receive(broker: &Arc<Broker>, peer: SocketAddr, frame: Bytes) -> Result<Reply, CloseReason> {
    let mut decoder = Decoder::new(frame.clone());
    let header = frame::decode_request_header(&mut decoder)?;
    let Ok(key) = ApiKey::try_from(header.api_key) else {
        return Err(CloseReason::NotServed {
            api_key: header.api_key,
            api_version: header.api_version,
        });
    };
    broker.metrics.request(key);
    if !broker.roles.broker && !SERVED_BY_CONTROLLERS.contains(&key) && !AMONG_NODES.contains(&key)
    {
        return Err(CloseReason::NotServed {
            api_key: header.api_key,
            api_version: header.api_version,
        });
    }
    let forwards = FORWARDED.contains(&key) && !broker.quorum.leads();
    let waits = !broker.lifecycle.is_serving() && !AMONG_NODES.contains(&key);
    let call = Call { broker, peer, key, header, decoder };
    if forwards && !key.versions().contains(&call.header.api_version) {
        return Err(call.not_served());
    }
    if !waits && !forwards {
        return route(call);
    }
    let (broker, ctx) = (Arc::clone(broker), call.context());
    Ok(Reply::Exclusive(Box::pin(async move {
        broker.lifecycle.serving().await;
        if forwards {
            return forward::forward(&broker, &ctx, frame).await;
        }
        answer_frame_here(&broker, peer, frame).await
    })))
}

/// Answers a frame by this node's handlers, whoever is the active controller.
pub(crate) async fn answer_frame_here(
    broker: &Arc<Broker>,
    peer: SocketAddr,
    frame: Bytes,
) -> Result<Vec<Segment>, CloseReason> {
    let mut decoder = Decoder::new(frame);
    let header = frame::decode_request_header(&mut decoder)?;
    let (api_key, api_version) = (header.api_key, header.api_version);
    let key =
        ApiKey::try_from(api_key).map_err(|_| CloseReason::NotServed { api_key, api_version })?;
    match route(Call { broker, peer, key, header, decoder })? {
        Reply::Now(segments) => Ok(segments),
        Reply::Nothing => Ok(Vec::new()),
        Reply::Later(reply) | Reply::Exclusive(reply) => reply.await,
        Reply::Close(reason) => Err(reason),
    }
}

/// Answers a request that another broker passed on; gives the response without its length.
pub(crate) async fn answer_forwarded(
    broker: &Arc<Broker>,
    peer: SocketAddr,
    frame: Bytes,
) -> Result<Bytes, CloseReason> {
    let mut decoder = Decoder::new(frame.clone());
    let header = frame::decode_request_header(&mut decoder)?;
    if !ApiKey::try_from(header.api_key).is_ok_and(|key| FORWARDED.contains(&key)) {
        let (api_key, api_version) = (header.api_key, header.api_version);
        return Err(CloseReason::NotServed { api_key, api_version });
    }
    let framed = frame::join(answer_frame_here(broker, peer, frame).await?)?;
    Ok(framed.slice(frame::LENGTH_BYTES.min(framed.len())..))
}

/// Answers a request of this broker to itself.
pub(crate) async fn answer_here<R: Request>(
    broker: &Arc<Broker>,
    version: i16,
    request: &R,
) -> Result<R::Response, CloseReason> {
    let framed = frame::encode_request(0, None, version, request)?;
    let peer = SocketAddr::from((broker.config.listen.ip(), 0));
    let answer = answer_frame_here(broker, peer, framed.slice(frame::LENGTH_BYTES..)).await?;
    let framed = frame::join(answer)?;
    let body = framed.slice(frame::LENGTH_BYTES.min(framed.len())..);
    Ok(frame::decode_response::<R>(body, version)?.1)
}

/// What nodes ask each other, also while this one does not serve clients yet.
const AMONG_NODES: &[ApiKey] = &[
    ApiKey::ApiVersions,
    ApiKey::QuorumMessage,
    ApiKey::BrokerRegistration,
    ApiKey::BrokerHeartbeat,
    ApiKey::AlterPartition,
    ApiKey::AllocateProducerIds,
    ApiKey::Envelope,
    ApiKey::CreateTopics,
];

/// What only the active controller can answer.
const FORWARDED: &[ApiKey] = &[
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::CreatePartitions,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::ElectLeaders,
    ApiKey::AlterPartitionReassignments,
    ApiKey::UnregisterBroker,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeQuorum,
    ApiKey::AddRaftVoter,
    ApiKey::RemoveRaftVoter,
];

/// What clients are offered: `api::api_versions` advertises it. (What only nodes ask each other is not in it.)
pub(crate) const SERVED: &[ApiKey] = &[
    ApiKey::Produce,
    ApiKey::Fetch,
    ApiKey::ListOffsets,
    ApiKey::Metadata,
    ApiKey::OffsetCommit,
    ApiKey::OffsetFetch,
    ApiKey::FindCoordinator,
    ApiKey::JoinGroup,
    ApiKey::Heartbeat,
    ApiKey::LeaveGroup,
    ApiKey::SyncGroup,
    ApiKey::DescribeGroups,
    ApiKey::ListGroups,
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::DeleteRecords,
    ApiKey::InitProducerId,
    ApiKey::OffsetForLeaderEpoch,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::CreatePartitions,
    ApiKey::DeleteGroups,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::OffsetDelete,
    ApiKey::DescribeCluster,
    ApiKey::ListConfigResources,
    ApiKey::ElectLeaders,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::UnregisterBroker,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeQuorum,
    ApiKey::AddRaftVoter,
    ApiKey::RemoveRaftVoter,
    ApiKey::DescribeTopicPartitions,
    ApiKey::DescribeLogDirs,
];

/// What tools are offered by a node that is a controller alone (KIP-919: `--bootstrap-controller`).
pub(crate) const SERVED_BY_CONTROLLERS: &[ApiKey] = &[
    ApiKey::ApiVersions,
    ApiKey::CreateTopics,
    ApiKey::DeleteTopics,
    ApiKey::CreatePartitions,
    ApiKey::DescribeConfigs,
    ApiKey::AlterConfigs,
    ApiKey::IncrementalAlterConfigs,
    ApiKey::DescribeCluster,
    ApiKey::ElectLeaders,
    ApiKey::AlterPartitionReassignments,
    ApiKey::ListPartitionReassignments,
    ApiKey::UnregisterBroker,
    ApiKey::UpdateFeatures,
    ApiKey::DescribeQuorum,
    ApiKey::AddRaftVoter,
    ApiKey::RemoveRaftVoter,
];

/// Expands to the arms for APIs whose handler is `api::<module>::handle(&broker, &ctx, request, version)`.
macro_rules! route_by_key {
    ($call:ident, $key:expr, { $($variant:ident => $module:ident: $request:ty,)* }) => {
        match $key {
            $(ApiKey::$variant => $call.run::<$request, _, _>(
                |broker, ctx, request, version| async move {
                    api::$module::handle(&broker, &ctx, request, version).await
                },
            ),)*
            _ => Err($call.not_served()),
        }
    };
}

fn route(mut call: Call<'_>) -> Result<Reply, CloseReason> {
    let (broker, key) = (call.broker, call.key);
    match key {
        ApiKey::Produce => {
            let request = call.decode::<ProduceRequest>()?;
            api::produce::handle(broker, call.context(), request)
        }
        ApiKey::Fetch => {
            let request = call.decode::<FetchRequest>()?;
            api::fetch::handle(broker, call.context(), request)
        }
        ApiKey::ApiVersions => api_versions(call),
        ApiKey::AddRaftVoter => {
            call.run::<AddRaftVoterRequest, _, _>(|broker, ctx, request, version| async move {
                api::raft_voters::add(&broker, &ctx, request, version).await
            })
        }
        ApiKey::RemoveRaftVoter => {
            call.run::<RemoveRaftVoterRequest, _, _>(|broker, ctx, request, version| async move {
                api::raft_voters::remove(&broker, &ctx, request, version).await
            })
        }
        key => route_by_key!(call, key, {
            ListOffsets => list_offsets: ListOffsetsRequest,
            Metadata => metadata: MetadataRequest,
            OffsetCommit => offset_commit: OffsetCommitRequest,
            OffsetFetch => offset_fetch: OffsetFetchRequest,
            FindCoordinator => find_coordinator: FindCoordinatorRequest,
            JoinGroup => join_group: JoinGroupRequest,
            Heartbeat => heartbeat: HeartbeatRequest,
            LeaveGroup => leave_group: LeaveGroupRequest,
            SyncGroup => sync_group: SyncGroupRequest,
            DescribeGroups => describe_groups: DescribeGroupsRequest,
            ListGroups => list_groups: ListGroupsRequest,
            CreateTopics => create_topics: CreateTopicsRequest,
            DeleteTopics => delete_topics: DeleteTopicsRequest,
            DeleteRecords => delete_records: DeleteRecordsRequest,
            InitProducerId => init_producer_id: InitProducerIdRequest,
            OffsetForLeaderEpoch => offset_for_leader_epoch: OffsetForLeaderEpochRequest,
            DescribeConfigs => describe_configs: DescribeConfigsRequest,
            AlterConfigs => alter_configs: AlterConfigsRequest,
            CreatePartitions => create_partitions: CreatePartitionsRequest,
            DeleteGroups => delete_groups: DeleteGroupsRequest,
            IncrementalAlterConfigs => incremental_alter_configs: IncrementalAlterConfigsRequest,
            OffsetDelete => offset_delete: OffsetDeleteRequest,
            PartitionTraffic => partition_traffic: PartitionTrafficRequest,
            QuorumMessage => quorum_message: QuorumMessageRequest,
            BrokerRegistration => broker_registration: BrokerRegistrationRequest,
            BrokerHeartbeat => broker_heartbeat: BrokerHeartbeatRequest,
            AlterPartition => alter_partition: AlterPartitionRequest,
            AllocateProducerIds => allocate_producer_ids: AllocateProducerIdsRequest,
            Envelope => envelope: EnvelopeRequest,
            DescribeCluster => describe_cluster: DescribeClusterRequest,
            ListConfigResources => list_config_resources: ListConfigResourcesRequest,
            ElectLeaders => elect_leaders: ElectLeadersRequest,
            AlterPartitionReassignments => alter_partition_reassignments: AlterPartitionReassignmentsRequest,
            ListPartitionReassignments => list_partition_reassignments: ListPartitionReassignmentsRequest,
            UnregisterBroker => unregister_broker: UnregisterBrokerRequest,
            UpdateFeatures => update_features: UpdateFeaturesRequest,
            DescribeLogDirs => describe_log_dirs: DescribeLogDirsRequest,
            DescribeQuorum => describe_quorum: DescribeQuorumRequest,
            DescribeTopicPartitions => describe_topic_partitions: DescribeTopicPartitionsRequest,
        }),
    }
}

/// KIP-511: a version that we do not know is answered in version 0, with the versions that we do know.
fn api_versions(mut call: Call<'_>) -> Result<Reply, CloseReason> {
    let request = match call.decode::<ApiVersionsRequest>() {
        Ok(request) => Some(request),
        Err(CloseReason::NotServed { .. }) => None,
        Err(reason) => return Err(reason),
    };
    let (version, response) = api::api_versions::handle(call.broker, &call.context(), request);
    Ok(Reply::Now(frame::encode_response(
        call.key,
        version,
        call.header.correlation_id,
        &response,
    )?))
}

/// A request whose message has not been decoded yet.
struct Call<'a> {
    broker: &'a Arc<Broker>,
    peer: SocketAddr,
    key: ApiKey,
    header: RequestHeader,
    decoder: Decoder,
}

impl Call<'_> {
    fn context(&self) -> RequestContext {
        RequestContext {
            peer: self.peer,
            client_id: self.header.client_id.clone(),
            correlation_id: self.header.correlation_id,
            api_version: self.header.api_version,
        }
    }

    fn not_served(&self) -> CloseReason {
        CloseReason::NotServed {
            api_key: self.header.api_key,
            api_version: self.header.api_version,
        }
    }

    fn decode<R: Request>(&mut self) -> Result<R, CloseReason> {
        let version = self.header.api_version;
        if !R::VERSIONS.contains(&version) {
            return Err(self.not_served());
        }
        R::decode(&mut self.decoder, version).map_err(|error| match error {
            DecodeError::UnsupportedVersion { .. } => self.not_served(),
            error => CloseReason::Malformed(error),
        })
    }

    /// Runs a handler that may wait. The requests behind it on the connection wait for it, as in Kafka.
    fn run<R, H, F>(mut self, handler: H) -> Result<Reply, CloseReason>
    where
        R: Request,
        H: FnOnce(Arc<Broker>, RequestContext, R, i16) -> F,
        F: Future<Output = R::Response> + Send + 'static,
    {
        let request = self.decode::<R>()?;
        let (key, version) = (self.key, self.header.api_version);
        let correlation_id = self.header.correlation_id;
        let future = handler(Arc::clone(self.broker), self.context(), request, version);
        Ok(Reply::Exclusive(Box::pin(async move {
            encode(key, version, correlation_id, &future.await)
        })))
    }
}

/// A response frame.
pub(crate) fn encode<M: Message>(
    key: ApiKey,
    version: i16,
    correlation_id: i32,
    response: &M,
) -> Result<Vec<Segment>, CloseReason> {
    Ok(frame::encode_response(key, version, correlation_id, response)?)
}
