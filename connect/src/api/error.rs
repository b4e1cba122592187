//! What can go wrong inside a plugin.

/// A value or record that does not fit: it concerns this record alone and goes to the error handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DataError {
    message: String,
}

impl DataError {
    pub fn new(message: impl Into<String>) -> DataError {
        DataError { message: message.into() }
    }
}

/// What a task or connector reports.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It may go well the next time: the framework waits and calls again (Kafka's `RetriableException`).
    #[error("{0}")]
    Retriable(String),
    /// This record cannot be handled; the next one may well be (Kafka's `DataException`).
    #[error(transparent)]
    Data(#[from] DataError),
    /// The task cannot go on: it becomes FAILED with this text as its trace (Kafka's `ConnectException`).
    #[error("{0}")]
    Fatal(String),
}

impl ConnectError {
    pub fn fatal(message: impl Into<String>) -> ConnectError {
        ConnectError::Fatal(message.into())
    }

    pub fn retriable(message: impl Into<String>) -> ConnectError {
        ConnectError::Retriable(message.into())
    }

    pub fn is_retriable(&self) -> bool {
        matches!(self, ConnectError::Retriable(_))
    }

    /// The name of the matching Java exception, which is what the dead-letter headers carry.
    pub fn java_class(&self) -> &'static str {
        match self {
            ConnectError::Retriable(_) => "org.apache.kafka.connect.errors.RetriableException",
            ConnectError::Data(_) => "org.apache.kafka.connect.errors.DataException",
            ConnectError::Fatal(_) => "org.apache.kafka.connect.errors.ConnectException",
        }
    }
}
