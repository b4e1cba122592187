//! Secrets in configurations: they are stored, and never shown.
//!
//! A configuration that is read back over REST has [`HIDDEN`] in the place of each secret; one that is written with
//! [`HIDDEN`] keeps the secret it had, so that a person may read, edit and write a configuration.

use super::Config;
use super::def::{ConfigDef, ConfigType};

/// What is shown in the place of a secret (Kafka's `Password.HIDDEN`).
pub const HIDDEN: &str = "[hidden]";

/// The ends of keys that hold secrets though no definition says so, as in `producer.override.sasl.jaas.config`.
const SECRET_ENDINGS: [&str; 6] =
    ["password", "sasl.jaas.config", "secret", "secret.key", "token", "ssl.keystore.key"];

/// Whether a key holds a secret: its type is PASSWORD, or its name ends like one that does.
pub fn is_secret(def: Option<&ConfigDef>, key: &str) -> bool {
    match def.and_then(|def| def.key(key)) {
        Some(known) => known.type_ == ConfigType::Password,
        None => SECRET_ENDINGS.iter().any(|ending| key.ends_with(ending)),
    }
}

/// A copy for showing. References to secrets (`${env:NAME}`) are no secrets.
pub fn redact(def: Option<&ConfigDef>, config: &Config) -> Config {
    config
        .iter()
        .map(|(key, value)| {
            let reference = value.starts_with("${") && value.ends_with('}');
            let hide = !reference && !value.is_empty() && is_secret(def, key);
            (key.clone(), if hide { HIDDEN.to_owned() } else { value.clone() })
        })
        .collect()
}

/// Puts the stored secrets back where a configuration that is being written says [`HIDDEN`].
pub fn restore(def: Option<&ConfigDef>, written: Config, stored: &Config) -> Config {
    written
        .into_iter()
        .map(|(key, value)| match stored.get(&key) {
            Some(secret) if value == HIDDEN && is_secret(def, &key) => (key, secret.clone()),
            _ => (key, value),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::def::ConfigKey;
    use super::*;

    #[test]
    fn secrets_survive_being_read_and_written_back() {
        let def = ConfigDef::new().define(ConfigKey::required("key", ConfigType::Password));
        let stored: Config = [
            ("key", "s3cret"),
            ("file", "a.txt"),
            ("producer.override.sasl.jaas.config", "user=x password=y"),
            ("other.password", "${env:PASSWORD}"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        let shown = redact(Some(&def), &stored);
        assert_eq!(shown["key"], HIDDEN);
        assert_eq!(shown["producer.override.sasl.jaas.config"], HIDDEN);
        assert_eq!(shown["other.password"], "${env:PASSWORD}");
        assert_eq!(shown["file"], "a.txt");
        assert_eq!(restore(Some(&def), shown, &stored), stored);
    }

    #[test]
    fn hidden_is_an_ordinary_word_where_there_is_no_secret() {
        let written = Config::from([("file".to_owned(), HIDDEN.to_owned())]);
        let stored = Config::from([("file".to_owned(), "a.txt".to_owned())]);
        assert_eq!(restore(None, written.clone(), &stored), written);
    }
}
