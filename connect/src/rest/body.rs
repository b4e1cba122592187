//! Reads the bodies of requests.

use axum::body::Bytes;
use serde_json::{Map, Value as Json};

use super::RestError;
use crate::config::Config;

/// The body as a JSON object, whatever its content type says, as Kafka Connect takes it.
pub(super) fn object(body: &Bytes) -> Result<Map<String, Json>, RestError> {
    match serde_json::from_slice(body) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(RestError::bad_request("the body must be a JSON object")),
        Err(error) => Err(RestError::bad_request(format!("the body is no JSON: {error}"))),
    }
}

/// A configuration: text by key. Numbers and booleans are taken as their text, null as absent.
pub(super) fn config(object: Map<String, Json>) -> Result<Config, RestError> {
    let entries = object.into_iter().filter_map(|(key, value)| match text(&key, value) {
        Ok(Some(value)) => Some(Ok((key, value))),
        Ok(None) => None,
        Err(error) => Some(Err(error)),
    });
    entries.collect()
}

/// A change of a configuration: null removes a key.
pub(super) fn patch(object: Map<String, Json>) -> Result<Vec<(String, Option<String>)>, RestError> {
    object.into_iter().map(|(key, value)| Ok((key.clone(), text(&key, value)?))).collect()
}

fn text(key: &str, value: Json) -> Result<Option<String>, RestError> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        Json::Number(number) => Ok(Some(number.to_string())),
        Json::Bool(value) => Ok(Some(value.to_string())),
        Json::Array(_) | Json::Object(_) => {
            Err(RestError::bad_request(format!("the value of {key} must be a string")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &'static str) -> Result<Config, RestError> {
        config(object(&Bytes::from_static(text.as_bytes()))?)
    }

    #[test]
    fn scalars_are_text_and_everything_else_is_refused() {
        let config = parse(r#"{"tasks.max":2,"on":true,"file":"a","gone":null}"#).unwrap();
        assert_eq!(config["tasks.max"], "2");
        assert_eq!(config["on"], "true");
        assert!(!config.contains_key("gone"));
        for bad in [r#"{"a":[]}"#, r#"{"a":{}}"#, "[]", "{", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn null_in_a_patch_removes() {
        let body = object(&Bytes::from_static(br#"{"a":null,"b":"c"}"#)).unwrap();
        let changes = patch(body).unwrap();
        assert_eq!(changes, [("a".to_owned(), None), ("b".to_owned(), Some("c".to_owned()))]);
    }
}
