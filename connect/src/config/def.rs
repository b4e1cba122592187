//! The definition of a set of configuration keys (Kafka's `ConfigDef`).

use super::info::ConfigProblem;
use super::value::{ConfigValue, Parsed};
use super::{Config, value};

/// `ConfigDef.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl ConfigType {
    /// Kafka's name of the type, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }
}

/// `ConfigDef.Importance`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    High,
    Medium,
    Low,
}

impl Importance {
    pub fn name(self) -> &'static str {
        match self {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        }
    }
}

/// `ConfigDef.Width`: how wide a user interface should draw the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    None,
    Short,
    Medium,
    Long,
}

impl Width {
    pub fn name(self) -> &'static str {
        match self {
            Width::None => "NONE",
            Width::Short => "SHORT",
            Width::Medium => "MEDIUM",
            Width::Long => "LONG",
        }
    }
}

/// What a value must be beside being of its type.
#[derive(Clone, Debug)]
pub enum Validator {
    /// A number within these bounds, both included.
    Range { min: Option<i64>, max: Option<i64> },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// At least one character.
    NonEmpty,
    /// Anything that this function accepts; its error is the rest of the sentence.
    Custom(fn(&str) -> Result<(), String>),
}

impl Validator {
    pub fn at_least(min: i64) -> Validator {
        Validator::Range { min: Some(min), max: None }
    }

    fn check(&self, text: &str, value: &ConfigValue) -> Result<(), String> {
        match self {
            Validator::Range { min, max } => match value {
                ConfigValue::Int(number) if min.is_some_and(|min| *number < min) => {
                    Err(format!("Value must be at least {}", min.unwrap_or_default()))
                }
                ConfigValue::Int(number) if max.is_some_and(|max| *number > max) => {
                    Err(format!("Value must be no more than {}", max.unwrap_or_default()))
                }
                _ => Ok(()),
            },
            Validator::OneOf(words) if words.contains(&text) => Ok(()),
            Validator::OneOf(words) => Err(format!("String must be one of: {}", words.join(", "))),
            Validator::NonEmpty if text.is_empty() => Err("String must be non-empty".to_owned()),
            Validator::NonEmpty => Ok(()),
            Validator::Custom(check) => check(text),
        }
    }
}

/// One key. Its place in [`ConfigDef::keys`] is the order in which it is shown.
#[derive(Clone, Debug)]
pub struct ConfigKey {
    pub name: String,
    pub type_: ConfigType,
    /// `None`: the key is required. `Some(None)`: absent means null.
    pub default: Option<Option<String>>,
    pub validator: Option<Validator>,
    pub importance: Importance,
    pub documentation: String,
    pub group: Option<&'static str>,
    pub order_in_group: i32,
    pub width: Width,
    pub display_name: String,
    pub dependents: Vec<String>,
}

impl ConfigKey {
    fn new(name: impl Into<String>, type_: ConfigType) -> ConfigKey {
        let name = name.into();
        ConfigKey {
            display_name: name.clone(),
            name,
            type_,
            default: None,
            validator: None,
            importance: Importance::Medium,
            documentation: String::new(),
            group: None,
            order_in_group: -1,
            width: Width::None,
            dependents: Vec::new(),
        }
    }

    /// A key that must be given.
    pub fn required(name: impl Into<String>, type_: ConfigType) -> ConfigKey {
        ConfigKey::new(name, type_)
    }

    /// A key with a default value.
    pub fn with_default(
        name: impl Into<String>,
        type_: ConfigType,
        default: impl Into<String>,
    ) -> ConfigKey {
        ConfigKey { default: Some(Some(default.into())), ..ConfigKey::new(name, type_) }
    }

    /// A key that may be absent.
    pub fn optional(name: impl Into<String>, type_: ConfigType) -> ConfigKey {
        ConfigKey { default: Some(None), ..ConfigKey::new(name, type_) }
    }

    pub fn doc(mut self, importance: Importance, documentation: impl Into<String>) -> ConfigKey {
        self.importance = importance;
        self.documentation = documentation.into();
        self
    }

    pub fn check(mut self, validator: Validator) -> ConfigKey {
        self.validator = Some(validator);
        self
    }

    pub fn show(mut self, group: &'static str, order: i32, width: Width, name: &str) -> ConfigKey {
        self.group = Some(group);
        self.order_in_group = order;
        self.width = width;
        self.display_name = name.to_owned();
        self
    }

    /// Reads one value, with the default where there is none.
    ///
    /// # Errors
    /// Kafka's sentence about the missing or wrong value.
    pub fn read(&self, text: Option<&str>) -> Result<ConfigValue, String> {
        let text = match (text, &self.default) {
            (Some(text), _) => text.trim(),
            (None, Some(Some(default))) => default.as_str(),
            (None, Some(None)) => return Ok(ConfigValue::Null),
            (None, None) => {
                return Err(format!(
                    "Missing required configuration \"{}\" which has no default value.",
                    self.name
                ));
            }
        };
        let wrong = |why: String| {
            let shown = if self.type_ == ConfigType::Password { "[hidden]" } else { text };
            format!("Invalid value {shown} for configuration {}: {why}", self.name)
        };
        let value = value::parse(self.type_, text).map_err(wrong)?;
        if let Some(validator) = &self.validator {
            validator.check(text, &value).map_err(wrong)?;
        }
        Ok(value)
    }
}

/// A set of keys in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct ConfigDef {
    keys: Vec<ConfigKey>,
}

impl ConfigDef {
    pub fn new() -> ConfigDef {
        ConfigDef::default()
    }

    /// Adds a key; a key of the same name that was there is replaced.
    pub fn define(mut self, key: ConfigKey) -> ConfigDef {
        self.keys.retain(|known| known.name != key.name);
        self.keys.push(key);
        self
    }

    pub fn extend(self, other: ConfigDef) -> ConfigDef {
        other.keys.into_iter().fold(self, ConfigDef::define)
    }

    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The groups in the order in which they first occur.
    pub fn groups(&self) -> Vec<&'static str> {
        let mut groups = Vec::new();
        for group in self.keys.iter().filter_map(|key| key.group) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// Reads every key. The values of keys with a problem are null.
    pub fn parse(&self, config: &Config) -> (Parsed, Vec<ConfigProblem>) {
        let mut parsed = Parsed::default();
        let mut problems = Vec::new();
        for key in &self.keys {
            match key.read(config.get(&key.name).map(String::as_str)) {
                Ok(value) => parsed.insert(&key.name, value),
                Err(message) => {
                    parsed.insert(&key.name, ConfigValue::Null);
                    problems.push(ConfigProblem { key: key.name.clone(), message });
                }
            }
        }
        (parsed, problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn def() -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::required("topic", ConfigType::String).check(Validator::NonEmpty))
            .define(
                ConfigKey::with_default("tasks.max", ConfigType::Int, "1")
                    .check(Validator::at_least(1)),
            )
            .define(
                ConfigKey::with_default("mode", ConfigType::String, "none")
                    .check(Validator::OneOf(&["none", "all"])),
            )
            .define(ConfigKey::optional("on", ConfigType::Boolean))
            .define(
                ConfigKey::optional("password", ConfigType::Password)
                    .check(Validator::Custom(|_| Err("too short".to_owned()))),
            )
    }

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn defaults_fill_what_is_not_given() {
        let (parsed, problems) = def().parse(&config(&[("topic", " a "), ("other", "x")]));
        assert!(problems.is_empty());
        assert_eq!(parsed.text("topic"), Some("a"));
        assert_eq!(parsed.int("tasks.max"), Some(1));
        assert!(!parsed.is_true("on"));
    }

    #[test]
    fn problems_are_told_in_kafkas_words() {
        let wrong =
            config(&[("tasks.max", "0"), ("mode", "some"), ("on", "yes"), ("password", "p")]);
        let (_, problems) = def().parse(&wrong);
        let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "Missing required configuration \"topic\" which has no default value.",
                "Invalid value 0 for configuration tasks.max: Value must be at least 1",
                "Invalid value some for configuration mode: String must be one of: none, all",
                "Invalid value yes for configuration on: Expected value to be either true or false",
                "Invalid value [hidden] for configuration password: too short",
            ]
        );
    }

    #[test]
    fn a_redefined_key_takes_the_place_of_the_first() {
        let def = def().define(ConfigKey::with_default("topic", ConfigType::String, "x"));
        assert_eq!(def.keys().iter().filter(|key| key.name == "topic").count(), 1);
        assert!(def.parse(&Config::new()).1.is_empty());
    }
}
