//! What a worker keeps in Kafka: its three internal topics, in Kafka Connect's own formats.

pub mod offset_store;
pub mod topic_log;
pub mod topics;

pub use offset_store::OffsetStore;
pub use topic_log::{LogRecord, StoreError, TopicLog};
pub use topics::TopicSpec;
