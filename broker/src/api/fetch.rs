//! Fetch, versions 4 to 18. Hot path: what is there is answered at once on the connection's task; only a fetch that must wait,
//! for records or for the disk, is boxed.
//!
//! Followers have fetch sessions (KIP-227, [`session`]): what nothing happens to is neither asked for nor answered. Clients
//! are told session id 0, which the protocol allows.

mod elsewhere;
mod follower;
mod session;

use std::sync::Arc;
use std::time::Duration;

use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::records::Compression;
use protocol::{ApiKey, ErrorCode, Records, Segment};
use replica::ReadRange;
use tokio::time::Instant;

use crate::connection::{CloseReason, Reply};
use crate::context::{Broker, RequestContext};
use crate::dispatch::encode;
use crate::partition::{
    FetchWait, HostedTopic, Partition, PartitionRead, PartitionsView, ReadRequest, Reader,
};

pub(crate) use session::Sessions;

/// First version that names topics by id (KIP-516).
const TOPIC_ID_VERSION: i16 = 13;
/// First version whose clients know zstd (KIP-110).
const ZSTD_VERSION: i16 = 10;
/// First version whose clients take another replica to read from (KIP-392).
const RACK_VERSION: i16 = 11;
/// First version with leader hints and divergence (KIP-320, KIP-595).
const EPOCH_VERSION: i16 = 12;
/// `fetch.max.bytes`: most bytes of records in one response, whatever the client asks for (Kafka's default).
const MAX_RESPONSE_BYTES: usize = 55 * 1024 * 1024;
/// Longest long poll.
const MAX_WAIT_MS: u64 = 5 * 60 * 1000;
const READ_COMMITTED: i8 = 1;

/// Answers at once, or when there are `min_bytes`, or when the client's wait is over.
pub(crate) fn handle(
    broker: &Arc<Broker>,
    ctx: RequestContext,
    request: FetchRequest,
) -> Result<Reply, CloseReason> {
    let reader = follower::reader(broker, &ctx, &request);
    if let Reader::Follower { .. } = reader
        && request.session_epoch >= session::FIRST_EPOCH
        && ctx.api_version >= TOPIC_ID_VERSION
    {
        return session::handle(broker, ctx, request, reader);
    }
    if request.session_id != 0 {
        let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND.0;
        let response = FetchResponse { error_code, ..Default::default() };
        return Ok(Reply::Now(encode_response(&ctx, &response)?));
    }
    let mut fetch = Fetch { broker: Arc::clone(broker), ctx, request, reader, noted: Vec::new() };
    fetch.note_follower();
    let fetch = fetch;
    let round = fetch.read(true);
    if round.must_block {
        return Ok(Reply::Exclusive(Box::pin(read_blocking(Arc::new(fetch)))));
    }
    if fetch.is_complete(&round) || fetch.request.max_wait_ms <= 0 {
        return Ok(Reply::Now(fetch.encode(round)?));
    }
    Ok(Reply::Exclusive(Box::pin(wait_for_more(Arc::new(fetch)))))
}

/// Reads from the disk on a thread that may wait for it.
async fn read_blocking(fetch: Arc<Fetch>) -> Result<Vec<Segment>, CloseReason> {
    let reader = Arc::clone(&fetch);
    let round = tokio::task::spawn_blocking(move || reader.read(false))
        .await
        .map_err(|_| CloseReason::Shutdown)?;
    fetch.encode(round)
}

async fn wait_for_more(fetch: Arc<Fetch>) -> Result<Vec<Segment>, CloseReason> {
    let wait_ms = u64::try_from(fetch.request.max_wait_ms).unwrap_or(0).min(MAX_WAIT_MS);
    let deadline = Instant::now() + Duration::from_millis(wait_ms);
    let wait = FetchWait::new();
    loop {
        // Watch first, then look: news in between wake the wait.
        fetch.watch(&wait);
        let round = fetch.read(true);
        if round.must_block {
            return read_blocking(fetch).await;
        }
        if fetch.is_complete(&round) {
            return fetch.encode(round);
        }
        if tokio::time::timeout_at(deadline, wait.woken()).await.is_err() {
            return fetch.encode(round);
        }
    }
}

fn encode_response(
    ctx: &RequestContext,
    response: &FetchResponse,
) -> Result<Vec<Segment>, CloseReason> {
    encode(ApiKey::Fetch, ctx.api_version, ctx.correlation_id, response)
}

struct Fetch {
    broker: Arc<Broker>,
    ctx: RequestContext,
    request: FetchRequest,
    reader: Reader,
    /// Of a follower: what became of each partition's part, in the request's order; whether it is to be answered at once.
    noted: Vec<Result<bool, ErrorCode>>,
}

/// What one pass over all partitions gave.
struct Round {
    response: FetchResponse,
    bytes: usize,
    /// Something other than records is to be told.
    has_news: bool,
    must_block: bool,
}

impl Fetch {
    fn is_complete(&self, round: &Round) -> bool {
        round.has_news || round.bytes >= usize::try_from(self.request.min_bytes).unwrap_or(0)
    }

    fn encode(&self, round: Round) -> Result<Vec<Segment>, CloseReason> {
        let mut round = round;
        if let Reader::Follower { id, .. } = self.reader {
            self.tell_follower(id, &round.response);
        } else {
            self.count_fetched(&round);
        }
        self.name_leaders(&mut round.response);
        encode_response(&self.ctx, &round.response)
    }

    /// Counts what a client is sent, once a response: what was read in vain on the way to it is not sent.
    fn count_fetched(&self, round: &Round) {
        self.broker.metrics.bytes_out.inc_by(round.bytes as u64);
        if round.bytes == 0 {
            return;
        }
        let view = self.broker.partitions.view();
        for (asked, topic) in self.request.topics.iter().zip(&round.response.responses) {
            let Ok(hosted) = self.find(&view, asked) else { continue };
            for data in &topic.partitions {
                let bytes = data.records.len();
                if bytes > 0
                    && let Ok(partition) = hosted.partition(data.partition_index)
                {
                    partition.traffic.fetched(bytes);
                }
            }
        }
    }

    fn watch(&self, wait: &Arc<FetchWait>) {
        let view = self.broker.partitions.view();
        for topic in &self.request.topics {
            let hosted = self.find(&view, topic).ok();
            for partition in &topic.partitions {
                if let Some(Ok(partition)) = hosted.map(|t| t.partition(partition.partition)) {
                    partition.watch(wait, self.reader.news());
                }
            }
        }
    }

    fn find<'v>(
        &self,
        view: &'v PartitionsView,
        topic: &FetchTopic,
    ) -> Result<&'v Arc<HostedTopic>, ErrorCode> {
        if self.ctx.api_version >= TOPIC_ID_VERSION {
            view.by_id(&topic.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
        } else {
            view.by_name(&topic.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        }
    }

    /// Reads all partitions in the request's order until the bytes are used up. With `cached` no disk is waited for.
    fn read(&self, cached: bool) -> Round {
        let view = self.broker.partitions.view();
        let max_bytes =
            usize::try_from(self.request.max_bytes).unwrap_or(0).min(MAX_RESPONSE_BYTES);
        let mut round = Round {
            response: FetchResponse::default(),
            bytes: 0,
            has_news: self.request.topics.is_empty(),
            must_block: false,
        };
        let mut noted = self.noted.iter();
        for topic in &self.request.topics {
            let hosted = self.find(&view, topic);
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for wanted in &topic.partitions {
                let noted = noted.next().copied().unwrap_or(Ok(false));
                let hosted = noted.and(hosted);
                let found = hosted.and_then(|topic| topic.partition(wanted.partition));
                if let Some(replica) = found.ok().and_then(|found| self.elsewhere(found, wanted)) {
                    let mut read = PartitionRead::failed(ErrorCode::NONE);
                    (read.high_watermark, read.log_start_offset) =
                        found.map_or((-1, -1), |found| found.committed_range());
                    let mut data = self.answer(wanted.partition, read);
                    data.preferred_read_replica = replica;
                    round.has_news = true;
                    partitions.push(data);
                    continue;
                }
                let read = match found {
                    Ok(partition) if self.cannot_read(partition) => {
                        PartitionRead::failed(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE)
                    }
                    Ok(partition) => {
                        partition.read(&part(wanted, self.reader, max_bytes, round.bytes), cached)
                    }
                    Err(code) => PartitionRead::failed(code),
                };
                round.bytes += read.slice.len;
                round.has_news |=
                    noted != Ok(false) || read.error != ErrorCode::NONE || read.diverging.is_some();
                round.must_block |= read.must_block;
                partitions.push(self.answer(wanted.partition, read));
            }
            let (topic, topic_id) = (topic.topic.clone(), topic.topic_id);
            round.response.responses.push(FetchableTopicResponse { topic, topic_id, partitions });
        }
        round
    }

    fn cannot_read(&self, partition: &Partition) -> bool {
        self.ctx.api_version < ZSTD_VERSION
            && partition.settings().compression == Some(Compression::Zstd)
    }

    fn answer(&self, partition_index: i32, read: PartitionRead) -> PartitionData {
        if read.error != ErrorCode::NONE {
            self.broker.metrics.partition_error(ApiKey::Fetch, read.error);
        }
        let mut data = PartitionData {
            partition_index,
            error_code: read.error.0,
            high_watermark: read.high_watermark,
            // Without transactions everything committed is stable.
            last_stable_offset: read.high_watermark,
            log_start_offset: read.log_start_offset,
            records: match read.slice.len {
                0 => Records::Bytes(bytes::Bytes::new()),
                _ => Records::Segments(read.slice.segments),
            },
            ..Default::default()
        };
        if self.request.isolation_level == READ_COMMITTED {
            data.aborted_transactions = Some(Vec::new());
        }
        // Older versions cannot say it.
        let says_epochs = self.ctx.api_version >= EPOCH_VERSION;
        if let Some(diverging) = read.diverging.filter(|_| says_epochs) {
            let (epoch, end_offset) = (diverging.epoch, diverging.end_offset);
            data.diverging_epoch = EpochEndOffset { epoch, end_offset };
        }
        if let Some((leader_id, leader_epoch)) = read.leader.filter(|_| says_epochs) {
            data.current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
        }
        data
    }
}

/// What of a fetch is asked of one partition when `used` bytes are taken. The first one with records returns a batch
/// even above all limits (KIP-74): a client must be able to get past it.
fn part(wanted: &FetchPartition, reader: Reader, max_bytes: usize, used: usize) -> ReadRequest {
    let partition_max = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
    ReadRequest {
        range: ReadRange {
            offset: wanted.fetch_offset,
            max_bytes: partition_max.min(max_bytes.saturating_sub(used)),
            min_one: used == 0,
        },
        leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
        log_start_offset: wanted.log_start_offset,
        reader,
    }
}
