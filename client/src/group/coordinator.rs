//! The broker in charge of a group.

use parking_lot::Mutex;
use protocol::{ErrorCode, Request};
use std::time::Duration;

use crate::cluster::Lane;
use crate::{Client, ClientError, Connection};

/// Remembers a group's coordinator and speaks to it on connections of its own.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(crate) client: Client,
    pub(crate) group: String,
    lane: Lane,
    node: Mutex<Option<i32>>,
}

impl Coordinator {
    pub(crate) fn new(client: &Client, group: &str) -> Self {
        Self {
            client: client.clone(),
            group: group.to_owned(),
            lane: client.new_lane(),
            node: Mutex::new(None),
        }
    }

    /// A connection to it, after looking for it if need be.
    pub(crate) async fn connection(&self) -> Result<Connection, ClientError> {
        let known = *self.node.lock();
        let node = match known {
            Some(node) => node,
            None => {
                let node = self.client.group_coordinator(&self.group).await?;
                tracing::debug!(group = self.group, node, "found the coordinator");
                *self.node.lock() = Some(node);
                node
            }
        };
        let connection = self.client.connection(node, self.lane).await;
        if connection.is_err() {
            self.forget();
        }
        connection
    }

    /// One try of a request.
    pub(crate) async fn call<R: Request>(&self, request: &R) -> Result<R::Response, ClientError> {
        self.call_within(request, self.client.config().request_timeout()).await
    }

    /// One try of a request that may wait at the broker.
    pub(crate) async fn call_within<R: Request>(
        &self,
        request: &R,
        timeout: Duration,
    ) -> Result<R::Response, ClientError> {
        let connection = self.connection().await?;
        let result = connection.call_up_to(request, i16::MAX, timeout).await;
        if result.as_ref().is_err_and(crate::CallError::is_retriable) {
            self.forget();
        }
        Ok(result?)
    }

    /// Looks for the coordinator anew next time.
    pub(crate) fn forget(&self) {
        *self.node.lock() = None;
    }

    /// Takes note of a code in an answer: the group may have moved.
    pub(crate) fn note(&self, code: i16) {
        if matches!(
            ErrorCode(code),
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE
        ) {
            self.forget();
        }
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        self.client.close_lane(self.lane);
    }
}
