use std::fmt::Write as _;

use super::def::{ConfigDef, Kind, Update, Valid};
use super::support;
use super::table::{broker_configs, topic_configs};

/// The reference page of all configs (`docs/reference/config.md`).
pub fn markdown() -> String {
    let mut page = String::from(
        "# Configuration reference\n\n\
         Generated from the broker's own tables. Names, types, defaults and meanings are Apache Kafka 4.3's.\n\
         \"Effect\" says whether setting a config changes what Vltava does today; the others are accepted and shown to \
         clients, so that existing files and tools work.\n",
    );
    section(&mut page, "Topic configs", topic_configs(), support::topic_has_effect);
    section(&mut page, "Broker configs", broker_configs(), support::has_effect);
    page
}

fn section(
    page: &mut String,
    title: &str,
    defs: impl Iterator<Item = &'static ConfigDef>,
    has_effect: impl Fn(&str) -> bool,
) {
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "\n## {title}\n\n| name | type | default | allowed | change | effect | meaning |\n|---|---|---|---|---|---|---|\n"
    );
    for def in defs {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            def.name,
            kind(def.kind),
            def.default.map_or("—".to_owned(), |d| if d.is_empty() {
                "(empty)".to_owned()
            } else {
                format!("`{d}`")
            }),
            allowed(&def.valid),
            match def.update {
                Update::ReadOnly => "at start",
                Update::PerBroker => "per broker",
                Update::ClusterWide => "while running",
            },
            if has_effect(def.name) { "yes" } else { "none yet" },
            def.doc.replace('|', "\\|"),
        );
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Short => "short",
        Kind::Long => "long",
        Kind::Double => "double",
        Kind::List => "list",
        Kind::Text => "string",
        Kind::Password => "password",
        Kind::Class => "class",
    }
}

fn allowed(valid: &Valid) -> String {
    match valid {
        Valid::Any => String::new(),
        Valid::AtLeast(low) => format!("from {low}"),
        Valid::Range(low, high) => format!("{low} to {high}"),
        Valid::Between(low, high) if *high == f64::MAX => format!("from {low}"),
        Valid::Between(low, high) => format!("{low} to {high}"),
        Valid::OneOf(names) | Valid::OneOfAnyCase(names) => names.join(", "),
        Valid::ListOf(names) => format!("list of {}", names.join(", ")),
        Valid::NonEmpty => "not empty".to_owned(),
        Valid::GzipLevel => "1 to 9, -1".to_owned(),
        Valid::ThrottledReplicas => "`*` or `partition:broker,…`".to_owned(),
    }
}
