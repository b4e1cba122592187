//! One file an API, named as Kafka names its message.
//!
//! A handler turns a request into a response; it must not know sockets or files. Those of `produce` and `fetch` are on
//! the hot path: they return a [`crate::connection::Reply`] and allocate nothing for a record. All others are
//! `async fn handle(broker, ctx, request, version) -> Response`.
