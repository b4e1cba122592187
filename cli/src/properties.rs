//! Java's `.properties` files, as Kafka's own tools read them: `key=value`, `key: value` or `key value`, comments with
//! `#` or `!`, a backslash joins lines, `\uXXXX` escapes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};

/// Larger than any configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Reads `path`.
///
/// # Errors
/// When the file cannot be read, is too large or is no text.
pub(crate) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let size =
        std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size > MAX_FILE_BYTES {
        bail!(
            "{} has {size} bytes; a properties file has at most {MAX_FILE_BYTES}",
            path.display()
        );
    }
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(parse(&text))
}

/// `KEY=VALUE`, as given on a command line.
///
/// # Errors
/// When there is no `=`.
pub(crate) fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("'{text}' is not KEY=VALUE")),
    }
}

pub(crate) fn parse(text: &str) -> BTreeMap<String, String> {
    logical_lines(text).iter().map(|line| pair(line)).collect()
}

fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let line = line.trim_start();
        if open.is_none() && (line.is_empty() || line.starts_with(['#', '!'])) {
            continue;
        }
        let backslashes = line.chars().rev().take_while(|c| *c == '\\').count();
        let mut whole = open.take().unwrap_or_default();
        if backslashes % 2 == 1 {
            whole.push_str(&line[..line.len() - 1]);
            open = Some(whole);
        } else {
            whole.push_str(line);
            lines.push(whole);
        }
    }
    lines.extend(open);
    lines
}

fn pair(line: &str) -> (String, String) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && matches!(c, '=' | ':' | ' ' | '\t');
            escaped = !escaped && *c == '\\';
            ends
        })
        .map_or(line.len(), |(index, _)| index);
    let rest = line[end..].trim_start();
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (unescape(&line[..end]), unescape(rest))
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let code: String = chars.by_ref().take(4).collect();
                out.push(
                    u32::from_str_radix(&code, 16)
                        .ok()
                        .and_then(char::from_u32)
                        .unwrap_or('\u{fffd}'),
                );
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_java_reads() {
        let text = "# comment\n! too\n\nnode.id=1\nlog.dirs : /a\\\n   ,/b\nname\\ x=y\ntab=a\\tb\nuni=\\u00e9\nempty\nurl=http://h:1/?a=b\n";
        let found = parse(text);
        let expected = [
            ("node.id", "1"),
            ("log.dirs", "/a,/b"),
            ("name x", "y"),
            ("tab", "a\tb"),
            ("uni", "é"),
            ("empty", ""),
            ("url", "http://h:1/?a=b"),
        ];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn a_pair_needs_an_equals_sign() {
        assert_eq!(parse_pair("retention.ms = 5"), Ok(("retention.ms".into(), "5".into())));
        assert_eq!(parse_pair("retention.ms"), Err("'retention.ms' is not KEY=VALUE".into()));
    }
}
