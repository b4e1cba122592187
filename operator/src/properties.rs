//! Java's properties, as brokers and workers read them.

use std::collections::BTreeMap;

/// The text of a properties file, sorted, so that it changes only with its content.
pub(crate) fn text(config: &BTreeMap<String, String>) -> String {
    config.iter().map(|(key, value)| format!("{key}={}\n", value.replace('\\', "\\\\"))).collect()
}

/// What is wrong with the first entry that would not be one property on one line.
pub(crate) fn not_one_line(config: &BTreeMap<String, String>) -> Option<String> {
    config.iter().find_map(|(key, value)| {
        if key.is_empty()
            || key.contains(['=', ':', '#', '!', '\\'])
            || key.contains(char::is_whitespace)
        {
            return Some(format!(
                "{key:?} is no configuration key: use letters, digits, '.', '_' and '-'"
            ));
        }
        let broken = value.contains(['\n', '\r']);
        broken.then(|| format!("the value of {key} has a line break: write it on one line"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_backslash_is_escaped() {
        assert_eq!(text(&config("a", r"\w+")), "a=\\\\w+\n");
    }

    #[test]
    fn nothing_can_smuggle_a_second_property_in() {
        assert_eq!(not_one_line(&config("log.retention.hours", "1")), None);
        for (key, value) in [("a", "1\nlog.dirs=/"), ("a=b", "1"), ("a b", "1"), ("", "1")] {
            assert!(not_one_line(&config(key, value)).is_some(), "{key:?} {value:?}");
        }
    }
}
