//! The JSON of Kafka's messages.

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

use super::versions::Versions;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMessage {
    api_key: Option<i16>,
    r#type: String,
    name: String,
    valid_versions: String,
    #[serde(default = "none")]
    flexible_versions: String,
    #[serde(default)]
    latest_version_unstable: bool,
    #[serde(default)]
    fields: Vec<RawField>,
    #[serde(default)]
    common_structs: Vec<RawStruct>,
    #[serde(rename = "listeners", default)]
    _listeners: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawStruct {
    name: String,
    #[serde(rename = "versions")]
    _versions: String,
    fields: Vec<RawField>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawField {
    name: String,
    r#type: String,
    /// When missing, the field is there where it is tagged.
    versions: Option<String>,
    #[serde(default = "none")]
    nullable_versions: String,
    #[serde(default = "none")]
    tagged_versions: String,
    flexible_versions: Option<String>,
    tag: Option<u32>,
    #[serde(default)]
    ignorable: bool,
    #[serde(default, deserialize_with = "with_null")]
    default: Option<Value>,
    #[serde(default)]
    about: String,
    #[serde(default)]
    fields: Vec<RawField>,
    #[serde(rename = "mapKey", default)]
    _map_key: bool,
    #[serde(rename = "entityType", default)]
    _entity_type: String,
    /// We share all bytes, whether Kafka does or not.
    #[serde(rename = "zeroCopy", default)]
    _zero_copy: bool,
}

fn none() -> String {
    "none".to_owned()
}

/// Keeps a written `null` apart from nothing.
fn with_null<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// Where a message is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Request,
    Response,
    Header,
    Data,
    /// Key or value of a record of an internal topic.
    Coordinator,
}

#[derive(Debug)]
pub(super) struct Message {
    pub(super) api_key: Option<i16>,
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) versions: Versions,
    pub(super) flexible: Versions,
    pub(super) latest_unstable: bool,
    /// The message itself first, then nested and common structs in the order of their appearance.
    pub(super) structs: Vec<Struct>,
}

#[derive(Debug)]
pub(super) struct Struct {
    pub(super) name: String,
    /// Versions of the message that can contain it.
    pub(super) versions: Versions,
    pub(super) fields: Vec<Field>,
}

#[derive(Debug)]
pub(super) struct Field {
    /// Kafka's name.
    pub(super) name: String,
    pub(super) about: String,
    pub(super) ty: Type,
    pub(super) versions: Versions,
    pub(super) nullable: Versions,
    pub(super) tagged: Option<(u32, Versions)>,
    /// Set when the field's encoding is never the compact one.
    pub(super) never_flexible: bool,
    pub(super) ignorable: bool,
    /// Kafka's default; `Value::Null` is null, `None` is the type's.
    pub(super) default: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

/// The message of a JSON file with comments; `None` when no version of it is valid any more.
pub(super) fn parse(text: &str) -> anyhow::Result<Option<Message>> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let json = text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    let raw: RawMessage = serde_json::from_str(&json)?;
    let versions = Versions::parse(&raw.valid_versions)?;
    if versions.is_empty() {
        return Ok(None);
    }
    let kind = match raw.r#type.as_str() {
        "request" => Kind::Request,
        "response" => Kind::Response,
        "header" => Kind::Header,
        "data" => Kind::Data,
        "coordinator-key" | "coordinator-value" => Kind::Coordinator,
        other => bail!("unknown message type {other}"),
    };
    let mut structs = Vec::new();
    collect(&raw.name, versions, &raw.fields, &raw.common_structs, &mut structs)?;
    Ok(Some(Message {
        api_key: raw.api_key,
        kind,
        name: raw.name,
        versions,
        flexible: Versions::parse(&raw.flexible_versions)?,
        latest_unstable: raw.latest_version_unstable,
        structs,
    }))
}

/// Adds a struct and everything below it. A common struct that is met again gets the wider range of versions.
fn collect(
    name: &str,
    versions: Versions,
    fields: &[RawField],
    common: &[RawStruct],
    structs: &mut Vec<Struct>,
) -> anyhow::Result<()> {
    if let Some(known) = structs.iter_mut().find(|s| s.name == name) {
        known.versions.first = known.versions.first.min(versions.first);
        known.versions.last = known.versions.last.max(versions.last);
    } else {
        let fields = fields.iter().map(field).collect::<anyhow::Result<_>>()?;
        structs.push(Struct { name: name.to_owned(), versions, fields });
    }
    for raw in fields {
        let Some(nested) = parse_type(&raw.r#type)?.struct_name() else { continue };
        let versions = field_versions(raw)?.and(versions);
        let fields = if raw.fields.is_empty() {
            let named = common.iter().find(|s| s.name == nested);
            &named.with_context(|| format!("struct {nested} is not defined"))?.fields
        } else {
            &raw.fields
        };
        if !versions.is_empty() {
            collect(&nested, versions, fields, common, structs)?;
        }
    }
    Ok(())
}

fn field_versions(raw: &RawField) -> anyhow::Result<Versions> {
    Versions::parse(raw.versions.as_ref().unwrap_or(&raw.tagged_versions))
}

fn field(raw: &RawField) -> anyhow::Result<Field> {
    let tagged = match raw.tag {
        Some(tag) => Some((tag, Versions::parse(&raw.tagged_versions)?)),
        None => None,
    };
    let versions = field_versions(raw)?;
    let nullable = Versions::parse(&raw.nullable_versions)?;
    if tagged.is_some_and(|(_, tagged)| tagged != versions) {
        bail!("{}: a field that is tagged in some versions only is not supported", raw.name);
    }
    let ty = parse_type(&raw.r#type)?;
    Ok(Field {
        name: raw.name.clone(),
        about: raw.about.clone(),
        ty,
        versions,
        nullable,
        tagged,
        never_flexible: match raw.flexible_versions.as_deref() {
            None => false,
            Some("none") => true,
            Some(other) => bail!("{}: flexibleVersions {other} of a field", raw.name),
        },
        ignorable: raw.ignorable,
        default: raw.default.clone().map(|value| match value {
            Value::String(text) if text == "null" => Value::Null,
            other => other,
        }),
    })
}

fn parse_type(text: &str) -> anyhow::Result<Type> {
    if let Some(element) = text.strip_prefix("[]") {
        return Ok(Type::Array(Box::new(parse_type(element)?)));
    }
    Ok(match text {
        "bool" => Type::Bool,
        "int8" => Type::Int8,
        "int16" => Type::Int16,
        "uint16" => Type::Uint16,
        "int32" => Type::Int32,
        "uint32" => Type::Uint32,
        "int64" => Type::Int64,
        "float64" => Type::Float64,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Type::Struct(name.to_owned()),
        other => bail!("unknown type {other}"),
    })
}

impl Type {
    fn struct_name(&self) -> Option<String> {
        match self {
            Self::Struct(name) => Some(name.clone()),
            Self::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}
