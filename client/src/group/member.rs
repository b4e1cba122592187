//! The task of a member: join, heartbeats, join again, leave.

use std::sync::Arc;
use std::time::{Duration, Instant};

use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{HeartbeatRequest, LeaveGroupRequest};
use protocol::{ApiKey, ErrorCode, Str};

use super::{Assigned, GroupError, Identity, LostReason, Shared};
use crate::{ApiError, ClientError};

/// Longest wait for the answer to a farewell.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// What ends a generation.
enum End {
    /// Somebody wants another generation.
    Rebalance,
    Lost(LostReason),
    Stopped,
}

/// Runs until the membership is given up.
pub(super) async fn run(shared: Arc<Shared>) {
    let stop = shared.stop.clone();
    loop {
        let joined = tokio::select! {
            () = stop.cancelled() => break,
            joined = join(&shared) => joined,
        };
        let Some(assigned) = joined else { continue };
        tracing::debug!(
            group = shared.config.group_id,
            generation = assigned.generation,
            leader = assigned.is_leader(),
            "joined"
        );
        shared.protocol.assigned(assigned);
        let mut end = stable(&shared).await;
        if matches!(end, End::Rebalance) {
            end = give_up(&shared).await;
        }
        match end {
            End::Rebalance => {}
            End::Stopped => break,
            End::Lost(reason) => {
                let left = reason == LostReason::NotAlive;
                tracing::warn!(group = shared.config.group_id, ?reason, "out of the group");
                if left {
                    leave(&shared).await;
                }
                *shared.identity.lock() = Identity::NOBODY;
                shared.protocol.lost(reason);
                if left && !wait_for_life(&shared).await {
                    break;
                }
            }
        }
    }
    leave(&shared).await;
    shared.ended.cancel();
}

/// Joins, trying again while that may help. `None` after a failure that was reported and a wish to try again.
async fn join(shared: &Shared) -> Option<Assigned> {
    let mut attempt = 0;
    loop {
        let error = match shared.join_once().await {
            Ok(assigned) => return Some(assigned),
            Err(e) => e,
        };
        match error.code() {
            // The coordinator has told the id to come with.
            Some(ErrorCode::MEMBER_ID_REQUIRED) => continue,
            Some(
                ErrorCode::UNKNOWN_MEMBER_ID
                | ErrorCode::ILLEGAL_GENERATION
                | ErrorCode::REBALANCE_IN_PROGRESS,
            ) => {}
            _ if error.is_retriable() => {}
            _ => {
                tracing::warn!(group = shared.config.group_id, %error, "cannot join");
                shared.protocol.failed(group_error(shared, error));
                shared.rejoin.notified().await;
                return None;
            }
        }
        tracing::debug!(group = shared.config.group_id, %error, "joining again");
        tokio::time::sleep(shared.coordinator.client.config().backoff(attempt)).await;
        attempt += 1;
    }
}

fn group_error(shared: &Shared, error: ClientError) -> GroupError {
    let group = shared.config.group_id.clone();
    match error {
        ClientError::Api(error) => GroupError::Refused { group, error },
        error => GroupError::Client { group, error },
    }
}

/// Heartbeats of one generation.
struct Pulse<'a> {
    shared: &'a Shared,
    interval: tokio::time::Interval,
    last_answer: Instant,
}

impl<'a> Pulse<'a> {
    fn new(shared: &'a Shared) -> Self {
        let period = Duration::from_millis(shared.config.heartbeat_interval_ms.max(1).into());
        let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { shared, interval, last_answer: Instant::now() }
    }

    /// Waits for the next beat; says what it found. `None`: all is well.
    async fn beat(&mut self) -> Option<End> {
        self.interval.tick().await;
        if !self.shared.protocol.is_alive() {
            return Some(End::Lost(LostReason::NotAlive));
        }
        let session = Duration::from_millis(self.shared.config.session_timeout_ms.into());
        let code = match heartbeat(self.shared, session).await {
            Ok(code) => code,
            Err(error) => {
                tracing::debug!(group = self.shared.config.group_id, %error, "no heartbeat");
                let over = self.last_answer.elapsed() > session;
                return over.then_some(End::Lost(LostReason::SessionTimeout));
            }
        };
        self.shared.coordinator.note(code.0);
        match code {
            ErrorCode::NONE => {
                self.last_answer = Instant::now();
                None
            }
            ErrorCode::REBALANCE_IN_PROGRESS => {
                self.last_answer = Instant::now();
                Some(End::Rebalance)
            }
            ErrorCode::UNKNOWN_MEMBER_ID
            | ErrorCode::ILLEGAL_GENERATION
            | ErrorCode::FENCED_INSTANCE_ID => Some(End::Lost(LostReason::Expelled(code))),
            _ => (self.last_answer.elapsed() > session)
                .then_some(End::Lost(LostReason::SessionTimeout)),
        }
    }
}

async fn heartbeat(shared: &Shared, session: Duration) -> Result<ErrorCode, ClientError> {
    let identity = shared.identity.lock().clone();
    let request = HeartbeatRequest {
        group_id: Str::copy(&shared.config.group_id),
        generation_id: identity.generation,
        member_id: identity.member_id,
        group_instance_id: shared.config.group_instance_id.as_deref().map(Str::copy),
    };
    let timeout = session.min(shared.coordinator.client.config().request_timeout());
    // Finding the coordinator again must not take longer than the session either.
    let call = shared.coordinator.call_within(&request, timeout);
    let response = match tokio::time::timeout(session, call).await {
        Ok(response) => response?,
        Err(_) => return Err(ApiError::new(ErrorCode::COORDINATOR_NOT_AVAILABLE).into()),
    };
    Ok(ErrorCode(response.error_code))
}

/// A generation, until something ends it.
async fn stable(shared: &Shared) -> End {
    let mut pulse = Pulse::new(shared);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return End::Stopped,
            () = shared.rejoin.notified() => return End::Rebalance,
            end = pulse.beat() => if let Some(end) = end { return end },
        }
    }
}

/// Lets the protocol give up what it has, while heartbeats go on.
async fn give_up(shared: &Shared) -> End {
    let mut pulse = Pulse::new(shared);
    let mut revoked = shared.protocol.revoke();
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return End::Stopped,
            () = &mut revoked => return End::Rebalance,
            end = pulse.beat() => match end {
                None | Some(End::Rebalance) => {}
                Some(end) => return end,
            },
        }
    }
}

/// Waits until the protocol is alive again; false when the membership is given up meanwhile.
async fn wait_for_life(shared: &Shared) -> bool {
    let period = Duration::from_millis(shared.config.heartbeat_interval_ms.max(1).into());
    while !shared.protocol.is_alive() {
        tokio::select! {
            () = shared.stop.cancelled() => return false,
            () = shared.rejoin.notified() => {}
            () = tokio::time::sleep(period) => {}
        }
    }
    true
}

/// Tells the coordinator, once, that the member goes. A static member does not say so: it may come back.
async fn leave(shared: &Shared) {
    let identity = std::mem::replace(&mut *shared.identity.lock(), Identity::NOBODY);
    if identity.member_id.is_empty() || shared.config.group_instance_id.is_some() {
        return;
    }
    let farewell = async {
        let connection = shared.coordinator.connection().await?;
        let mut request = LeaveGroupRequest {
            group_id: Str::copy(&shared.config.group_id),
            ..Default::default()
        };
        // From version 3 on several members can leave at once.
        if connection.version(ApiKey::LeaveGroup).is_some_and(|v| v >= 3) {
            let member = MemberIdentity { member_id: identity.member_id, ..Default::default() };
            request.members.push(member);
        } else {
            request.member_id = identity.member_id;
        }
        let response = connection.call(&request).await?;
        ApiError::check(response.error_code)?;
        Ok::<(), ClientError>(())
    };
    match tokio::time::timeout(LEAVE_TIMEOUT, farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(group = shared.config.group_id, %error, "leaving"),
        Err(_) => tracing::debug!(group = shared.config.group_id, "leaving: no answer"),
    }
}
