//! Other people's clients, unmodified, against the broker: kcat (librdkafka), Kafka's own Java console
//! clients, and kafka-python. Each produces and consumes, in a group, and reads what the others wrote.

mod admin_tools;
mod client;
mod controllers;
mod every_client;
mod java;
mod kcat;
mod python;
mod shared_group;
