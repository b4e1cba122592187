//! `line.format`: how a record becomes a line.
//!
//! The format is text with `{key}`, `{value}`, `{topic}`, `{partition}`, `{offset}` and `{timestamp}` (milliseconds, or
//! `null`) in it, and `\t`, `\n`, `\\`, `\{`, `\}` for a tab, a line feed, and the characters themselves. A line feed is
//! added at its end. Strings and bytes are written as they are, a null is written `null`, and anything else as Java's
//! `toString` writes it.

use crate::api::SinkRecord;
use crate::converters::text;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Key,
    Value,
    Topic,
    Partition,
    Offset,
    Timestamp,
}

/// A format that was read and checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineFormat(Vec<Part>);

impl LineFormat {
    /// Kafka's own format: the value alone.
    pub const KAFKAS: &str = "{value}";

    /// # Errors
    /// A sentence that says what is wrong with the format.
    pub fn parse(format: &str) -> Result<LineFormat, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            match c {
                '\\' => text.push(match rest.next() {
                    Some('t') => '\t',
                    Some('n') => '\n',
                    Some(c @ ('\\' | '{' | '}')) => c,
                    _ => return Err("after a \\ comes one of t, n, \\, { and }".to_owned()),
                }),
                '{' => {
                    let (name, after) = rest
                        .as_str()
                        .split_once('}')
                        .ok_or_else(|| "a { has no }; write \\{ for the character".to_owned())?;
                    let part = field(name)?;
                    rest = after.chars();
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(part);
                }
                '}' => return Err("a } has no {; write \\} for the character".to_owned()),
                c => text.push(c),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(LineFormat(parts))
    }

    /// Appends the record's line and a line feed.
    pub fn append(&self, out: &mut Vec<u8>, record: &SinkRecord) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Key => text::append(out, &record.record.key.value),
                Part::Value => text::append(out, &record.record.value.value),
                Part::Topic => out.extend_from_slice(record.record.topic.as_bytes()),
                Part::Partition => push(out, record.original.partition),
                Part::Offset => push(out, record.offset),
                Part::Timestamp => match record.record.timestamp_ms {
                    Some(timestamp) => push(out, timestamp),
                    None => push(out, "null"),
                },
            }
        }
        out.push(b'\n');
    }
}

fn push(out: &mut Vec<u8>, shown: impl ToString) {
    out.extend_from_slice(shown.to_string().as_bytes());
}

fn field(name: &str) -> Result<Part, String> {
    Ok(match name {
        "key" => Part::Key,
        "value" => Part::Value,
        "topic" => Part::Topic,
        "partition" => Part::Partition,
        "offset" => Part::Offset,
        "timestamp" => Part::Timestamp,
        other => {
            return Err(format!(
                "there is no {{{other}}}; there are {{key}}, {{value}}, {{topic}}, {{partition}}, {{offset}} and \
                 {{timestamp}}"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ConnectRecord, RawRecord, SchemaAndValue, TopicPartition, Value};

    fn line(format: &str) -> String {
        let record = SinkRecord {
            record: ConnectRecord {
                topic: "counts".into(),
                key: SchemaAndValue { schema: None, value: Value::string("hello") },
                value: SchemaAndValue { schema: None, value: Value::Int64(3) },
                ..ConnectRecord::default()
            },
            original: TopicPartition::new("counts", 1),
            offset: 7,
            raw: RawRecord::default(),
        };
        let mut out = Vec::new();
        LineFormat::parse(format).unwrap().append(&mut out, &record);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn records_become_lines() {
        assert_eq!(line(LineFormat::KAFKAS), "3\n");
        assert_eq!(line(r"{key}\t{value}"), "hello\t3\n");
        assert_eq!(line("{key}\t{value}"), "hello\t3\n");
        assert_eq!(line(r"\{{topic}-{partition}@{offset} {timestamp}\}"), "{counts-1@7 null}\n");
        assert_eq!(line(""), "\n");
    }

    #[test]
    fn wrong_formats_are_explained() {
        for (format, about) in [
            ("{key", "has no }"),
            ("key}", "has no {"),
            (r"\x", "after a \\"),
            ("{keys}", "{keys}"),
        ] {
            let error = LineFormat::parse(format).unwrap_err();
            assert!(error.contains(about), "{error}");
        }
    }
}
