mod connection;
mod listener;
mod metrics;
