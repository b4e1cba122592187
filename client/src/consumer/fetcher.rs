//! The task of a consumer: finds positions, and keeps one fetch at each broker that leads assigned partitions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use protocol::messages::fetch_response::PartitionData;
use protocol::messages::{FetchRequest, FetchResponse};
use protocol::{ErrorCode, Str, Uuid};

use super::buffer::Fetched;
use super::partitions::{Ticket, push_limited};
use super::positions::Found;
use super::{ConsumeError, Shared};
use crate::cluster::{Lane, Snapshot};
use crate::types::by_topic;
use crate::{ApiError, ClientError};

/// The last version that names topics; later ones need ids.
const LAST_VERSION_BY_NAME: i16 = 12;
/// Longest wait of a fetch at the broker while some of its partitions have no room: they shall be fetched soon after
/// there is room again.
const WAIT_BESIDE_FULL_MS: u32 = 50;
/// The broker may take this much longer to answer than it was told to wait.
const ANSWER_GRACE: Duration = Duration::from_secs(30);
/// Fetched but not given out: a partition is not fetched beyond this many times `max_partition_fetch_bytes`.
const BUFFERED_FETCHES: usize = 2;
/// Pause before a partition without a leader is looked at again.
const NO_LEADER_PAUSE: Duration = Duration::from_millis(200);
/// How often the group's leader looks whether missing topics exist now, or known ones are due for a look.
const WATCH_TOPICS_EVERY: Duration = Duration::from_secs(2);

type Answer = Result<FetchResponse, ClientError>;

enum Event {
    Fetched { node: i32, tickets: Vec<Ticket>, snapshot: Arc<Snapshot>, answer: Box<Answer> },
    Positions(Vec<Found>),
    MetadataRefreshed,
    TopicsWatched,
}

struct Fetcher {
    shared: Arc<Shared>,
    lane: Lane,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    /// Brokers with a fetch under way.
    fetching: HashSet<i32>,
    stale: HashSet<Str>,
    /// Topics that were looked up because they were not known.
    tried: HashSet<Str>,
    refreshing: bool,
    failures: u32,
}

/// Runs until the consumer is closed.
pub(super) async fn run(shared: Arc<Shared>) {
    let lane = shared.client.new_lane();
    let mut fetcher = Fetcher {
        shared: Arc::clone(&shared),
        lane,
        events: FuturesUnordered::new(),
        fetching: HashSet::new(),
        stale: HashSet::new(),
        tried: HashSet::new(),
        refreshing: false,
        failures: 0,
    };
    fetcher.watch_topics();
    loop {
        let next = fetcher.start_work();
        let far = Instant::now() + Duration::from_secs(3600);
        let timer = tokio::time::sleep_until(next.unwrap_or(far).into());
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = shared.fetch.notified() => {}
            Some(event) = fetcher.events.next() => fetcher.take(event),
            () = timer => {}
        }
    }
    // The member holds the coordinator's connection and must end with the consumer.
    drop(shared.state.lock().member.take());
    shared.client.close_lane(lane);
}

impl Fetcher {
    /// Starts what can be started; gives the time to look again.
    fn start_work(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let snapshot = self.shared.client.snapshot();
        let (lost, tickets, full, next) = {
            let mut state = self.shared.state.lock();
            let lost = state.partitions.take_lost(now);
            let room = self.room();
            let (tickets, full) = state.partitions.fetchable(room, now);
            (lost, tickets, full, state.partitions.next_delay(now))
        };
        if !lost.is_empty() {
            let shared = Arc::clone(&self.shared);
            self.events
                .push(Box::pin(async move { Event::Positions(shared.find_positions(lost).await) }));
        }
        let crowded: HashSet<i32> = full.iter().filter_map(|p| snapshot.leader(p)).collect();
        let mut by_leader: HashMap<i32, Vec<Ticket>> = HashMap::new();
        let mut leaderless = Vec::new();
        for ticket in tickets {
            match snapshot.leader(&ticket.partition) {
                Some(leader) if self.fetching.contains(&leader) => {}
                Some(leader) => by_leader.entry(leader).or_default().push(ticket),
                // Not known yet: when it has been looked up we come here again.
                None if self.tried.insert(ticket.partition.topic.clone()) => {
                    self.stale.insert(ticket.partition.topic);
                }
                None => leaderless.push(ticket),
            }
        }
        self.delay(&leaderless, NO_LEADER_PAUSE);
        for (node, tickets) in by_leader {
            self.fetch(node, tickets, crowded.contains(&node), &snapshot);
        }
        self.refresh();
        if leaderless.is_empty() { next } else { Some(now + NO_LEADER_PAUSE) }
    }

    fn room(&self) -> usize {
        self.shared.config.max_partition_fetch_bytes.max(1) as usize * BUFFERED_FETCHES
    }

    /// Not again before a pause, and with fresh metadata.
    fn delay(&mut self, tickets: &[Ticket], pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.shared.state.lock();
        for ticket in tickets {
            state.partitions.delay(ticket, Some(until));
            self.stale.insert(ticket.partition.topic.clone());
        }
    }

    fn fetch(&mut self, node: i32, tickets: Vec<Ticket>, crowded: bool, snapshot: &Arc<Snapshot>) {
        self.shared.state.lock().partitions.set_busy(&tickets);
        self.fetching.insert(node);
        let config = &self.shared.config;
        let max_wait_ms = match crowded {
            true => config.fetch_max_wait_ms.min(WAIT_BESIDE_FULL_MS),
            false => config.fetch_max_wait_ms,
        };
        let (request, max_version) = request(&self.shared, &tickets, max_wait_ms, snapshot);
        let timeout = Duration::from_millis(max_wait_ms.into()) + ANSWER_GRACE;
        let (client, lane) = (self.shared.client.clone(), self.lane);
        let snapshot = Arc::clone(snapshot);
        self.events.push(Box::pin(async move {
            let answer = client.call_node_within(node, lane, &request, max_version, timeout).await;
            Event::Fetched { node, tickets, snapshot, answer: Box::new(answer) }
        }));
    }

    fn refresh(&mut self) {
        if self.refreshing || self.stale.is_empty() {
            return;
        }
        self.refreshing = true;
        let topics: Vec<Str> = self.stale.drain().collect();
        let client = self.shared.client.clone();
        self.events.push(Box::pin(async move {
            client.refresh_topics(&topics).await;
            Event::MetadataRefreshed
        }));
    }

    fn watch_topics(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.events.push(Box::pin(async move {
            tokio::time::sleep(WATCH_TOPICS_EVERY).await;
            shared.watch_topics().await;
            Event::TopicsWatched
        }));
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::MetadataRefreshed => self.refreshing = false,
            Event::TopicsWatched => self.watch_topics(),
            Event::Positions(found) => self.take_positions(found),
            Event::Fetched { node, tickets, snapshot, answer } => {
                self.fetching.remove(&node);
                self.take_answer(&tickets, &snapshot, *answer);
                self.shared.arrived.notify_one();
            }
        }
    }

    fn take_positions(&mut self, found: Vec<Found>) {
        for (ticket, result) in found {
            match result {
                Ok(offset) => self.shared.state.lock().partitions.found(&ticket, offset),
                Err(error) => {
                    self.report(error);
                    self.delay(&[ticket], self.shared.client.config().backoff(u32::MAX));
                }
            }
        }
        self.shared.arrived.notify_one();
    }

    fn report(&self, error: ConsumeError) {
        push_limited(&mut self.shared.state.lock().errors, error);
        self.shared.arrived.notify_one();
    }

    fn take_answer(&mut self, tickets: &[Ticket], snapshot: &Snapshot, answer: Answer) {
        let checked = answer.and_then(|response| {
            ApiError::check(response.error_code)?;
            Ok(response)
        });
        let response = match checked {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, "fetch");
                let pause = self.shared.client.config().backoff(self.failures);
                self.failures += 1;
                if !error.is_retriable() {
                    self.report(ConsumeError::Client(error));
                }
                return self.delay(tickets, pause);
            }
        };
        self.failures = 0;
        let mut parts = index(response, snapshot);
        for ticket in tickets {
            let key = (ticket.partition.topic.clone(), ticket.partition.partition);
            match parts.remove(&key) {
                Some(part) => self.take_part(ticket, part),
                None => self.delay(std::slice::from_ref(ticket), NO_LEADER_PAUSE),
            }
        }
    }

    fn take_part(&mut self, ticket: &Ticket, part: PartitionData) {
        let code = ErrorCode(part.error_code);
        match code {
            ErrorCode::NONE => {
                let records = part.records.as_bytes().cloned().unwrap_or_default();
                let aborted = part.aborted_transactions.unwrap_or_default();
                let fetched = Fetched::new(records, aborted);
                let mut state = self.shared.state.lock();
                state.partitions.delay(ticket, None);
                state.partitions.take_fetched(ticket, fetched);
            }
            ErrorCode::OFFSET_OUT_OF_RANGE => {
                tracing::info!(partition = %ticket.partition, ticket.offset, "out of range");
                self.shared.state.lock().partitions.out_of_range(ticket);
            }
            code => {
                let pause = self.shared.client.config().backoff(1);
                if !code.is_retriable() {
                    let partition = ticket.partition.clone();
                    let error = ApiError::new(code);
                    self.report(ConsumeError::Refused { partition, error });
                }
                self.delay(std::slice::from_ref(ticket), pause);
            }
        }
    }
}

fn request(
    shared: &Shared,
    tickets: &[Ticket],
    max_wait_ms: u32,
    snapshot: &Snapshot,
) -> (FetchRequest, i16) {
    let bound = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let config = &shared.config;
    let parts = tickets.iter().map(|t| {
        let part = FetchPartition {
            partition: t.partition.partition,
            fetch_offset: t.offset,
            partition_max_bytes: bound(config.max_partition_fetch_bytes),
            ..Default::default()
        };
        (t.partition.topic.clone(), part)
    });
    let id = |topic: &Str| snapshot.topics.get(topic).map_or(Uuid::ZERO, |t| t.id);
    let topics: Vec<FetchTopic> = by_topic(parts)
        .into_iter()
        .map(|(topic, partitions)| FetchTopic { topic_id: id(&topic), topic, partitions })
        .collect();
    let every_id = topics.iter().all(|t| !t.topic_id.is_zero());
    let request = FetchRequest {
        max_wait_ms: bound(max_wait_ms),
        min_bytes: bound(config.fetch_min_bytes),
        max_bytes: bound(config.fetch_max_bytes),
        isolation_level: config.isolation.code(),
        topics,
        ..Default::default()
    };
    (request, if every_id { i16::MAX } else { LAST_VERSION_BY_NAME })
}

/// The parts of an answer by topic and partition. Topics are named, or known by the ids they had when asked.
fn index(response: FetchResponse, snapshot: &Snapshot) -> HashMap<(Str, i32), PartitionData> {
    let mut parts = HashMap::new();
    for topic in response.responses {
        let name = if topic.topic.is_empty() {
            snapshot.topic_by_id(topic.topic_id).map(|t| t.name.clone())
        } else {
            Some(topic.topic)
        };
        let Some(name) = name else { continue };
        for part in topic.partitions {
            parts.insert((name.clone(), part.partition_index), part);
        }
    }
    parts
}
