//! Requests over a connection.

use std::time::Duration;

use bytes::Bytes;
use protocol::{ApiKey, DecodeError, EncodeError, Request, frame};
use tokio::sync::oneshot;

use super::Connection;

/// Why a request got no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// No connection could be made.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What the system or the broker said.
        reason: String,
    },
    /// The connection ended before the answer came. The request may or may not have had its effect.
    #[error("connection to {address} ended: {reason}")]
    Disconnected {
        /// `host:port`.
        address: String,
        /// Why.
        reason: String,
    },
    /// The answer did not come in time. The request may or may not have had its effect.
    #[error("{api} at {address} was not answered within {timeout_ms} ms")]
    Timeout {
        /// `host:port`.
        address: String,
        /// The API.
        api: ApiKey,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// The broker and we have no version of the API in common.
    #[error("{address} speaks no version of {api} that this client does")]
    UnsupportedApi {
        /// `host:port`.
        address: String,
        /// The API.
        api: ApiKey,
    },
    /// The request cannot be said in the version that the broker speaks.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The answer cannot be read.
    #[error("answer of {api} at {address}: {error}")]
    Decode {
        /// `host:port`.
        address: String,
        /// The API.
        api: ApiKey,
        /// What is wrong.
        error: DecodeError,
    },
}

impl CallError {
    /// Whether a new connection may help.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Disconnected { .. } | Self::Timeout { .. })
    }

    /// Whether the request may have had its effect although no answer came.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Disconnected { .. } | Self::Timeout { .. } | Self::Decode { .. })
    }
}

impl Connection {
    /// Sends a request in the highest common version and waits for the answer.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, CallError> {
        self.call_up_to(request, i16::MAX, self.shared.config.request_timeout).await
    }

    /// As [`Connection::call`], with a highest version and a time limit of the caller's.
    pub async fn call_up_to<R: Request>(
        &self,
        request: &R,
        max_version: i16,
        timeout: Duration,
    ) -> Result<R::Response, CallError> {
        let version = self.agreed(R::KEY, max_version)?;
        self.call_version(request, version, timeout).await
    }

    /// Sends a request that the broker does not answer (`acks=0`); returns when it is queued for the socket.
    pub async fn send_only<R: Request>(
        &self,
        request: &R,
        max_version: i16,
    ) -> Result<(), CallError> {
        let version = self.agreed(R::KEY, max_version)?;
        let id = self.next_correlation();
        let client_id = Some(self.shared.config.client_id.as_str());
        let segments = frame::encode_request_segments(id, client_id, version, request)?;
        self.queue.send(segments).await.map_err(|_| self.shared.disconnected())
    }

    pub(super) async fn call_version<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<R::Response, CallError> {
        let frame = self.exchange(request, version, timeout).await?;
        let decoded = frame::decode_response::<R>(frame, version);
        decoded.map(|(_, response)| response).map_err(|error| CallError::Decode {
            address: self.shared.address.clone(),
            api: R::KEY,
            error,
        })
    }

    /// The answer's frame, without its length.
    pub(super) async fn exchange<R: Request>(
        &self,
        request: &R,
        version: i16,
        timeout: Duration,
    ) -> Result<Bytes, CallError> {
        let id = self.next_correlation();
        let client_id = Some(self.shared.config.client_id.as_str());
        let segments = frame::encode_request_segments(id, client_id, version, request)?;
        let (sender, answer) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting.lock();
            if waiting.closed_because.is_some() {
                drop(waiting);
                return Err(self.shared.disconnected());
            }
            waiting.answers.insert(id, sender);
        }
        let exchange = async {
            if self.queue.send(segments).await.is_err() {
                return None;
            }
            answer.await.ok()
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(self.shared.disconnected()),
            Err(_) => {
                // Answers come in order, so what is behind this one would be late as well.
                self.shared.close("a request was not answered in time");
                Err(CallError::Timeout {
                    address: self.shared.address.clone(),
                    api: R::KEY,
                    timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
                })
            }
        }
    }

    fn agreed(&self, api: ApiKey, max_version: i16) -> Result<i16, CallError> {
        self.versions
            .highest(api, max_version)
            .ok_or_else(|| CallError::UnsupportedApi { address: self.shared.address.clone(), api })
    }
}
