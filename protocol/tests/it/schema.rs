//! Kafka's message JSON as the tests see it, read independently of the generator.

use std::fs;
use std::path::Path;

use serde_json::Value;

pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) json: Value,
}

/// An inclusive range of versions; `None` is Kafka's `none`.
pub(crate) type Versions = Option<(i16, i16)>;

pub(crate) fn versions(of: &Value, key: &str) -> Versions {
    let text = of.get(key)?.as_str().unwrap();
    let number = |t: &str| t.parse::<i16>().unwrap();
    if text == "none" {
        None
    } else if let Some(first) = text.strip_suffix('+') {
        Some((number(first), i16::MAX))
    } else if let Some((first, last)) = text.split_once('-') {
        Some((number(first), number(last)))
    } else {
        Some((number(text), number(text)))
    }
}

pub(crate) fn contains(versions: Versions, version: i16) -> bool {
    versions.is_some_and(|(first, last)| first <= version && version <= last)
}

impl Message {
    pub(crate) fn versions(&self) -> std::ops::RangeInclusive<i16> {
        let (first, last) = versions(&self.json, "validVersions").unwrap();
        first..=last
    }

    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        contains(versions(&self.json, "flexibleVersions"), version)
    }

    /// Fields of a struct: written at the field itself, or in the common structs.
    pub(crate) fn fields<'a>(&'a self, at: &'a Value, name: &str) -> &'a [Value] {
        if let Some(fields) = at.get("fields").and_then(Value::as_array) {
            return fields;
        }
        let common = self.json["commonStructs"].as_array().unwrap();
        let found = common.iter().find(|s| s["name"] == name).unwrap();
        found["fields"].as_array().unwrap()
    }
}

/// Every message that Kafka still speaks, and our own.
pub(crate) fn all() -> Vec<Message> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let mut all = Vec::new();
    let own = fs::read_dir(folder.join("own")).unwrap();
    for entry in fs::read_dir(&folder).unwrap().chain(own) {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code: String = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
        let json: Value = serde_json::from_str(&code).unwrap();
        if versions(&json, "validVersions").is_some() {
            all.push(Message { name: json["name"].as_str().unwrap().to_owned(), json });
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(all.len() > 200, "the message definitions are missing");
    all
}
