//! Notices dead brokers before their sessions end.
//!
//! The active controller keeps an idle connection to every unfenced broker. When a process dies its machine closes the
//! connection, and refuses the next one: then nobody listens there, and the broker is fenced at once instead of after
//! `broker.session.timeout.ms`. Anything else (no answer, a connection that works again, an address that this node has
//! never reached) says nothing, and the session decides. Fencing a broker that lives after all costs it its leaderships for a heartbeat, no record.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use quorum::controller::FenceBroker;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::context::Broker;

/// How often the set of watched brokers is compared with the metadata.
const INTERVAL: Duration = Duration::from_millis(250);
/// Longest wait for a connection; what takes longer says nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A process that restarts may be refused for a moment although it is alive: two refusals in a row, so far apart, count.
const REFUSED_AGAIN: Duration = Duration::from_millis(50);

/// A registration that is watched.
type Watched = (i32, i64);

/// Runs until `stop`; watches nobody while another node leads.
pub(crate) async fn run(broker: Arc<Broker>, stop: CancellationToken) {
    stop.run_until_cancelled(forever(&broker)).await;
}

async fn forever(broker: &Arc<Broker>) {
    let mut watches: JoinSet<Watched> = JoinSet::new();
    let mut watched: HashMap<Watched, tokio::task::AbortHandle> = HashMap::new();
    let mut leader = broker.quorum.leader_changes();
    loop {
        tokio::select! {
            () = sleep(INTERVAL) => {}
            Ok(()) = leader.changed() => {}
            Some(ended) = watches.join_next() => {
                if let Ok(of) = ended {
                    watched.remove(&of);
                }
            }
        }
        let image = broker.image();
        let leads = broker.quorum.leads();
        watched.retain(|(id, epoch), watch| {
            let there = image.broker(*id).is_some_and(|b| b.epoch == *epoch && !b.fenced);
            if !(there && leads) {
                watch.abort();
            }
            there && leads
        });
        for other in image.brokers().filter(|b| leads && !b.fenced) {
            let of = (other.id, other.epoch);
            if other.id == broker.config.node_id || watched.contains_key(&of) {
                continue;
            }
            let (host, port) = (other.host.to_string(), other.port);
            let reached = broker.peers.has_reached(other.id);
            let broker = Arc::clone(broker);
            let watch = watches.spawn(async move {
                if dies(&host, port, reached).await {
                    fence(&broker, of).await;
                }
                of
            });
            watched.insert(of, watch);
        }
    }
}

/// Returns when the connection has ended: true if nobody listens there any more. `reached`: somebody did before.
async fn dies(host: &str, port: u16, reached: bool) -> bool {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Ok(mut stream)) => {
            // A broker says nothing by itself: what comes is the end.
            let mut byte = [0_u8; 1];
            if stream.read(&mut byte).await.is_ok_and(|bytes| bytes > 0) {
                return false;
            }
        }
        // It died before this controller became the active one, perhaps as the one before.
        Ok(Err(error)) if reached && error.kind() == ErrorKind::ConnectionRefused => {}
        _ => {
            sleep(CONNECT_TIMEOUT).await;
            return false;
        }
    }
    refuses(host, port).await && {
        sleep(REFUSED_AGAIN).await;
        refuses(host, port).await
    }
}

async fn refuses(host: &str, port: u16) -> bool {
    match timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await {
        Ok(Err(error)) => error.kind() == ErrorKind::ConnectionRefused,
        Ok(Ok(_)) | Err(_) => false,
    }
}

async fn fence(broker: &Broker, (broker_id, broker_epoch): Watched) {
    let command = FenceBroker { broker_id, broker_epoch };
    // Another controller has its own watchdog.
    if let Ok(true) = broker.controller.submit_for_others(command).await {
        tracing::warn!(broker = broker_id, "fenced a broker whose process has ended");
    }
}
