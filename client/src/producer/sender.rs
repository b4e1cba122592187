//! The task of a producer: sends what the accumulator gives, and takes the answers back to it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use protocol::{ErrorCode, Str};
use tokio_util::sync::CancellationToken;

use super::accumulator::Drained;
use super::identity::{self, Identity};
use super::queue::{Answer, Finished};
use super::{Shared, request};
use crate::ClientError;
use crate::cluster::Lane;

enum Event {
    Sent { node: i32, sent: request::Sent },
    Identity(Result<Identity, ClientError>),
    MetadataRefreshed,
}

struct Sender {
    shared: Arc<Shared>,
    lane: Lane,
    events: FuturesUnordered<BoxFuture<'static, Event>>,
    /// Unanswered requests by broker.
    in_flight: HashMap<i32, usize>,
    /// Topics to be looked up anew.
    stale: HashSet<Str>,
    refreshing: bool,
    refreshes_in_vain: u32,
    asking_identity: bool,
    identity_failures: u32,
}

/// Runs until the last handle of the producer is dropped.
pub(super) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    let lane = shared.client.new_lane();
    let mut sender = Sender {
        shared: Arc::clone(&shared),
        lane,
        events: FuturesUnordered::new(),
        in_flight: HashMap::new(),
        stale: HashSet::new(),
        refreshing: false,
        refreshes_in_vain: 0,
        asking_identity: false,
        identity_failures: 0,
    };
    loop {
        let next = sender.send_ready();
        let timer = tokio::time::sleep_until(next.unwrap_or_else(far_away).into());
        tokio::select! {
            () = stop.cancelled() => break,
            () = shared.wake.notified() => {}
            Some(event) = sender.events.next(), if !sender.events.is_empty() => sender.take(event),
            () = timer, if next.is_some() => {}
        }
    }
    shared.client.close_lane(lane);
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

impl Sender {
    /// Starts every request that may be sent; gives the time to look again.
    fn send_ready(&mut self) -> Option<Instant> {
        let snapshot = self.shared.client.snapshot();
        let most = self.shared.config.max_in_flight;
        let in_flight = &self.in_flight;
        let is_free = |node| in_flight.get(&node).is_none_or(|n| *n < most);
        let Drained { requests, finished, leaderless, needs_identity, next } =
            self.shared.accumulator.lock().drain(&snapshot, Instant::now(), is_free);
        self.finish(finished);
        for (node, batches) in requests {
            if batches.is_empty() {
                continue;
            }
            *self.in_flight.entry(node).or_default() += 1;
            let (shared, lane) = (Arc::clone(&self.shared), self.lane);
            self.events.push(Box::pin(async move {
                let sent = request::send(&shared.client, &shared.config, node, lane, batches).await;
                Event::Sent { node, sent }
            }));
        }
        if needs_identity {
            self.ask_identity();
        }
        self.stale.extend(leaderless);
        self.refresh();
        next
    }

    fn finish(&self, finished: Vec<Finished>) {
        for (batch, outcome) in finished {
            self.shared.room.add_permits(batch.room);
            batch.finish(outcome);
        }
    }

    fn ask_identity(&mut self) {
        if std::mem::replace(&mut self.asking_identity, true) {
            return;
        }
        let (shared, lane) = (Arc::clone(&self.shared), self.lane);
        let pause = match self.identity_failures {
            0 => Duration::ZERO,
            n => shared.client.config().backoff(n - 1),
        };
        self.events.push(Box::pin(async move {
            tokio::time::sleep(pause).await;
            Event::Identity(identity::obtain(&shared.client, lane).await)
        }));
    }

    /// Looks up topics whose leaders are not known or were wrong, one request at a time.
    fn refresh(&mut self) {
        if self.refreshing || self.stale.is_empty() {
            return;
        }
        self.refreshing = true;
        let topics: Vec<Str> = self.stale.drain().collect();
        let shared = Arc::clone(&self.shared);
        let pause = match self.refreshes_in_vain {
            0 => Duration::ZERO,
            n => shared.client.config().backoff(n - 1),
        };
        self.refreshes_in_vain += 1;
        self.events.push(Box::pin(async move {
            tokio::time::sleep(pause).await;
            shared.client.refresh_topics(&topics).await;
            Event::MetadataRefreshed
        }));
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::MetadataRefreshed => self.refreshing = false,
            Event::Identity(Ok(identity)) => {
                self.asking_identity = false;
                self.identity_failures = 0;
                self.shared.accumulator.lock().set_identity(identity);
            }
            Event::Identity(Err(error)) => {
                tracing::warn!(%error, "no producer id");
                self.asking_identity = false;
                self.identity_failures += 1;
            }
            Event::Sent { node, sent } => self.take_answers(node, sent),
        }
    }

    fn take_answers(&mut self, node: i32, sent: request::Sent) {
        if let Some(count) = self.in_flight.get_mut(&node) {
            *count = count.saturating_sub(1);
        }
        let mut finished = Vec::new();
        let now = Instant::now();
        for (partition, batch, answer) in sent {
            match &answer {
                Answer::Written { .. } => self.refreshes_in_vain = 0,
                Answer::Refused(e) if is_about_leader(e.code) => {
                    self.stale.insert(partition.topic.clone());
                }
                Answer::Failed { error, .. } => {
                    tracing::debug!(%partition, error, "batch will be sent again");
                    self.stale.insert(partition.topic.clone());
                }
                Answer::Refused(_) => {}
            }
            let retry_at = now + self.shared.client.config().backoff(batch.attempts);
            let mut accumulator = self.shared.accumulator.lock();
            finished.extend(accumulator.settle(&partition, batch, answer, retry_at));
        }
        self.finish(finished);
    }
}

fn is_about_leader(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NOT_LEADER_OR_FOLLOWER
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::REPLICA_NOT_AVAILABLE
    )
}
