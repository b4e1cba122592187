//! Why the herder refuses a request.

use crate::config::ConfigProblem;
use crate::kafka::StoreError;

/// Why a request to the herder failed.
#[derive(Debug, thiserror::Error)]
pub enum HerderError {
    /// The worker has not read its topics yet.
    #[error("{0}")]
    Starting(String),
    #[error("{0}")]
    NotFound(String),
    /// There is a connector of that name.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    BadRequest(String),
    /// The worker's configuration does not allow it.
    #[error("{0}")]
    Forbidden(String),
    #[error("{}", invalid(.0))]
    InvalidConfig(Vec<ConfigProblem>),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Client(#[from] client::ClientError),
    #[error("{0}")]
    Timeout(String),
    #[error("the worker is shutting down")]
    Closed,
}

/// Kafka's sentence about a configuration that does not work.
fn invalid(problems: &[ConfigProblem]) -> String {
    let mut text = format!(
        "Connector configuration is invalid and contains the following {} error(s):",
        problems.len()
    );
    for problem in problems {
        text.push('\n');
        text.push_str(&problem.message);
    }
    text.push_str(
        "\nYou can also find the above list of errors at the endpoint \
         `/connector-plugins/{connectorType}/config/validate`",
    );
    text
}
