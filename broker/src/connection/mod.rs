//! One client connection, served by one task.
//!
//! The task reads frames, hands each to the [`Service`], and writes what is ready, all without switching tasks.
//!
//! What one request costs, counted with `strace -c` and by reading the code:
//!
//! | | produce, one batch, `log.flush.before.ack=false` | the same, flushed before the answer | fetch at the tail | fetch of cold data |
//! |---|---|---|---|---|
//! | system calls | `epoll_wait`, `recvfrom`, `pwritev`, `writev` | + `futex`, `fdatasync`, `eventfd` write, shared by all that wait | `epoll_wait`, `recvfrom`, `writev` | + a few `preadv2` of index and headers, `sendfile` |
//! | task switches | none: one wake-up by the poller | + one to the flusher's thread and back | none | none, but for pages that are not in memory |
//! | locks | partitions' view and topic settings (shared), partition, segment's index | + the flusher's queue, the partition again | view, partition | + the index |
//! | copies of records | socket to buffer, buffer to page cache; below 4 KiB once more into the hot tail | the same | buffer to socket | page cache to socket |
//! | boxed futures | none | one | one if it must wait | none |
//!
//! Pipelined requests that arrive together share `recvfrom` and `writev`.
//!
//! Requests are handled one at a time and answered in order, as in Kafka, except that produce requests may overlap
//! while they wait for the disk or the replicas: the log already fixed their order when they were handled.
//!
//! * [`frames`]: cuts frames out of the byte stream.
//! * [`output`]: writes segments, by `writev` and `sendfile`.
//! * [`reply`]: what the service says to a frame.
//!
//! Invariants: responses leave in the order of their requests; memory is bounded by
//! [`MAX_PENDING_REPLIES`] and by the frame limit; a bad frame closes this connection and nothing else.

mod frames;
mod output;
mod reply;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

pub(crate) use frames::Frames;
use output::Output;
use reply::Pending;
pub(crate) use reply::{CloseReason, Reply, Service};

/// Replies that a connection may owe before it stops reading. Kafka's clients keep 5 in flight, librdkafka up to
/// 1,000; what is above waits in the socket.
const MAX_PENDING_REPLIES: usize = 128;

/// Bytes that are read ahead while a request is being handled, so that a client's departure is seen.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How often a connection looks whether it has been idle for too long.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Limits of a connection, from the broker's configuration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Longest request frame in bytes (`socket.request.max.bytes`).
    pub(crate) max_frame_bytes: usize,
    /// A connection without traffic for this long is closed (`connections.max.idle.ms`).
    pub(crate) max_idle: Duration,
}

/// Serves a connection until it ends; the reason is for the log.
pub(crate) async fn serve<S: Service>(
    mut stream: TcpStream,
    peer: SocketAddr,
    service: &Arc<S>,
    limits: Limits,
    shutdown: &CancellationToken,
) -> CloseReason {
    let mut frames = Frames::new(limits.max_frame_bytes);
    let mut pending: VecDeque<Pending> = VecDeque::new();
    let mut output = Output::default();
    let mut last_activity = Instant::now();
    let mut idle_check = tokio::time::interval(IDLE_CHECK_INTERVAL);
    idle_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ended_by_client = false;
    let mut stopping = false;

    loop {
        if stopping && output.is_empty() && !pending.iter().any(Pending::is_waiting) {
            return CloseReason::Shutdown;
        }
        let handled = if stopping {
            Ok(())
        } else {
            handle_frames(&mut frames, &mut pending, service, peer).await
        };
        if let Err(reason) = handled {
            // What was answered before the bad frame still belongs to the client.
            drain_ready(&mut pending, &mut output);
            output.write(&stream).ok();
            return reason;
        }
        drain_ready(&mut pending, &mut output);
        if let Err(error) = output.write(&stream) {
            return CloseReason::Io(error);
        }
        if ended_by_client && pending.is_empty() && output.is_empty() {
            return CloseReason::ByClient;
        }

        let may_read =
            !ended_by_client && !stopping && frames.buffered() < read_limit(&pending, &frames);
        let (mut read_half, write_half) = stream.split();
        tokio::select! {
            biased;
            reply = next_reply(&mut pending), if !pending.is_empty() => {
                match reply {
                    Ok(segments) => output.push(segments),
                    Err(reason) => return reason,
                }
            }
            writable = write_half.writable(), if !output.is_empty() => {
                if let Err(error) = writable {
                    return CloseReason::Io(error);
                }
            }
            read = read_half.read_buf(frames.space()), if may_read => {
                match read {
                    Ok(0) => ended_by_client = true,
                    Ok(_) => last_activity = Instant::now(),
                    Err(error) => return CloseReason::Io(error),
                }
            }
            _ = idle_check.tick() => {
                if pending.is_empty() && last_activity.elapsed() > limits.max_idle {
                    return CloseReason::Idle;
                }
            }
            // What was appended is acknowledged before the end: a producer that is left without an answer must ask
            // again, and a restarted broker remembers only its last batch. Long polls are cut short.
            () = shutdown.cancelled(), if !stopping => stopping = true,
        }
        // A client that has gone will never take what a long poll might still bring.
        if ended_by_client && output.is_empty() && pending.iter().all(Pending::is_exclusive) {
            return CloseReason::ByClient;
        }
    }
}

/// How many bytes may be buffered before reading stops.
fn read_limit(pending: &VecDeque<Pending>, frames: &Frames) -> usize {
    if is_blocked(pending) { READ_AHEAD_BYTES } else { frames.wanted() }
}

/// True while no further frame may be handled.
fn is_blocked(pending: &VecDeque<Pending>) -> bool {
    pending.len() >= MAX_PENDING_REPLIES || pending.back().is_some_and(Pending::is_exclusive)
}

/// Handles every complete frame that may be handled now.
async fn handle_frames<S: Service>(
    frames: &mut Frames,
    pending: &mut VecDeque<Pending>,
    service: &Arc<S>,
    peer: SocketAddr,
) -> Result<(), CloseReason> {
    while !is_blocked(pending) {
        let Some(frame) = frames.next()? else { break };
        match service.call(peer, frame) {
            Reply::Now(segments) => pending.push_back(Pending::Ready(segments)),
            Reply::Nothing => {}
            Reply::Later(future) => pending.push_back(Pending::Waiting(future)),
            Reply::Exclusive(future) => pending.push_back(Pending::Exclusive(future)),
            Reply::Close(reason) => return Err(reason),
        }
        // A client that always has another frame ready must not keep a worker to itself.
        tokio::task::consume_budget().await;
    }
    Ok(())
}

/// Moves the replies at the head that are ready to the output.
fn drain_ready(pending: &mut VecDeque<Pending>, output: &mut Output) {
    while let Some(Pending::Ready(_)) = pending.front() {
        if let Some(Pending::Ready(segments)) = pending.pop_front() {
            output.push(segments);
        }
    }
}

/// Waits for the reply at the head. Replies behind it that wait for the disk make progress as well, because the
/// flusher, not this task, does the work; only the head needs to be polled.
async fn next_reply(
    pending: &mut VecDeque<Pending>,
) -> Result<Vec<protocol::Segment>, CloseReason> {
    let reply = poll_fn(|cx| match pending.front_mut() {
        Some(Pending::Ready(segments)) => Poll::Ready(Ok(std::mem::take(segments))),
        Some(Pending::Waiting(future) | Pending::Exclusive(future)) => future.as_mut().poll(cx),
        None => Poll::Pending,
    })
    .await;
    pending.pop_front();
    reply
}

#[cfg(test)]
mod tests;
