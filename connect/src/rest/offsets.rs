//! `/connectors/{name}/offsets` (KIP-875).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::{RestError, body};
use crate::api::OffsetMap;
use crate::herder::{ConnectorOffset, Herder};

pub(super) async fn list(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<Value>, RestError> {
    Ok(Json(json!({ "offsets": herder.offsets(&name).await? })))
}

pub(super) async fn alter(
    State(herder): State<Herder>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, RestError> {
    let offsets = parse(&body)?;
    if offsets.is_empty() {
        return Err(RestError::bad_request(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    herder.alter_offsets(&name, offsets).await?;
    Ok(message("The offsets for this connector have been altered successfully"))
}

pub(super) async fn reset(
    State(herder): State<Herder>,
    Path(name): Path<String>,
) -> Result<Json<Value>, RestError> {
    herder.reset_offsets(&name).await?;
    Ok(message("The offsets for this connector have been reset successfully"))
}

fn message(text: &str) -> Json<Value> {
    Json(json!({ "message": text }))
}

/// `{"offsets":[{"partition":{…},"offset":{…} or null}]}`.
pub(super) fn parse(body: &Bytes) -> Result<Vec<ConnectorOffset>, RestError> {
    let mut object = body::object(body)?;
    let Some(Value::Array(offsets)) = object.remove("offsets") else {
        return Err(RestError::bad_request("the body must have an array 'offsets'"));
    };
    offsets
        .into_iter()
        .map(|mut one| {
            let partition = map(one["partition"].take())?
                .ok_or_else(|| RestError::bad_request("an offset must have a partition"))?;
            Ok(ConnectorOffset { partition, offset: map(one["offset"].take())? })
        })
        .collect()
}

fn map(json: Value) -> Result<Option<OffsetMap>, RestError> {
    match json {
        Value::Object(map) => Ok(Some(map)),
        Value::Null => Ok(None),
        _ => Err(RestError::bad_request("partitions and offsets are JSON objects")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &'static str) -> Result<Vec<ConnectorOffset>, RestError> {
        parse(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn offsets_and_resets_are_read() {
        let offsets = read(
            r#"{"offsets":[{"partition":{"filename":"a"},"offset":{"position":3}},{"partition":{"filename":"b"},"offset":null}]}"#,
        )
        .unwrap();
        assert_eq!(offsets[0].offset.as_ref().unwrap()["position"], 3);
        assert_eq!(offsets[1].offset, None);
        for bad in [
            "{}",
            r#"{"offsets":{}}"#,
            r#"{"offsets":[{"offset":{}}]}"#,
            r#"{"offsets":[{"partition":1}]}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
