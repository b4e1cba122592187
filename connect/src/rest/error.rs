//! Errors in Kafka Connect's form.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::herder::HerderError;

/// A status code and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RestError {
    pub status: StatusCode,
    pub message: String,
}

impl RestError {
    pub fn bad_request(message: impl Into<String>) -> RestError {
        RestError { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> RestError {
        RestError { status: StatusCode::NOT_FOUND, message: message.into() }
    }
}

impl From<HerderError> for RestError {
    fn from(error: HerderError) -> Self {
        let status = match &error {
            HerderError::NotFound(_) => StatusCode::NOT_FOUND,
            HerderError::Conflict(_) => StatusCode::CONFLICT,
            HerderError::BadRequest(_) | HerderError::InvalidConfig(_) => StatusCode::BAD_REQUEST,
            HerderError::Forbidden(_) => StatusCode::FORBIDDEN,
            HerderError::Starting(_) | HerderError::Closed => StatusCode::SERVICE_UNAVAILABLE,
            HerderError::Store(_) | HerderError::Client(_) | HerderError::Timeout(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        RestError { status, message: error.to_string() }
    }
}

impl IntoResponse for RestError {
    fn into_response(self) -> Response {
        let body = json!({ "error_code": self.status.as_u16(), "message": self.message });
        (self.status, Json(body)).into_response()
    }
}

pub(super) async fn not_found() -> RestError {
    RestError::not_found("HTTP 404 Not Found")
}

pub(super) async fn method_not_allowed() -> RestError {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    RestError { status, message: "HTTP 405 Method Not Allowed".to_owned() }
}
