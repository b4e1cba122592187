//! The open connections of a client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::connection::ConnectionConfig;
use crate::{CallError, ClientConfig, Connection};

/// Keeps requests that wait at the broker apart from others: each lane has connections of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Lane(pub(super) u64);

impl Lane {
    /// For short requests of anybody.
    pub(crate) const SHARED: Self = Self(0);
}

type Key = (String, Lane);
/// Locked while a connection is made, so that callers at the same time share it.
type Slot = Arc<tokio::sync::Mutex<Option<Connection>>>;

#[derive(Debug)]
pub(super) struct Pool {
    config: ConnectionConfig,
    slots: Mutex<HashMap<Key, Slot>>,
}

impl Pool {
    pub(super) fn new(config: &ClientConfig) -> Self {
        Self {
            config: ConnectionConfig {
                client_id: config.client_id.clone(),
                connect_timeout: Duration::from_millis(config.connect_timeout_ms.into()),
                request_timeout: config.request_timeout(),
                max_response_bytes: config.max_response_bytes,
            },
            slots: Mutex::default(),
        }
    }

    /// The open connection to an address, or a new one.
    pub(super) async fn get(&self, address: &str, lane: Lane) -> Result<Connection, CallError> {
        let slot = Arc::clone(self.slots.lock().entry((address.to_owned(), lane)).or_default());
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|c| !c.is_closed()) {
            return Ok(connection.clone());
        }
        *slot = None;
        let connection = Connection::open(address, self.config.clone()).await?;
        tracing::debug!(address, "connected");
        *slot = Some(connection.clone());
        Ok(connection)
    }

    /// Whether there is a connection that can be used at once.
    pub(super) fn is_open(&self, address: &str, lane: Lane) -> bool {
        let slots = self.slots.lock();
        let slot = slots.get(&(address.to_owned(), lane));
        slot.and_then(|s| s.try_lock().ok()?.as_ref().map(|c| !c.is_closed())).unwrap_or(false)
    }

    pub(super) fn close_lane(&self, lane: Lane) {
        self.slots.lock().retain(|(_, of), _| *of != lane);
    }
}
