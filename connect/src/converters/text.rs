//! Values as text, as Java's `toString` writes them: what `StringConverter` and the file sink write.

use std::fmt::Write;

use crate::api::Value;

/// Appends the value's text. Bytes are appended as they are, so the result need not be UTF-8.
pub fn append(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        Value::Bytes(bytes) => out.extend_from_slice(bytes),
        other => out.extend_from_slice(to_string(other).as_bytes()),
    }
}

/// The value's text; bytes that are no UTF-8 become U+FFFD.
pub fn to_string(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

fn write(out: &mut String, value: &Value) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Null => write!(out, "null"),
        Value::Int8(number) => write!(out, "{number}"),
        Value::Int16(number) => write!(out, "{number}"),
        Value::Int32(number) => write!(out, "{number}"),
        Value::Int64(number) => write!(out, "{number}"),
        Value::Float32(number) => write!(out, "{}", float(f64::from(*number), &number.to_string())),
        Value::Float64(number) => write!(out, "{}", float(*number, &number.to_string())),
        Value::Boolean(value) => write!(out, "{value}"),
        Value::String(text) => write!(out, "{text}"),
        Value::Bytes(bytes) => write!(out, "{}", String::from_utf8_lossy(bytes)),
        Value::Array(items) => {
            out.push('[');
            separated(out, items, ", ", write_item);
            out.push(']');
            Ok(())
        }
        Value::Map(pairs) => {
            out.push('{');
            separated(out, pairs, ", ", |out, (key, value)| {
                write_item(out, key);
                out.push('=');
                write_item(out, value);
            });
            out.push('}');
            Ok(())
        }
        Value::Struct(inner) => {
            out.push_str("Struct{");
            let fields = inner.schema().fields().iter().zip(inner.values());
            let present: Vec<_> = fields.filter(|(_, value)| !value.is_null()).collect();
            separated(out, &present, ",", |out, (field, value)| {
                out.push_str(&field.name);
                out.push('=');
                write_item(out, value);
            });
            out.push('}');
            Ok(())
        }
    };
}

fn write_item(out: &mut String, value: &Value) {
    write(out, value);
}

fn separated<T>(out: &mut String, items: &[T], between: &str, each: impl Fn(&mut String, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(between);
        }
        each(out, item);
    }
}

/// `Double.toString`: plain from 0.001 up to 10 million, else with an exponent; always with a fraction.
fn float(number: f64, plain: &str) -> String {
    let magnitude = number.abs();
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return if plain.contains('.') { plain.to_owned() } else { format!("{plain}.0") };
    }
    let text = format!("{number:E}");
    match text.split_once('E') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Schema, SchemaBuilder, Struct};

    #[test]
    fn values_look_as_in_java() {
        let schema = SchemaBuilder::structure()
            .field("word", Schema::string())
            .field("gone", Schema::optional_string())
            .field("count", Schema::int64())
            .build();
        let inner =
            Struct::new(schema, vec![Value::string("a"), Value::Null, Value::Int64(2)]).unwrap();
        for (value, text) in [
            (Value::Null, "null"),
            (Value::Int8(-1), "-1"),
            (Value::Boolean(true), "true"),
            (Value::Float64(1.0), "1.0"),
            (Value::Float64(1e7), "1.0E7"),
            (Value::Float64(-1.5e-5), "-1.5E-5"),
            (Value::Float64(f64::INFINITY), "Infinity"),
            (Value::Float32(0.1), "0.1"),
            (Value::Array(vec![Value::Int32(1), Value::string("x")]), "[1, x]"),
            (Value::Map(vec![(Value::string("a"), Value::Int32(1))]), "{a=1}"),
            (Value::Struct(inner), "Struct{word=a,count=2}"),
        ] {
            assert_eq!(to_string(&value), text);
        }
    }

    #[test]
    fn bytes_are_appended_as_they_are() {
        let mut out = b"a ".to_vec();
        append(&mut out, &Value::Bytes(bytes::Bytes::from_static(&[0xff, 0])));
        assert_eq!(out, [b'a', b' ', 0xff, 0]);
    }
}
