//! The canonical form of a definition: structural, small, and equal to what an API server gives back.
//!
//! What derive macros make is valid JSON Schema, but an API server refuses some of it (`additionalProperties:
//! false` beside properties), warns of some (formats that it does not know) and drops some on the way, so that
//! GitOps tools would see a difference for ever. Nothing here depends on the kind.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceConversion, CustomResourceDefinition, JSONSchemaProps,
};
use serde_json::{Map, Value, json};

/// Formats that Kubernetes knows and that mean something in these schemas.
const FORMATS: &[&str] = &["int32", "int64", "double", "float", "date-time", "byte"];

/// Rewrites every version's schema, and gives `status` its first condition, with `waiting` as its message.
#[must_use]
pub fn canonical(mut crd: CustomResourceDefinition, waiting: &str) -> CustomResourceDefinition {
    let names = &mut crd.spec.names;
    names.list_kind = Some(format!("{}List", names.kind));
    crd.spec.conversion =
        Some(CustomResourceConversion { strategy: "None".to_owned(), webhook: None });
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|v| v.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        *schema = canonical_schema(schema, waiting);
    }
    crd
}

fn canonical_schema(schema: &JSONSchemaProps, waiting: &str) -> JSONSchemaProps {
    let Ok(mut value) = serde_json::to_value(schema) else { return schema.clone() };
    clean(&mut value);
    if let Some(status) = value.pointer_mut("/properties/status").and_then(Value::as_object_mut) {
        status.insert(
            "description".to_owned(),
            json!("What the object is, as the operator last saw it."),
        );
        status.insert("default".to_owned(), first_status(waiting));
    }
    if let Some(spec) = value.pointer_mut("/properties/spec").and_then(Value::as_object_mut) {
        spec.entry("description").or_insert_with(|| json!("What the object should be."));
    }
    serde_json::from_value(value).unwrap_or_else(|_| schema.clone())
}

/// `Ready=Unknown`: a tool that looks before the operator did must not think that all is well.
fn first_status(waiting: &str) -> Value {
    json!({"conditions": [{
        "type": "Ready",
        "status": "Unknown",
        "reason": "NotReconciled",
        "message": waiting,
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]})
}

fn clean(value: &mut Value) {
    let Some(schema) = value.as_object_mut() else { return };
    schema.remove("title");
    // A null is dropped by the API server before defaults are set, which is what a person means by it.
    schema.remove("nullable");
    if schema.get("additionalProperties") == Some(&Value::Bool(false)) {
        schema.remove("additionalProperties");
    }
    if schema.get("format").and_then(Value::as_str).is_some_and(|f| !FORMATS.contains(&f)) {
        schema.remove("format");
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = unwrap_lines(text);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(sub) = schema.get_mut(key) {
            clean(sub);
        }
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        clean_all(properties);
    }
}

fn clean_all(properties: &mut Map<String, Value>) {
    for (_, property) in properties.iter_mut() {
        clean(property);
    }
}

/// Joins the lines of a paragraph, as a source file wraps them; keeps empty lines.
fn unwrap_lines(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
