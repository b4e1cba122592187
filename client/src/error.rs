//! Errors that every part of the client can report.

use std::fmt;

use protocol::ErrorCode;

use crate::CallError;

/// An error code that a broker answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// Kafka's code.
    pub code: ErrorCode,
    /// What the broker said beyond the code.
    pub message: Option<String>,
}

impl ApiError {
    /// An error with Kafka's own sentence for the code.
    pub fn new(code: ErrorCode) -> Self {
        Self { code, message: None }
    }

    /// `Ok` for code 0, else the error.
    pub(crate) fn check(code: i16) -> Result<(), Self> {
        ErrorCode(code).ok().map_err(Self::new)
    }

    /// `Ok` for code 0, else the error with the broker's words.
    pub(crate) fn check_with(code: i16, message: Option<&protocol::Str>) -> Result<(), Self> {
        let message = message.filter(|m| !m.is_empty()).map(ToString::to_string);
        ErrorCode(code).ok().map_err(|code| Self { code, message })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.message {
            Some(message) => write!(f, "{}: {message}", self.code.name()),
            None => write!(f, "{}: {}", self.code.name(), self.code.message()),
        }
    }
}

impl std::error::Error for ApiError {}

/// Why an operation failed, after what could be tried again was tried again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] crate::ConfigError),
    /// A connection failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A broker refused.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// No broker of the cluster could be reached.
    #[error("no broker can be reached ({tried}): {last}")]
    NoBroker {
        /// Addresses that were tried.
        tried: String,
        /// The last failure.
        last: Box<CallError>,
    },
    /// The broker is not, or not yet, in the cluster's metadata.
    #[error("broker {0} is not known to the cluster")]
    UnknownBroker(i32),
    /// The partition has no leader now, or does not exist.
    #[error("{0} has no leader")]
    NoLeader(crate::TopicPartition),
    /// The answer lacks what was asked for.
    #[error("the broker's answer lacks {0}")]
    Incomplete(&'static str),
}

impl ClientError {
    /// Whether trying again later may help.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Config(_) => false,
            Self::Call(e) => e.is_retriable(),
            Self::Api(e) => e.code.is_retriable(),
            Self::NoBroker { .. } | Self::UnknownBroker(_) | Self::NoLeader(_) => true,
            Self::Incomplete(_) => false,
        }
    }

    /// The broker's code, when a broker refused.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(e) => Some(e.code),
            _ => None,
        }
    }
}

impl From<ErrorCode> for ClientError {
    fn from(code: ErrorCode) -> Self {
        Self::Api(ApiError::new(code))
    }
}
