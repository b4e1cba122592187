//! What can go wrong inside a plugin.

/// A value or record that does not fit: it concerns this record alone and goes to the error handler.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DataError {
    message: String,
    retriable: bool,
}

impl DataError {
    pub fn new(message: impl Into<String>) -> DataError {
        DataError { message: message.into(), retriable: false }
    }

    /// An error that may pass, as of a converter whose schema registry does not answer: `errors.retry.timeout` says for
    /// how long it is tried again.
    pub fn retriable(message: impl Into<String>) -> DataError {
        DataError { message: message.into(), retriable: true }
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
        match self {
            ConnectError::Retriable(_) => true,
            ConnectError::Data(error) => error.retriable,
            ConnectError::Fatal(_) => false,
        }
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
