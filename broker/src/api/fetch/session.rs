//! Fetch sessions of followers (KIP-227): the leader remembers what a follower fetches, so that a request names only
//! what has moved, and a response only what has something to tell. A round costs what happens, not what there is.
//!
//! A session is one fetcher's, one request after another, counted by the session epoch. Whoever loses count, or is
//! registered otherwise than when the session began, is refused and begins anew with a full fetch (epoch 0). What was
//! answered with an error is no longer in the session: the follower names it again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use protocol::messages::fetch_request::FetchPartition;
use protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Segment, Uuid};
use tokio::time::Instant;

use super::{Fetch, MAX_RESPONSE_BYTES, MAX_WAIT_MS, encode_response, part};
use crate::connection::{CloseReason, Reply};
use crate::context::{Broker, RequestContext};
use crate::partition::{Partition, PartitionRead, ReadRequest, Reader, SessionNews, Watched};
use crate::throttle::{Allowance, Limits};

/// Begins a session.
pub(super) const FIRST_EPOCH: i32 = 0;
/// Sessions that are kept (`max.incremental.fetch.session.cache.slots`, Kafka's default); who is longest without a
/// fetch goes first.
const MAX_SESSIONS: usize = 1_000;

/// A partition's name.
type Key = (Uuid, i32);

/// All sessions of this broker.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sessions: Mutex<HashMap<i32, Arc<Session>>>,
    last_id: AtomicI32,
}

#[derive(Debug)]
struct Session {
    id: i32,
    /// Who fetches, and as what it was registered then; the time is that of the last fetch.
    reader: Mutex<Reader>,
    news: Arc<SessionNews>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    next_epoch: i32,
    entries: HashMap<u32, Entry>,
    slots: HashMap<Key, u32>,
    next_slot: u32,
    /// Looked at without room for their records: first in line at the next fetch.
    left: Vec<u32>,
}

/// A partition that is fetched.
#[derive(Debug)]
struct Entry {
    topic_id: Uuid,
    partition: Arc<Partition>,
    watched: Arc<Watched>,
    wanted: FetchPartition,
    /// High watermark and log start that the follower was told last.
    told: Option<(i64, i64)>,
    /// It is in the list of the fetch that is being answered.
    listed: bool,
}

/// Whether two fetches are of the same follower in the same registration.
fn is_same(one: &Reader, other: &Reader) -> bool {
    let who = |reader: &Reader| match reader {
        Reader::Follower { id, broker_epoch, registered, .. } => {
            Some((*id, *broker_epoch, *registered))
        }
        Reader::Consumer { .. } | Reader::Own => None,
    };
    who(one) == who(other)
}

fn last_fetch_ms(reader: &Reader) -> i64 {
    match reader {
        Reader::Follower { monotonic_ms, .. } => *monotonic_ms,
        Reader::Consumer { .. } | Reader::Own => 0,
    }
}

impl Sessions {
    /// The session of a request, counted on.
    fn of(&self, request: &FetchRequest, reader: Reader) -> Result<Arc<Session>, ErrorCode> {
        let mut sessions = self.sessions.lock();
        if request.session_epoch == FIRST_EPOCH {
            sessions.remove(&request.session_id);
            return Ok(self.begin(&mut sessions, reader));
        }
        let unknown = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
        let session = Arc::clone(sessions.get(&request.session_id).ok_or(unknown)?);
        if !is_same(&session.reader.lock(), &reader) {
            sessions.remove(&request.session_id);
            return Err(unknown);
        }
        drop(sessions);
        let mut state = session.state.lock();
        if state.next_epoch != request.session_epoch {
            return Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH);
        }
        state.next_epoch = following(state.next_epoch);
        drop(state);
        *session.reader.lock() = reader;
        Ok(session)
    }

    fn begin(&self, sessions: &mut HashMap<i32, Arc<Session>>, reader: Reader) -> Arc<Session> {
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.values().min_by_key(|s| last_fetch_ms(&s.reader.lock()));
            if let Some(id) = oldest.map(|session| session.id) {
                sessions.remove(&id);
            }
        }
        // Ids are positive; the map is small against their number.
        let next = |last: i32| Some(following(last));
        let last = self.last_id.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        let session = Arc::new(Session {
            id: following(last.unwrap_or_default()),
            reader: Mutex::new(reader),
            news: Arc::default(),
            state: Mutex::new(State {
                next_epoch: following(FIRST_EPOCH),
                entries: HashMap::new(),
                slots: HashMap::new(),
                next_slot: 0,
                left: Vec::new(),
            }),
        });
        sessions.insert(session.id, Arc::clone(&session));
        session
    }
}

/// Counts from 1 on again after the largest number.
fn following(number: i32) -> i32 {
    number.checked_add(1).unwrap_or(1)
}

impl State {
    fn forget(&mut self, key: &Key) {
        if let Some(slot) = self.slots.remove(key) {
            self.entries.remove(&slot);
        }
    }

    /// The follower fetches this partition so from now on. Gives its slot, unless it is in the fetch already.
    fn want(
        &mut self,
        key: Key,
        partition: &Arc<Partition>,
        wanted: &FetchPartition,
        news: &Arc<SessionNews>,
    ) -> Option<u32> {
        // A replica that left this node and came back is another one.
        let stale = |slot: &u32| {
            self.entries.get(slot).is_some_and(|e| !Arc::ptr_eq(&e.partition, partition))
        };
        if self.slots.get(&key).is_some_and(stale) {
            self.forget(&key);
        }
        let slot = *self.slots.entry(key).or_insert(self.next_slot);
        let entry = self.entries.entry(slot).or_insert_with(|| {
            let watched = Watched::new(news, slot);
            partition.join(&watched);
            self.next_slot = self.next_slot.wrapping_add(1);
            let (topic_id, partition, wanted) = (key.0, Arc::clone(partition), wanted.clone());
            Entry { topic_id, partition, watched, wanted, told: None, listed: false }
        });
        entry.wanted = wanted.clone();
        (!std::mem::replace(&mut entry.listed, true)).then_some(slot)
    }

    /// Adds what has news to the list of a fetch.
    fn list(&mut self, slots: impl IntoIterator<Item = u32>, list: &mut Vec<u32>) {
        for slot in slots {
            if let Some(entry) = self.entries.get_mut(&slot)
                && !std::mem::replace(&mut entry.listed, true)
            {
                list.push(slot);
            }
        }
    }
}

/// One fetch of a session.
struct SessionFetch {
    fetch: Fetch,
    session: Arc<Session>,
    /// Everything is answered, whether it has something to tell or not.
    full: bool,
    /// What was refused at once.
    refused: Vec<(Uuid, PartitionData)>,
    /// What is looked at: what the request names, and what has news.
    list: Mutex<Vec<u32>>,
}

/// What one pass over the list gave.
struct Round {
    response: FetchResponse,
    bytes: usize,
    has_news: bool,
    must_block: bool,
    /// What goes to replicas that a throttle limits.
    limited: Vec<(Limits, usize)>,
    /// When what a throttle holds back may go, in ms from now.
    retry_after_ms: Option<u64>,
}

/// Answers a follower's fetch.
pub(super) fn handle(
    broker: &Arc<Broker>,
    ctx: RequestContext,
    request: FetchRequest,
    reader: Reader,
) -> Result<Reply, CloseReason> {
    let session = match broker.sessions.of(&request, reader) {
        Ok(session) => session,
        Err(code) => {
            let response = FetchResponse { error_code: code.0, ..Default::default() };
            return Ok(Reply::Now(encode_response(&ctx, &response)?));
        }
    };
    let full = request.session_epoch == FIRST_EPOCH;
    let fetch = Fetch { broker: Arc::clone(broker), ctx, request, reader, noted: Vec::new() };
    let (refused, list) = (Vec::new(), Mutex::default());
    let mut fetch = SessionFetch { fetch, session, full, refused, list };
    fetch.note();
    let round = fetch.read(true);
    if round.must_block {
        return Ok(Reply::Exclusive(Box::pin(read_blocking(Arc::new(fetch)))));
    }
    if fetch.is_complete(&round) || fetch.fetch.request.max_wait_ms <= 0 {
        return Ok(Reply::Now(fetch.encode(round)?));
    }
    Ok(Reply::Exclusive(Box::pin(wait_for_more(Arc::new(fetch), round.retry_after_ms))))
}

/// Reads from the disk on a thread that may wait for it.
async fn read_blocking(fetch: Arc<SessionFetch>) -> Result<Vec<Segment>, CloseReason> {
    let reader = Arc::clone(&fetch);
    let round = tokio::task::spawn_blocking(move || reader.read(false))
        .await
        .map_err(|_| CloseReason::Shutdown)?;
    fetch.encode(round)
}

async fn wait_for_more(
    fetch: Arc<SessionFetch>,
    retry_after_ms: Option<u64>,
) -> Result<Vec<Segment>, CloseReason> {
    let wait_ms = u64::try_from(fetch.fetch.request.max_wait_ms).unwrap_or(0).min(MAX_WAIT_MS);
    let deadline = Instant::now() + Duration::from_millis(wait_ms);
    let mut retry_after_ms = retry_after_ms;
    loop {
        let retry = retry_after_ms.map(|ms| Instant::now() + Duration::from_millis(ms));
        let until = retry.map_or(deadline, |at| at.min(deadline));
        // Over without news: the deadline, or what a throttle held back may go.
        tokio::time::timeout_at(until, fetch.session.news.woken()).await.ok();
        let late = Instant::now() >= deadline;
        let round = fetch.read(true);
        retry_after_ms = round.retry_after_ms;
        if round.must_block {
            return read_blocking(fetch).await;
        }
        if late || fetch.is_complete(&round) {
            return fetch.encode(round);
        }
    }
}

impl SessionFetch {
    /// Takes what the request says of the follower's replicas: what moved, what is no longer wanted.
    fn note(&mut self) {
        let view = self.fetch.broker.partitions.view();
        let mut state = self.session.state.lock();
        let (state, list) = (&mut *state, self.list.get_mut());
        for topic in &self.fetch.request.forgotten_topics_data {
            for index in &topic.partitions {
                state.forget(&(topic.topic_id, *index));
            }
        }
        let mut may_join = false;
        for topic in &self.fetch.request.topics {
            let hosted = self.fetch.find(&view, topic);
            for wanted in &topic.partitions {
                let key = (topic.topic_id, wanted.partition);
                let noted = hosted.and_then(|topic| topic.partition(wanted.partition)).and_then(
                    |partition| {
                        let request = part(wanted, self.fetch.reader, 0, 0);
                        let noted =
                            partition.note_follower(&request).map_err(|error| error.code())?;
                        Ok((partition, noted))
                    },
                );
                match noted {
                    Ok((partition, noted)) => {
                        may_join |= noted.may_join;
                        list.extend(state.want(key, partition, wanted, &self.session.news));
                    }
                    Err(code) => {
                        state.forget(&key);
                        let data = self.fetch.answer(key.1, PartitionRead::failed(code));
                        self.refused.push((key.0, data));
                    }
                }
            }
        }
        if may_join {
            self.fetch.broker.partitions.isr_wanted().notify_one();
        }
    }

    fn is_complete(&self, round: &Round) -> bool {
        let min_bytes = usize::try_from(self.fetch.request.min_bytes).unwrap_or(0);
        round.has_news || round.bytes >= min_bytes
    }

    /// Reads what is listed and what has news. With `cached` no disk is waited for.
    fn read(&self, cached: bool) -> Round {
        let request = &self.fetch.request;
        let max_bytes = usize::try_from(request.max_bytes).unwrap_or(0).min(MAX_RESPONSE_BYTES);
        let mut round = Round {
            response: FetchResponse { session_id: self.session.id, ..FetchResponse::default() },
            bytes: 0,
            has_news: !self.refused.is_empty(),
            must_block: false,
            limited: Vec::new(),
            retry_after_ms: None,
        };
        for (topic_id, data) in &self.refused {
            round.push(*topic_id, data.clone());
        }
        let mut state = self.session.state.lock();
        let (state, list) = (&mut *state, &mut *self.list.lock());
        let left = std::mem::take(&mut state.left);
        state.list(left, list);
        state.list(self.session.news.take(), list);
        for slot in &*list {
            let Some(entry) = state.entries.get(slot) else { continue };
            // Before the look: what comes during it is seen now or told again.
            entry.watched.looked_at();
            let mut asked = part(&entry.wanted, self.fetch.reader, max_bytes, round.bytes);
            let limits = self.limit(&entry.partition, &mut asked, &mut round);
            let held_back = asked.range.max_bytes == 0 && !asked.range.min_one;
            let read = entry.partition.read(&asked, cached);
            round.must_block |= read.must_block;
            let failed = read.error != ErrorCode::NONE;
            round.has_news |= failed || read.diverging.is_some();
            let told = (read.high_watermark, read.log_start_offset);
            let tells = failed || read.diverging.is_some() || read.slice.len > 0;
            let moved = entry.told != Some(told);
            // Whoever deleted records waits for all replicas to have done so.
            round.has_news |= entry.told.is_some_and(|(_, start)| start != told.1);
            round.has_news |= moved && entry.told.is_some() && self.fetch.broker.reads_near;
            if read.slice.len == 0 && (round.bytes > 0 || held_back) {
                state.left.push(*slot);
            }
            if limits.any() && read.slice.len > 0 {
                round.limited.push((limits, read.slice.len));
            }
            round.bytes += read.slice.len;
            if tells || moved || self.full {
                let topic_id = entry.topic_id;
                round.push(topic_id, self.fetch.answer(entry.wanted.partition, read));
            }
        }
        round
    }

    /// Asks for no more than a throttle lets go, when the follower is not in sync.
    fn limit(&self, partition: &Partition, asked: &mut ReadRequest, round: &mut Round) -> Limits {
        let Reader::Follower { id, .. } = self.fetch.reader else { return Limits::default() };
        let limits = partition.limits_of_sending(id);
        if !limits.any() {
            return limits;
        }
        let broker = &self.fetch.broker;
        let now_ms = broker.clock.monotonic_ms();
        match broker.partitions.throttles().sending.allowance(limits, now_ms) {
            Allowance::Bytes(bytes) => {
                let taken: usize = round.limited.iter().map(|(_, bytes)| bytes).sum();
                let left = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(taken);
                // A batch that is larger than what may go must go all the same, or it never would: the debt is paid later.
                asked.range.min_one |= asked.range.max_bytes > 0;
                asked.range.min_one &= left > 0;
                asked.range.max_bytes = asked.range.max_bytes.min(left);
            }
            Allowance::After(ms) => {
                asked.range.max_bytes = 0;
                asked.range.min_one = false;
                round.retry_after_ms = Some(round.retry_after_ms.map_or(ms, |least| least.min(ms)));
            }
        }
        limits
    }

    /// The session as it is once the follower has this answer.
    fn encode(&self, round: Round) -> Result<Vec<Segment>, CloseReason> {
        let mut round = round;
        if !round.limited.is_empty() {
            let now_ms = self.fetch.broker.clock.monotonic_ms();
            let sending = &self.fetch.broker.partitions.throttles().sending;
            for (limits, bytes) in &round.limited {
                sending.took(*limits, *bytes as u64, now_ms);
            }
        }
        let mut state = self.session.state.lock();
        for slot in &*self.list.lock() {
            if let Some(entry) = state.entries.get_mut(slot) {
                entry.listed = false;
            }
        }
        for topic in &round.response.responses {
            for data in &topic.partitions {
                let key = (topic.topic_id, data.partition_index);
                if data.error_code != ErrorCode::NONE.0 {
                    state.forget(&key);
                } else if let Some(slot) = state.slots.get(&key).copied()
                    && let Some(entry) = state.entries.get_mut(&slot)
                {
                    entry.told = Some((data.high_watermark, data.log_start_offset));
                }
            }
        }
        drop(state);
        self.fetch.name_leaders(&mut round.response);
        encode_response(&self.fetch.ctx, &round.response)
    }
}

impl Round {
    fn push(&mut self, topic_id: Uuid, data: PartitionData) {
        match self.response.responses.last_mut().filter(|topic| topic.topic_id == topic_id) {
            Some(topic) => topic.partitions.push(data),
            None => self.response.responses.push(FetchableTopicResponse {
                topic_id,
                partitions: vec![data],
                ..FetchableTopicResponse::default()
            }),
        }
    }
}
