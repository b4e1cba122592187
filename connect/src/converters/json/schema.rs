//! Connect schemas as JSON, in the form of Kafka's `JsonSchema`.

use serde_json::{Map, Value as Json, json};

use super::DecimalFormat;
use super::{decode, encode};
use crate::api::{DataError, Schema, SchemaBuilder, Type};

fn type_name(type_: Type) -> &'static str {
    match type_ {
        Type::Float32 => "float",
        Type::Float64 => "double",
        other => other.name(),
    }
}

/// The schema's JSON; its keys are in Kafka's order.
pub(super) fn to_json(schema: &Schema, decimals: DecimalFormat) -> Json {
    let mut out = Map::new();
    out.insert("type".into(), type_name(schema.type_()).into());
    match schema.type_() {
        Type::Array => insert_inner(&mut out, "items", schema.value_schema(), decimals),
        Type::Map => {
            insert_inner(&mut out, "keys", schema.key_schema(), decimals);
            insert_inner(&mut out, "values", schema.value_schema(), decimals);
        }
        Type::Struct => {
            let fields = schema.fields().iter().map(|field| {
                let mut json = to_json(&field.schema, decimals);
                json["field"] = field.name.clone().into();
                json
            });
            out.insert("fields".into(), Json::Array(fields.collect()));
        }
        _ => {}
    }
    out.insert("optional".into(), schema.is_optional().into());
    if let Some(name) = schema.name() {
        out.insert("name".into(), name.into());
    }
    if let Some(version) = schema.version() {
        out.insert("version".into(), version.into());
    }
    if let Some(doc) = schema.doc() {
        out.insert("doc".into(), doc.into());
    }
    if !schema.parameters().is_empty() {
        out.insert("parameters".into(), json!(schema.parameters()));
    }
    if let Some(default) = schema.default_value() {
        out.insert("default".into(), encode::to_json(schema, default, decimals));
    }
    Json::Object(out)
}

fn insert_inner(
    out: &mut Map<String, Json>,
    key: &str,
    inner: Option<&Schema>,
    decimals: DecimalFormat,
) {
    if let Some(inner) = inner {
        out.insert(key.into(), to_json(inner, decimals));
    }
}

/// Reads a schema. Its depth is bounded by the JSON parser's.
pub(super) fn from_json(json: &Json) -> Result<Schema, DataError> {
    let Json::Object(fields) = json else {
        return Err(DataError::new("a schema is a JSON object"));
    };
    let type_ = fields
        .get("type")
        .and_then(Json::as_str)
        .ok_or_else(|| DataError::new("Schema must contain 'type' field"))?;
    let mut builder = builder(type_, fields)?;
    if fields.get("optional").and_then(Json::as_bool) == Some(true) {
        builder = builder.optional();
    }
    if let Some(name) = fields.get("name").and_then(Json::as_str) {
        builder = builder.name(name);
    }
    if let Some(version) = fields.get("version").and_then(Json::as_i64) {
        let version = i32::try_from(version)
            .map_err(|_| DataError::new(format!("schema version {version} is out of range")))?;
        builder = builder.version(version);
    }
    if let Some(doc) = fields.get("doc").and_then(Json::as_str) {
        builder = builder.doc(doc);
    }
    if let Some(Json::Object(parameters)) = fields.get("parameters") {
        for (key, value) in parameters {
            let value = value
                .as_str()
                .ok_or_else(|| DataError::new("Schema parameters must have string values."))?;
            builder = builder.parameter(key, value);
        }
    }
    match fields.get("default") {
        None | Some(Json::Null) => Ok(builder.build()),
        Some(default) => {
            let value = decode::value(Some(&builder.clone().build()), default, false)?;
            Ok(builder.default_value(value).build())
        }
    }
}

fn builder(type_: &str, fields: &Map<String, Json>) -> Result<SchemaBuilder, DataError> {
    let inner = |key: &str| match fields.get(key) {
        Some(inner) => from_json(inner),
        None => Err(DataError::new(format!("a {type_} schema must contain '{key}'"))),
    };
    Ok(match type_ {
        "boolean" => SchemaBuilder::new(Type::Boolean),
        "int8" => SchemaBuilder::new(Type::Int8),
        "int16" => SchemaBuilder::new(Type::Int16),
        "int32" => SchemaBuilder::new(Type::Int32),
        "int64" => SchemaBuilder::new(Type::Int64),
        "float" => SchemaBuilder::new(Type::Float32),
        "double" => SchemaBuilder::new(Type::Float64),
        "bytes" => SchemaBuilder::new(Type::Bytes),
        "string" => SchemaBuilder::new(Type::String),
        "array" => SchemaBuilder::array(inner("items")?),
        "map" => SchemaBuilder::map(inner("keys")?, inner("values")?),
        "struct" => structure(fields)?,
        other => return Err(DataError::new(format!("Unknown schema type: {other}"))),
    })
}

fn structure(fields: &Map<String, Json>) -> Result<SchemaBuilder, DataError> {
    let Some(Json::Array(fields)) = fields.get("fields") else {
        return Err(DataError::new("Struct schema's \"fields\" argument is not an array."));
    };
    fields.iter().try_fold(SchemaBuilder::structure(), |builder, field| {
        let name = field
            .get("field")
            .and_then(Json::as_str)
            .ok_or_else(|| DataError::new("Struct schema's field name not specified properly"))?;
        Ok(builder.field(name, from_json(field)?))
    })
}
