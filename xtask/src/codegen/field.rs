//! How one field looks in Rust: its name, type, default, and the code that reads and writes it.

use anyhow::{Context, bail};
use serde_json::Value;

use super::schema::{Field, Kind, Message, Type};
use super::versions::{Versions, When};

/// A field in the context of the struct and the message that it belongs to.
pub(super) struct RustField<'a> {
    pub(super) field: &'a Field,
    message: &'a Message,
    struct_name: &'a str,
    /// Versions in which the field is there, within those of its struct.
    present: Versions,
}

impl<'a> RustField<'a> {
    pub(super) fn new(
        field: &'a Field,
        message: &'a Message,
        struct_name: &'a str,
        known: Versions,
    ) -> Self {
        Self { field, message, struct_name, present: field.versions.and(known) }
    }

    pub(super) fn name(&self) -> String {
        match snake_case(&self.field.name).as_str() {
            keyword @ ("type" | "match" | "use" | "ref" | "self" | "mod") => format!("{keyword}_"),
            name => name.to_owned(),
        }
    }

    /// Records of responses can hold file regions, and have a null of their own.
    fn is_response_records(&self) -> bool {
        self.field.ty == Type::Records && self.message.kind == Kind::Response
    }

    pub(super) fn is_option(&self) -> bool {
        !self.field.nullable.and(self.present).is_empty() && !self.is_response_records()
    }

    pub(super) fn rust_type(&self) -> String {
        let plain = if self.is_response_records() {
            "Records".to_owned()
        } else {
            plain_type(&self.field.ty)
        };
        if self.is_option() { format!("Option<{plain}>") } else { plain }
    }

    /// Kafka's default, and whether Rust's `Default` of the type is the same.
    pub(super) fn default(&self) -> anyhow::Result<(String, bool)> {
        let value = match &self.field.default {
            Some(Value::Null) if self.is_option() => return Ok(("None".to_owned(), true)),
            // Null in versions that this Kafka does not speak any more, so the type has no null.
            Some(Value::Null) | None => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let (plain, natural) = self.plain_default(value.as_deref())?;
        // Records have no empty default in Kafka, they are null.
        if self.field.ty == Type::Records && self.is_option() {
            return Ok(("None".to_owned(), true));
        }
        Ok(if self.is_option() { (format!("Some({plain})"), false) } else { (plain, natural) })
    }

    fn plain_default(&self, value: Option<&str>) -> anyhow::Result<(String, bool)> {
        let natural = |text: &str| Ok((text.to_owned(), true));
        match (&self.field.ty, value) {
            (Type::Bool, None | Some("false")) => natural("false"),
            (Type::Bool, Some("true")) => Ok(("true".to_owned(), false)),
            (Type::Float64, None) => natural("0.0"),
            (
                Type::Int8 | Type::Int16 | Type::Int32 | Type::Int64 | Type::Uint16 | Type::Uint32,
                value,
            ) => {
                let value = value.unwrap_or("0");
                let number = match value.strip_prefix("0x") {
                    Some(hex) => i64::from_str_radix(hex, 16),
                    None => value.parse(),
                }
                .with_context(|| format!("default {value} of {}", self.field.name))?;
                Ok((number.to_string(), number == 0))
            }
            (Type::String, None | Some("")) => natural("Str::EMPTY"),
            (Type::String, Some(text)) => Ok((format!("Str::from_static({text:?})"), false)),
            (Type::Bytes, None) => natural("Bytes::new()"),
            (Type::Records, None) if self.is_response_records() => natural("Records::Null"),
            (Type::Records, None) => natural("Bytes::new()"),
            (Type::Uuid, None) => natural("Uuid::ZERO"),
            (Type::Array(_), None) => natural("Vec::new()"),
            (Type::Struct(name), None) => Ok((format!("{name}::default()"), true)),
            (ty, Some(value)) => bail!("default {value} of {}, a {ty:?}", self.field.name),
        }
    }

    /// Whether values of this type need a `&` in signatures and comparisons; plain numbers do not.
    fn is_number(&self) -> bool {
        matches!(
            self.field.ty,
            Type::Bool
                | Type::Int8
                | Type::Int16
                | Type::Uint16
                | Type::Int32
                | Type::Uint32
                | Type::Int64
                | Type::Float64
        )
    }

    /// A condition that holds when the field is not at its default.
    pub(super) fn is_set(&self) -> anyhow::Result<String> {
        let name = self.name();
        let (default, _) = self.default()?;
        Ok(match (&self.field.ty, self.is_option()) {
            (_, true) if default == "None" => format!("self.{name}.is_some()"),
            (_, true) => match self.field.ty {
                Type::Struct(_) => format!("self.{name} != {default}"),
                _ => format!("self.{name}.as_ref().is_none_or(|x| !x.is_empty())"),
            },
            (Type::Bool, _) if default == "false" => format!("self.{name}"),
            (Type::Bool, _) => format!("!self.{name}"),
            (Type::Uuid, _) => format!("!self.{name}.is_zero()"),
            (Type::Records, _) if self.is_response_records() => {
                format!("self.{name} != Records::Null")
            }
            (Type::String | Type::Bytes | Type::Records | Type::Array(_), _)
                if matches!(default.as_str(), "Str::EMPTY" | "Bytes::new()" | "Vec::new()") =>
            {
                format!("!self.{name}.is_empty()")
            }
            _ => format!("self.{name} != {default}"),
        })
    }

    pub(super) fn present_when(&self, known: Versions) -> When {
        When::new(self.present, known)
    }

    /// Whether lengths are in compact form, as an expression; `flex` is a local variable.
    fn compact(&self) -> &'static str {
        if self.field.never_flexible {
            return "false";
        }
        match When::new(self.message.flexible, self.present) {
            When::Always => "true",
            When::Never => "false",
            When::If(_) => "flex",
        }
    }

    /// Expression that reads the field out of `d` where it is present.
    pub(super) fn read(&self) -> String {
        let nullable = When::new(self.field.nullable, self.present);
        let compact = self.compact();
        if self.is_response_records() {
            return match nullable {
                When::Always => format!("d.nullable_records({compact})?"),
                When::Never => format!("d.records({compact})?"),
                When::If(when) => format!(
                    "if {when} {{ d.nullable_records({compact})? }} else {{ d.records({compact})? }}"
                ),
            };
        }
        let plain = read_plain(&self.field.ty, self.message, compact, self.present);
        let or_null = || match &self.field.ty {
            Type::String => format!("d.nullable_str({compact})?"),
            Type::Bytes | Type::Records => format!("d.nullable_bytes({compact})?"),
            Type::Array(_) => plain.replacen("d.array(", "d.nullable_array(", 1),
            _ => format!("if d.i8()? < 0 {{ None }} else {{ Some({plain}) }}"),
        };
        match nullable {
            When::Never => plain,
            When::Always => or_null(),
            When::If(when) => format!("if {when} {{ {} }} else {{ Some({plain}) }}", or_null()),
        }
    }

    /// Statements that write the field into `e` where it is present.
    pub(super) fn write(&self) -> String {
        let name = self.name();
        let place = format!("self.{name}");
        let compact = self.compact();
        if self.is_response_records() {
            let write = format!("e.nullable_records(&{place}, {compact})?;");
            return match When::new(self.field.nullable, self.present) {
                When::Always => write,
                when => format!(
                    "if {place} == Records::Null{} {{ return Err({}); }} {write}",
                    and_not(&when),
                    self.null_error()
                ),
            };
        }
        if !self.is_option() {
            return write_plain(&self.field.ty, &place, self.is_number(), compact);
        }
        let nullable = When::new(self.field.nullable, self.present);
        let check = match &nullable {
            When::Always => String::new(),
            when => format!(
                "if {place}.is_none(){} {{ return Err({}); }} ",
                and_not(when),
                self.null_error()
            ),
        };
        let write = match &self.field.ty {
            Type::String => format!("e.nullable_str({place}.as_ref(), {compact})?;"),
            Type::Bytes | Type::Records => {
                format!("e.nullable_bytes({place}.as_ref(), {compact})?;")
            }
            Type::Array(_) => format!(
                "match &{place} {{ None => e.null_array({compact}), Some(x) => {{ {} }} }}",
                write_plain(&self.field.ty, "x", true, compact)
            ),
            _ => format!(
                "match &{place} {{ None => e.i8(-1), Some(x) => {{ e.i8(1); {} }} }}",
                write_plain(&self.field.ty, "x", true, compact)
            ),
        };
        format!("{check}{write}")
    }

    fn null_error(&self) -> String {
        format!(
            "EncodeError::Null {{ message: {:?}, field: {:?}, version: v }}",
            self.struct_name, self.field.name
        )
    }

    pub(super) fn unsupported_error(&self) -> String {
        format!(
            "EncodeError::UnsupportedField {{ message: {:?}, field: {:?}, version: v }}",
            self.struct_name, self.field.name
        )
    }
}

fn and_not(when: &When) -> String {
    match when {
        When::Never => String::new(),
        when => format!(" && !({})", when.expression()),
    }
}

fn plain_type(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::Int8 => "i8".to_owned(),
        Type::Int16 => "i16".to_owned(),
        Type::Uint16 => "u16".to_owned(),
        Type::Int32 => "i32".to_owned(),
        Type::Uint32 => "u32".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Uuid => "Uuid".to_owned(),
        Type::String => "Str".to_owned(),
        Type::Bytes | Type::Records => "Bytes".to_owned(),
        Type::Struct(name) => name.clone(),
        Type::Array(element) => format!("Vec<{}>", plain_type(element)),
    }
}

fn read_plain(ty: &Type, message: &Message, compact: &str, present: Versions) -> String {
    match ty {
        Type::String => format!("d.str({compact})?"),
        Type::Bytes | Type::Records => format!("d.bytes({compact})?"),
        Type::Struct(name) => format!("{name}::read(d, v)?"),
        Type::Array(element) => {
            let min = (present.first..=present.last.min(message.versions.last))
                .map(|v| min_bytes(element, message, v))
                .min()
                .unwrap_or(1)
                .max(1);
            let read = match &**element {
                Type::Struct(name) => format!("|d| {name}::read(d, v)"),
                Type::String => format!("|d| d.str({compact})"),
                Type::Bytes | Type::Records => format!("|d| d.bytes({compact})"),
                Type::Array(_) => {
                    format!("|d| Ok({})", read_plain(element, message, compact, present))
                }
                number => format!("Decoder::{}", plain_type(number).to_lowercase()),
            };
            format!("d.array({compact}, {min}, {read})?")
        }
        number => format!("d.{}()?", plain_type(number).to_lowercase()),
    }
}

fn write_plain(ty: &Type, place: &str, by_value: bool, compact: &str) -> String {
    let reference = if by_value { "" } else { "&" };
    match ty {
        Type::String => format!("e.str({reference}{place}, {compact})?;"),
        Type::Bytes | Type::Records => format!("e.bytes({reference}{place}, {compact})?;"),
        Type::Struct(_) => format!("{place}.write(e, v)?;"),
        Type::Array(element) => {
            let write = match &**element {
                Type::Struct(_) | Type::String | Type::Bytes | Type::Records | Type::Array(_) => {
                    write_plain(element, "x", true, compact)
                }
                number => write_plain(number, "*x", true, compact),
            };
            format!(
                "e.array_len({place}.len(), {compact})?; for x in {reference}{place} {{ {write} }}"
            )
        }
        number => format!("e.{}({place});", plain_type(number).to_lowercase()),
    }
}

/// The least number of bytes that a value takes in one version.
fn min_bytes(ty: &Type, message: &Message, version: i16) -> usize {
    let flexible = message.flexible.contains(version);
    match ty {
        Type::Bool | Type::Int8 => 1,
        Type::Int16 | Type::Uint16 => 2,
        Type::Int32 | Type::Uint32 => 4,
        Type::Int64 | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String if flexible => 1,
        Type::String => 2,
        Type::Bytes | Type::Records | Type::Array(_) if flexible => 1,
        Type::Bytes | Type::Records | Type::Array(_) => 4,
        Type::Struct(name) => {
            let Some(found) = message.structs.iter().find(|s| s.name == *name) else { return 1 };
            let there = found.fields.iter().filter(|f| {
                f.versions.contains(version) && !f.tagged.is_some_and(|(_, t)| t.contains(version))
            });
            let fields = there.map(|f| match f.ty {
                Type::Struct(_) if f.nullable.contains(version) => 1,
                _ => min_bytes(&f.ty, message, version),
            });
            fields.sum::<usize>() + usize::from(flexible)
        }
    }
}

/// `TopicId` → `topic_id`.
pub(super) fn snake_case(name: &str) -> String {
    let name = name.replace("KRaft", "Kraft");
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (i, c) in chars.iter().enumerate() {
        let after_lower = i > 0 && !chars[i - 1].is_ascii_uppercase();
        let before_lower = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
        if c.is_ascii_uppercase() && i > 0 && (after_lower || before_lower) {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::snake_case;

    #[test]
    fn names_become_snake_case() {
        assert_eq!(snake_case("TopicId"), "topic_id");
        assert_eq!(snake_case("KRaftVersionRecord"), "kraft_version_record");
        assert_eq!(snake_case("group"), "group");
        assert_eq!(snake_case("SCRAMInfo"), "scram_info");
    }
}
