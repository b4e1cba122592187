//! Trying again: pauses that grow, until an operation's time is up.

use std::time::{Duration, Instant};

use crate::{Client, ClientError};

/// The tries of one operation.
#[derive(Debug)]
pub(crate) struct Retry<'a> {
    client: &'a Client,
    deadline: Instant,
    attempt: u32,
}

impl<'a> Retry<'a> {
    /// An operation that begins now and may take the client's `retry_timeout_ms`.
    pub(crate) fn new(client: &'a Client) -> Self {
        Self::within(client, client.config().retry_timeout())
    }

    /// An operation with a time limit of its own.
    pub(crate) fn within(client: &'a Client, limit: Duration) -> Self {
        Self { client, deadline: Instant::now() + limit, attempt: 0 }
    }

    /// Pauses before the next try; gives the error back when it is final or the time is up.
    pub(crate) async fn again(&mut self, error: ClientError) -> Result<(), ClientError> {
        let pause = self.client.config().backoff(self.attempt);
        if !error.is_retriable() || Instant::now() + pause > self.deadline {
            return Err(error);
        }
        tracing::debug!(%error, attempt = self.attempt, "trying again");
        self.attempt += 1;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}
