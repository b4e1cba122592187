//! What becomes of a record.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;

use crate::{ApiError, ClientError, TopicPartition};

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The topic.
    pub topic: protocol::Str,
    /// The partition.
    pub partition: i32,
    /// Its offset; -1 when the broker does not say (`acks=0`, or a repetition of a batch that it knew already).
    pub offset: i64,
    /// Its timestamp, milliseconds since 1970; the broker's if the topic is configured so.
    pub timestamp_ms: i64,
}

/// Why a record was not written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProduceError {
    /// The producer was closed.
    #[error("the producer is closed")]
    Closed,
    /// The record is longer than a request or the buffer may be.
    #[error("the record takes {bytes} bytes, more than the allowed {limit}")]
    RecordTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// `send` waited too long for room in the buffer or for the topic's metadata.
    #[error("no room in the producer's buffer, or no metadata, within {waited_ms} ms")]
    Blocked {
        /// How long it waited.
        waited_ms: u32,
    },
    /// The topic's metadata cannot be had.
    #[error(transparent)]
    Metadata(ClientError),
    /// The topic has no such partition.
    #[error("{0} does not exist")]
    UnknownPartition(TopicPartition),
    /// The record cannot be put into a batch.
    #[error(transparent)]
    Records(#[from] protocol::records::RecordsError),
    /// The broker refused it for good. It was not written.
    #[error("{partition}: {error}")]
    Refused {
        /// Where it should have gone.
        partition: TopicPartition,
        /// Why not.
        error: ApiError,
    },
    /// The time is up. When `maybe_written`, it cannot be told whether the record was written.
    #[error("{partition}: not acknowledged within {timeout_ms} ms; last: {last}")]
    TimedOut {
        /// Where it should have gone.
        partition: TopicPartition,
        /// The delivery timeout.
        timeout_ms: u32,
        /// What went wrong last.
        last: String,
        /// Whether it may have been written all the same.
        maybe_written: bool,
    },
    /// An earlier record of the partition failed, and whether this one was written cannot be told.
    #[error("{partition}: an earlier batch failed while this one was in flight ({earlier})")]
    Unknown {
        /// Where it should have gone.
        partition: TopicPartition,
        /// The earlier failure.
        earlier: String,
    },
}

/// What a broker said about a batch.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) partition: TopicPartition,
    pub(super) base_offset: i64,
    /// Set by topics with `message.timestamp.type=LogAppendTime`.
    pub(super) append_time_ms: Option<i64>,
}

pub(super) type Outcome = Result<Written, ProduceError>;
/// Every record of a batch waits for the same outcome.
pub(super) type BatchDone = Shared<BatchReceiver>;

/// The outcome of a batch; dropped without one means that the producer ended.
#[derive(Debug)]
pub(super) struct BatchReceiver(oneshot::Receiver<Outcome>);

impl Future for BatchReceiver {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        self.0.poll_unpin(cx).map(|received| received.unwrap_or(Err(ProduceError::Closed)))
    }
}

pub(super) fn channel() -> (oneshot::Sender<Outcome>, BatchDone) {
    let (sender, receiver) = oneshot::channel();
    (sender, BatchReceiver(receiver).shared())
}

pub(super) async fn outcome(done: BatchDone) -> Outcome {
    done.await
}

/// A future that tells what became of one record. Dropping it changes nothing about the record.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub(super) done: BatchDone,
    pub(super) index: i32,
    pub(super) timestamp_ms: i64,
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ProduceError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.done.poll_unpin(cx).map(|outcome| {
            let written = outcome?;
            let offset = match written.base_offset {
                -1 => -1,
                base => base + i64::from(self.index),
            };
            Ok(RecordMetadata {
                topic: written.partition.topic,
                partition: written.partition.partition,
                offset,
                timestamp_ms: written.append_time_ms.unwrap_or(self.timestamp_ms),
            })
        })
    }
}
