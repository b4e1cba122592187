//! The client against a broker, a broker behind a bad network, and something that only pretends to be one.

mod admin;
mod bad_broker;
mod cluster;
mod consumer;
mod group;
mod producer;
mod proxy;
mod restart;
