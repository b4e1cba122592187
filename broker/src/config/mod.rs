//! Kafka's configs of brokers and topics: which there are, what they may be, and what holds now.
//!
//! | module | what |
//! |---|---|
//! | `table` | the definitions: name, type, default, allowed values, whether they change while running, documentation |
//! | `def` | one definition, and the check of a value against it |
//! | `synonyms` | which broker configs a topic config falls back to, with their units |
//! | `effective` | [`Configs`]: the value that holds for a broker or topic, and where it comes from |
//! | `schema` | the same table as the controller sees it ([`quorum::controller::ConfigSchema`]) |
//! | `properties` | a broker's properties file |
//! | `support` | which configs have an effect here; the others are accepted and shown, and said to have none |
//! | `markdown` | the reference page |
//!
//! Layers, first wins: topic, this broker (dynamic), all brokers (dynamic), this broker's properties, default.

mod def;
mod effective;
mod markdown;
mod nearest;
mod properties;
mod schema;
mod support;
mod synonyms;
mod table;

pub(crate) use def::{ConfigDef, Kind, Update};
pub(crate) use effective::{Configs, Entry, Source};
pub use markdown::markdown;
pub use properties::PropertiesError;
pub(crate) use schema::TableSchema;
pub(crate) use table::{broker_configs, topic_configs};

#[cfg(test)]
mod tests;
