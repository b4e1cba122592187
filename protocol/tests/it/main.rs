//! Tests of the codec against Kafka's own message definitions and against another implementation.

mod bounds;
mod every_message;
mod oracle;
mod schema;
mod wire;
