//! Configuration values, read from their text.

use std::collections::BTreeMap;

use super::def::ConfigType;

/// A value of one of the types of [`ConfigType`]. A password's text never shows in `Debug`.
#[derive(Clone, PartialEq)]
pub enum ConfigValue {
    Null,
    Boolean(bool),
    /// Strings and classes.
    String(String),
    /// Int, short and long.
    Int(i64),
    Double(f64),
    List(Vec<String>),
    Password(String),
}

impl std::fmt::Debug for ConfigValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigValue::Null => f.write_str("null"),
            ConfigValue::Boolean(value) => value.fmt(f),
            ConfigValue::String(value) => value.fmt(f),
            ConfigValue::Int(value) => value.fmt(f),
            ConfigValue::Double(value) => value.fmt(f),
            ConfigValue::List(value) => value.fmt(f),
            ConfigValue::Password(_) => f.write_str("[hidden]"),
        }
    }
}

/// Reads a value of a type. Errors are the end of Kafka's sentence `Invalid value x for configuration y: …`.
pub(super) fn parse(type_: ConfigType, text: &str) -> Result<ConfigValue, String> {
    let integer = |min: i64, max: i64| match text.parse::<i64>() {
        Ok(value) if (min..=max).contains(&value) => Ok(ConfigValue::Int(value)),
        _ => Err(format!("Not a number of type {}", type_.name())),
    };
    match type_ {
        ConfigType::Boolean if text.eq_ignore_ascii_case("true") => Ok(ConfigValue::Boolean(true)),
        ConfigType::Boolean if text.eq_ignore_ascii_case("false") => {
            Ok(ConfigValue::Boolean(false))
        }
        ConfigType::Boolean => Err("Expected value to be either true or false".to_owned()),
        ConfigType::String | ConfigType::Class => Ok(ConfigValue::String(text.to_owned())),
        ConfigType::Password => Ok(ConfigValue::Password(text.to_owned())),
        ConfigType::Short => integer(i16::MIN.into(), i16::MAX.into()),
        ConfigType::Int => integer(i32::MIN.into(), i32::MAX.into()),
        ConfigType::Long => integer(i64::MIN, i64::MAX),
        ConfigType::Double => text
            .parse::<f64>()
            .map(ConfigValue::Double)
            .map_err(|_| format!("Not a number of type {}", type_.name())),
        ConfigType::List if text.is_empty() => Ok(ConfigValue::List(Vec::new())),
        ConfigType::List => {
            Ok(ConfigValue::List(text.split(',').map(|item| item.trim().to_owned()).collect()))
        }
    }
}

/// The values of a [`super::ConfigDef`]'s keys.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    values: BTreeMap<String, ConfigValue>,
}

impl Parsed {
    pub(super) fn insert(&mut self, key: &str, value: ConfigValue) {
        self.values.insert(key.to_owned(), value);
    }

    pub fn get(&self, key: &str) -> Option<&ConfigValue> {
        self.values.get(key)
    }

    /// The text of a string, class or password.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            ConfigValue::String(text) | ConfigValue::Password(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, key: &str) -> Option<i64> {
        match self.values.get(key)? {
            ConfigValue::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn is_true(&self, key: &str) -> bool {
        matches!(self.values.get(key), Some(ConfigValue::Boolean(true)))
    }

    /// The items of a list; empty when the key is null or no list.
    pub fn list(&self, key: &str) -> &[String] {
        match self.values.get(key) {
            Some(ConfigValue::List(items)) => items,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_cut_at_commas() {
        assert_eq!(
            parse(ConfigType::List, "a, b,c"),
            Ok(ConfigValue::List(vec!["a".into(), "b".into(), "c".into()]))
        );
        assert_eq!(parse(ConfigType::List, ""), Ok(ConfigValue::List(Vec::new())));
    }

    #[test]
    fn numbers_keep_to_their_width() {
        assert!(parse(ConfigType::Short, "32768").is_err());
        assert!(parse(ConfigType::Int, "2147483648").is_err());
        assert_eq!(parse(ConfigType::Long, "2147483648"), Ok(ConfigValue::Int(2_147_483_648)));
        assert_eq!(parse(ConfigType::Double, "0.5"), Ok(ConfigValue::Double(0.5)));
    }

    #[test]
    fn passwords_do_not_print() {
        assert_eq!(format!("{:?}", ConfigValue::Password("s3cret".into())), "[hidden]");
    }
}
