//! The checks that Kubernetes' API server makes, made here from the same definitions: the bounds of the schema and
//! its rules in CEL. What it refuses, `up` refuses with the same sentence, and with the line.
//!
//! Left out are rules about a change (`oldSelf`), which need the object as it was, and rules with Kubernetes' own
//! functions (`quantity`, …).

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value as Json;

use super::object::{Kind, Origin, Place, Refusal};
use crate::yaml::{Entry, Node, Position, Value};

/// Words in a rule that need more than the object alone.
const NOT_HERE: [&str; 2] = ["oldSelf", "quantity("];

/// Checks a document of `kind` against its definition.
pub(super) fn check(kind: Kind, origin: &Origin) -> Result<(), Refusal> {
    let Some(schema) = schema(kind) else { return Ok(()) };
    walk(schema, &origin.root, origin.root.at, "the object").map_err(|broken| {
        let place = Place { file: Arc::clone(&origin.file), at: broken.at };
        Refusal::new(place, broken.message)
    })
}

struct Broken {
    at: Position,
    message: String,
}

fn schema(kind: Kind) -> Option<&'static Json> {
    static SCHEMAS: OnceLock<HashMap<String, Json>> = OnceLock::new();
    let schemas = SCHEMAS.get_or_init(|| {
        crds::all()
            .into_iter()
            .filter_map(|definition| {
                let version = definition.spec.versions.into_iter().next()?;
                let schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
                Some((definition.spec.names.kind, schema))
            })
            .collect()
    });
    schemas.get(kind.name())
}

/// `at` is the line to point at and `name` what the value is called in a sentence.
fn walk(schema: &Json, node: &Node, at: Position, name: &str) -> Result<(), Broken> {
    if matches!(node.value, Value::Null) {
        return Ok(());
    }
    bounds(schema, node)
        .and_then(|()| rules(schema, node))
        .map_err(|message| Broken { at, message: message.replace("{}", name) })?;
    match &node.value {
        Value::Map(entries) => entries.iter().try_for_each(|entry| walk_entry(schema, entry)),
        Value::List(items) => {
            let Some(inner) = schema.get("items") else { return Ok(()) };
            items
                .iter()
                .try_for_each(|item| walk(inner, item, item.at, &format!("an item of {name}")))
        }
        _ => Ok(()),
    }
}

fn walk_entry(schema: &Json, entry: &Entry) -> Result<(), Broken> {
    let inner = schema
        .get("properties")
        .and_then(|properties| properties.get(&entry.key))
        .or_else(|| schema.get("additionalProperties"));
    let Some(inner) = inner else { return Ok(()) };
    let at = match entry.node.value {
        Value::Map(_) | Value::List(_) => entry.key_at,
        _ => entry.node.at,
    };
    walk(inner, &entry.node, at, &format!("'{}'", entry.key))
}

fn bounds(schema: &Json, node: &Node) -> Result<(), String> {
    let number = |key: &str| schema.get(key).and_then(Json::as_f64);
    let count = |key: &str| schema.get(key).and_then(Json::as_u64);
    let sized = |len: usize, least: &str, most: &str, what: &str| {
        let len = len as u64;
        match (count(least), count(most)) {
            (Some(least), _) if len < least => {
                Err(format!("{{}} must have at least {least} {what}, it has {len}"))
            }
            (_, Some(most)) if len > most => {
                Err(format!("{{}} may have at most {most} {what}, it has {len}"))
            }
            _ => Ok(()),
        }
    };
    match &node.value {
        Value::Integer(value) => {
            let as_float = *value as f64;
            match (number("minimum"), number("maximum")) {
                (Some(least), _) if as_float < least => {
                    Err(format!("{{}} must be at least {least}, it is {value}"))
                }
                (_, Some(most)) if as_float > most => {
                    Err(format!("{{}} must be at most {most}, it is {value}"))
                }
                _ => Ok(()),
            }
        }
        Value::String(text) => {
            sized(text.chars().count(), "minLength", "maxLength", "characters")?;
            match schema.get("pattern").and_then(Json::as_str) {
                Some(pattern) if !matches(pattern, text) => {
                    Err(format!("{{}} must look like {pattern}, it is '{text}'"))
                }
                _ => Ok(()),
            }
        }
        Value::List(items) => sized(items.len(), "minItems", "maxItems", "items"),
        Value::Map(entries) => sized(entries.len(), "minProperties", "maxProperties", "keys"),
        _ => Ok(()),
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    let Ok(program) = cel::Program::compile("text.matches(pattern)") else { return true };
    let mut context = cel::Context::default();
    context.add_variable_from_value("text", text.to_owned());
    context.add_variable_from_value("pattern", pattern.to_owned());
    !matches!(program.execute(&context), Ok(cel::Value::Bool(false)))
}

fn rules(schema: &Json, node: &Node) -> Result<(), String> {
    let rules = schema.get("x-kubernetes-validations").and_then(Json::as_array);
    for rule in rules.into_iter().flatten() {
        let Some(source) = rule.get("rule").and_then(Json::as_str) else { continue };
        if NOT_HERE.iter().any(|word| source.contains(word)) {
            continue;
        }
        let Ok(program) = cel::Program::compile(source) else { continue };
        let mut context = cel::Context::default();
        context.add_variable_from_value("self", to_cel(node));
        // A rule that cannot be evaluated says nothing about the object; the broker or worker will.
        if let Ok(cel::Value::Bool(false)) = program.execute(&context) {
            let message = rule.get("message").and_then(Json::as_str);
            return Err(
                message.map_or_else(|| format!("{{}} breaks the rule {source}"), str::to_owned)
            );
        }
    }
    Ok(())
}

fn to_cel(node: &Node) -> cel::Value {
    match &node.value {
        Value::Null => cel::Value::Null,
        Value::Bool(value) => cel::Value::Bool(*value),
        Value::Integer(value) => cel::Value::Int(*value),
        Value::Unsigned(value) => cel::Value::UInt(*value),
        Value::Float(value) => cel::Value::Float(*value),
        Value::String(value) => cel::Value::String(Arc::new(value.clone())),
        Value::List(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Map(entries) => {
            let map: HashMap<String, cel::Value> =
                entries.iter().map(|entry| (entry.key.clone(), to_cel(&entry.node))).collect();
            cel::Value::Map(map.into())
        }
    }
}
