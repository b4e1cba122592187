//! The plugin interfaces: what a connector, a task and a converter are, and the data they exchange.
//!
//! A plugin knows nothing of Kafka's protocol, of the worker, or of REST: it sees [`ConnectRecord`]s, its configuration
//! and a context.

pub mod connector;
pub mod converter;
pub mod error;
pub mod logical;
pub mod record;
pub mod schema;
pub mod sink;
pub mod source;
pub mod value;

pub use connector::{Connector, ConnectorContext};
pub use converter::{Converter, ConverterPlugin, HeaderConverter, Role};
pub use error::{ConnectError, DataError};
pub use record::{
    ConnectRecord, Header, OffsetMap, RawRecord, SinkRecord, SourceRecord, TopicPartition,
    canonical,
};
pub use schema::{Field, Schema, SchemaBuilder, Type};
pub use sink::{
    ErrantRecordReporter, OpenedPartition, SinkConnector, SinkOffsets, SinkTask, SinkTaskContext,
};
pub use source::{OffsetReader, SourceConnector, SourceTask, SourceTaskContext};
pub use value::{SchemaAndValue, Struct, Value};
