//! What the library's functions do. Arguments come with the receiver first; types were checked unless they are
//! `dyn`, so that a wrong one is a record's error, never a panic.

use super::MAX_TEXT_BYTES;
use super::op::{EvalError, Result, order};
use crate::Value;
use crate::value::Map;
use bytes::Bytes;
use protocol::Str;
use regex::Regex;
use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

type Args<'a, 'b> = &'a [Cow<'b, Value>];

fn wrong(function: &str, value: &Value) -> EvalError {
    EvalError::new(format!("{function} does not take {}", value.type_of()))
}

fn arg<'a>(args: Args<'a, '_>, i: usize) -> Result<&'a Value> {
    args.get(i).map(|a| &**a).ok_or_else(|| EvalError::new("an argument is missing"))
}

fn text<'a>(args: Args<'a, '_>, i: usize) -> Result<&'a Str> {
    match arg(args, i)? {
        Value::String(text) => Ok(text),
        other => Err(wrong("this function wants a string and", other)),
    }
}

fn int(args: Args<'_, '_>, i: usize) -> Result<i64> {
    match arg(args, i)? {
        Value::Int(value) => Ok(*value),
        other => Err(wrong("this function wants an int and", other)),
    }
}

fn pattern(pattern: Option<&Regex>) -> Result<&Regex> {
    pattern.ok_or_else(|| EvalError::new("the pattern is missing"))
}

fn bounded(length: usize) -> Result<()> {
    if length > MAX_TEXT_BYTES {
        return Err(EvalError::new(format!("the result exceeds {MAX_TEXT_BYTES} bytes")));
    }
    Ok(())
}

/// Text, in characters; bytes, lists and maps.
pub(super) fn size(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let size = match arg(args, 0)? {
        Value::String(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(elements) => elements.len(),
        Value::Map(map) => map.len(),
        other => return Err(wrong("size()", other)),
    };
    Ok(Value::Int(i64::try_from(size).unwrap_or(i64::MAX)))
}

pub(super) fn contains(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    Ok(Value::Bool(text(args, 0)?.contains(text(args, 1)?.as_str())))
}

pub(super) fn starts_with(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    Ok(Value::Bool(text(args, 0)?.starts_with(text(args, 1)?.as_str())))
}

pub(super) fn ends_with(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    Ok(Value::Bool(text(args, 0)?.ends_with(text(args, 1)?.as_str())))
}

pub(super) fn matches(args: Args<'_, '_>, regex: Option<&Regex>) -> Result<Value> {
    Ok(Value::Bool(pattern(regex)?.is_match(text(args, 0)?)))
}

pub(super) fn lower(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let text = text(args, 0)?;
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Ok(Value::String(text.clone()));
    }
    Ok(Value::from(text.to_lowercase()))
}

pub(super) fn upper(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let text = text(args, 0)?;
    bounded(text.len())?;
    Ok(Value::from(text.to_uppercase()))
}

/// A part of `whole` that shares its bytes.
fn slice(whole: &Str, part: &str) -> Value {
    let shared = whole.as_bytes().slice_ref(part.as_bytes());
    Str::from_utf8(shared).map_or_else(|_| Value::text(part), Value::String)
}

pub(super) fn trim(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let text = text(args, 0)?;
    Ok(slice(text, text.trim()))
}

/// As Java's `String.split`: empty parts at the end are left out.
pub(super) fn split(args: Args<'_, '_>, regex: Option<&Regex>) -> Result<Value> {
    let text = text(args, 0)?;
    let mut parts: Vec<Value> = pattern(regex)?.split(text).map(|part| slice(text, part)).collect();
    while parts.len() > 1 && matches!(parts.last(), Some(Value::String(last)) if last.is_empty()) {
        parts.pop();
    }
    Ok(Value::list(parts))
}

pub(super) fn replace(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let (text, from, to) = (text(args, 0)?, text(args, 1)?, text(args, 2)?);
    bounded(text.len().saturating_add((text.matches(from.as_str()).count()) * to.len()))?;
    Ok(Value::from(text.replace(from.as_str(), to)))
}

/// `s.substring(from)` and `s.substring(from, to)`, in characters.
pub(super) fn substring(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let whole = text(args, 0)?;
    let at = |position: i64| -> Result<usize> {
        let error = || {
            EvalError::new(format!(
                "position {position} is out of a text of {} characters",
                whole.chars().count()
            ))
        };
        let position = usize::try_from(position).map_err(|_| error())?;
        whole.char_indices().map(|(i, _)| i).chain([whole.len()]).nth(position).ok_or_else(error)
    };
    let from = at(int(args, 1)?)?;
    let to = if args.len() > 2 { at(int(args, 2)?)? } else { whole.len() };
    whole
        .get(from..to)
        .map(|part| slice(whole, part))
        .ok_or_else(|| EvalError::new("substring() ends before it starts"))
}

/// In characters; -1 when it is not there.
pub(super) fn index_of(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let (whole, part) = (text(args, 0)?, text(args, 1)?);
    let position = whole.find(part.as_str()).and_then(|byte| whole.get(..byte));
    Ok(Value::Int(
        position.map_or(-1, |before| i64::try_from(before.chars().count()).unwrap_or(i64::MAX)),
    ))
}

pub(super) fn join(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let Value::List(elements) = arg(args, 0)? else { return Err(wrong("join()", arg(args, 0)?)) };
    let separator = if args.len() > 1 { text(args, 1)?.clone() } else { Str::EMPTY };
    let mut out = String::new();
    for (i, element) in elements.iter().enumerate() {
        let Value::String(element) = element else { return Err(wrong("join()", element)) };
        bounded(out.len() + element.len() + separator.len())?;
        if i > 0 {
            out.push_str(&separator);
        }
        out.push_str(element);
    }
    Ok(Value::from(out))
}

/// Text as it is, everything else as JSON.
fn plain(value: &Value) -> Result<Cow<'_, str>> {
    Ok(match value {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Bytes(bytes) => Cow::Borrowed(
            std::str::from_utf8(bytes).map_err(|e| EvalError::new(format!("not UTF-8: {e}")))?,
        ),
        Value::Double(value) => Cow::Owned(value.to_string()),
        other => Cow::Owned(to_json_text(other)?),
    })
}

fn to_json_text(value: &Value) -> Result<String> {
    serde_json::to_string(value).map_err(|e| EvalError::new(e.to_string()))
}

/// `'%s has %d, %.2f'.format([a, b, c])`.
pub(super) fn format(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let template = text(args, 0)?;
    let Value::List(values) = arg(args, 1)? else { return Err(wrong("format()", arg(args, 1)?)) };
    let mut values = values.iter();
    let mut out = String::new();
    let mut rest = template.as_str();
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        rest = format_verb(after, &mut values, &mut out)?;
        bounded(out.len() + rest.len())?;
    }
    out.push_str(rest);
    Ok(Value::from(out))
}

/// Writes what the verb behind a `%` asks for, and returns what follows the verb.
fn format_verb<'t>(
    after: &'t str,
    values: &mut std::slice::Iter<'_, Value>,
    out: &mut String,
) -> Result<&'t str> {
    if let Some(rest) = after.strip_prefix('%') {
        out.push('%');
        return Ok(rest);
    }
    let (precision, after) = precision(after)?;
    let verb = after.chars().next();
    let mut next =
        || values.next().ok_or_else(|| EvalError::new("format() has fewer values than verbs"));
    match (verb, precision) {
        (Some('s'), _) => out.push_str(&plain(next()?)?),
        (Some('d'), _) => match next()? {
            Value::Int(value) => write_to(out, format_args!("{value}")),
            other => return Err(wrong("%d", other)),
        },
        (Some('x'), _) => match next()? {
            Value::Int(value) => write_to(out, format_args!("{value:x}")),
            other => return Err(wrong("%x", other)),
        },
        (Some('f'), precision) => {
            let value = match next()? {
                Value::Double(value) => *value,
                Value::Int(value) => *value as f64,
                other => return Err(wrong("%f", other)),
            };
            write_to(out, format_args!("{value:.*}", precision.unwrap_or(6)));
        }
        (other, _) => {
            let verb = other.map_or(String::new(), |c| c.to_string());
            return Err(EvalError::new(format!(
                "format() knows %s, %d, %f, %x and %%, not %{verb}"
            )));
        }
    }
    Ok(after.get(1..).unwrap_or_default())
}

fn precision(after: &str) -> Result<(Option<usize>, &str)> {
    /// As many digits as a double can mean.
    const MAX_PRECISION: usize = 100;
    let Some(rest) = after.strip_prefix('.') else { return Ok((None, after)) };
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (digits, rest) = rest.split_at(digits);
    match digits.parse::<usize>() {
        Ok(precision) if precision <= MAX_PRECISION => Ok((Some(precision), rest)),
        _ => Err(EvalError::new(format!("format() takes a precision of 0 to {MAX_PRECISION}"))),
    }
}

/// Writing to a `String` cannot fail.
fn write_to(out: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(args);
}

pub(super) fn to_int(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let value = arg(args, 0)?;
    let int = match value {
        Value::Int(value) => Some(*value),
        // The range is open above: 2^63 itself does not fit.
        Value::Double(value) if *value >= i64::MIN as f64 && *value < i64::MAX as f64 => {
            Some(value.trunc() as i64)
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    int.map(Value::Int).ok_or_else(|| EvalError::new(format!("int({value}) is not possible")))
}

pub(super) fn to_double(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let value = arg(args, 0)?;
    let double = match value {
        Value::Int(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    double
        .map(Value::Double)
        .ok_or_else(|| EvalError::new(format!("double({value}) is not possible")))
}

pub(super) fn to_bool(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let value = arg(args, 0)?;
    match value {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::String(text) if matches!(text.as_str(), "true" | "false") => {
            Ok(Value::Bool(text.as_str() == "true"))
        }
        _ => Err(EvalError::new(format!("bool({value}) is not possible"))),
    }
}

pub(super) fn to_string(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    match arg(args, 0)? {
        Value::String(text) => Ok(Value::String(text.clone())),
        Value::Null => Err(EvalError::new("string(null) is not possible")),
        other => Ok(Value::from(plain(other)?.into_owned())),
    }
}

pub(super) fn to_bytes(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    match arg(args, 0)? {
        Value::Bytes(bytes) => Ok(Value::Bytes(bytes.clone())),
        Value::String(text) => Ok(Value::Bytes(text.as_bytes().clone())),
        other => Err(wrong("bytes()", other)),
    }
}

pub(super) fn to_dyn(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    arg(args, 0).cloned()
}

pub(super) fn parse_json(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let bytes: &[u8] = match arg(args, 0)? {
        Value::String(text) => text.as_bytes(),
        Value::Bytes(bytes) => bytes,
        other => return Err(wrong("parseJson()", other)),
    };
    serde_json::from_slice(bytes).map_err(|e| EvalError::new(format!("not JSON: {e}")))
}

pub(super) fn to_json(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    to_json_text(arg(args, 0)?).map(Value::from)
}

pub(super) fn abs(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    match arg(args, 0)? {
        Value::Int(value) => value
            .checked_abs()
            .map(Value::Int)
            .ok_or_else(|| EvalError::new(format!("abs({value}) is out of an int's range"))),
        Value::Double(value) => Ok(Value::Double(value.abs())),
        other => Err(wrong("abs()", other)),
    }
}

pub(super) fn min(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    pick(args, "min()", std::cmp::Ordering::is_le)
}

pub(super) fn max(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    pick(args, "max()", std::cmp::Ordering::is_ge)
}

fn pick(
    args: Args<'_, '_>,
    function: &str,
    first: fn(std::cmp::Ordering) -> bool,
) -> Result<Value> {
    let (a, b) = (arg(args, 0)?, arg(args, 1)?);
    let order = order(a, b).ok_or_else(|| wrong(function, b))?;
    Ok(if first(order) { a.clone() } else { b.clone() })
}

/// The second map's entries win.
pub(super) fn merge(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    match (arg(args, 0)?, arg(args, 1)?) {
        (Value::Map(a), Value::Map(b)) => {
            let mut merged: Map = (**a).clone();
            merged.extend(b.iter().map(|(k, v)| (k.clone(), v.clone())));
            Ok(Value::Map(Arc::new(merged)))
        }
        (Value::Map(_), other) | (other, _) => Err(wrong("merge()", other)),
    }
}

pub(super) fn omit(args: Args<'_, '_>, _: Option<&Regex>) -> Result<Value> {
    let Value::Map(map) = arg(args, 0)? else { return Err(wrong("omit()", arg(args, 0)?)) };
    let mut rest: Map = (**map).clone();
    rest.remove(text(args, 1)?.as_str());
    Ok(Value::Map(Arc::new(rest)))
}

/// `Bytes` of a text literal; used by constant folding in the checker.
pub(super) fn literal_bytes(bytes: &[u8]) -> Value {
    Value::Bytes(Bytes::copy_from_slice(bytes))
}
