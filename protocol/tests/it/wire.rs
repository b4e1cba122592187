//! Makes valid wire bytes of any message and version straight from the JSON, with random content. It shares no
//! code with the codec, so that what both agree on is not one mistake made twice.

use serde_json::Value;

use crate::schema::{Message, contains, versions};

pub(crate) struct Writer<'a> {
    message: &'a Message,
    version: i16,
    flexible: bool,
    /// Whether every struct that may gets a tagged field that nobody knows.
    unknown_tags: bool,
    random: fastrand::Rng,
    pub(crate) bytes: Vec<u8>,
}

/// Random wire bytes of a message. The same seed gives the same content, with or without unknown tagged fields.
pub(crate) fn random(message: &Message, version: i16, seed: u64, unknown_tags: bool) -> Vec<u8> {
    let mut writer = Writer {
        message,
        version,
        flexible: message.is_flexible(version),
        unknown_tags,
        random: fastrand::Rng::with_seed(seed),
        bytes: Vec::new(),
    };
    writer.fields(message.json["fields"].as_array().map_or(&[], Vec::as_slice), 0);
    writer.bytes
}

impl Writer<'_> {
    fn fields(&mut self, fields: &[Value], depth: u32) {
        let mut tagged = Vec::new();
        for field in fields {
            let tag = field.get("tag").and_then(Value::as_u64);
            let key = if field.get("versions").is_some() { "versions" } else { "taggedVersions" };
            if !contains(versions(field, key), self.version) {
                continue;
            }
            match tag {
                Some(tag) => tagged.push((tag, field)),
                None => self.field(field, depth, false),
            }
        }
        if !self.flexible {
            return;
        }
        tagged.retain(|_| self.random.bool());
        tagged.sort_by_key(|(tag, _)| *tag);
        self.uvarint(tagged.len() as u64 + u64::from(self.unknown_tags));
        for (tag, field) in tagged {
            self.uvarint(tag);
            let before = std::mem::take(&mut self.bytes);
            self.field(field, depth, true);
            let value = std::mem::replace(&mut self.bytes, before);
            self.uvarint(value.len() as u64);
            self.bytes.extend(value);
        }
        if self.unknown_tags {
            self.bytes.extend([0x90, 0x4e, 3, 1, 2, 3]);
        }
    }

    /// `set`: the value must not be the default, or it would not be written again.
    fn field(&mut self, field: &Value, depth: u32, set: bool) {
        let ty = field["type"].as_str().unwrap();
        let nullable = contains(versions(field, "nullableVersions"), self.version);
        let compact = self.flexible && field.get("flexibleVersions").is_none();
        let null = nullable && !set && self.random.u8(0..4) == 0;
        match ty.strip_prefix("[]") {
            Some(_) if null => self.len(None, compact),
            Some(element) => {
                let most = if depth < 2 { 3 } else { 2 };
                let count = self.random.usize(usize::from(set)..=most);
                self.len(Some(count), compact);
                for _ in 0..count {
                    self.value(field, element, compact, depth, set);
                }
            }
            None if null => match ty {
                "string" if compact => self.uvarint(0),
                "string" => self.bytes.extend((-1_i16).to_be_bytes()),
                "bytes" | "records" => self.len(None, compact),
                _ => self.bytes.push(0xff),
            },
            None => {
                if nullable && ty.starts_with(|c: char| c.is_ascii_uppercase()) {
                    self.bytes.push(1);
                }
                self.value(field, ty, compact, depth, set);
            }
        }
    }

    fn value(&mut self, field: &Value, ty: &str, compact: bool, depth: u32, set: bool) {
        match ty {
            "bool" if set => {
                let default = field.get("default").map(Value::to_string).unwrap_or_default();
                self.bytes.push(u8::from(!default.contains("true")));
            }
            "bool" => self.bytes.push(self.random.u8(0..2)),
            "int8" => self.bytes.push(self.random.u8(..)),
            "int16" | "uint16" => self.bytes.extend(self.random.u16(..).to_be_bytes()),
            "int32" | "uint32" => self.bytes.extend(self.random.u32(..).to_be_bytes()),
            "int64" => self.bytes.extend(self.random.u64(..).to_be_bytes()),
            "float64" => self.bytes.extend(f64::from(self.random.i32(..)).to_be_bytes()),
            "uuid" => self.bytes.extend(self.random.u128(..).to_be_bytes()),
            "string" => {
                let text: String = (0..self.random.usize(usize::from(set)..20))
                    .map(|_| self.random.choice(['a', 'Z', '-', 'ž', '語']).unwrap())
                    .collect();
                if compact {
                    self.uvarint(text.len() as u64 + 1);
                } else {
                    self.bytes.extend((text.len() as i16).to_be_bytes());
                }
                self.bytes.extend(text.as_bytes());
            }
            "bytes" | "records" => {
                // Sometimes long enough for a segment of its own.
                let most = if self.random.u8(0..50) == 0 { 9000 } else { 300 };
                let len = self.random.usize(usize::from(set)..most);
                self.len(Some(len), compact);
                let content: Vec<u8> = (0..len).map(|_| self.random.u8(..)).collect();
                self.bytes.extend(content);
            }
            name => {
                let message = self.message;
                self.fields(message.fields(field, name), depth + 1);
            }
        }
    }

    fn len(&mut self, len: Option<usize>, compact: bool) {
        match (len, compact) {
            (Some(len), true) => self.uvarint(len as u64 + 1),
            (None, true) => self.uvarint(0),
            (Some(len), false) => self.bytes.extend((len as i32).to_be_bytes()),
            (None, false) => self.bytes.extend((-1_i32).to_be_bytes()),
        }
    }

    fn uvarint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}
