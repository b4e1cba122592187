//! The broker over real sockets.

mod admin;
mod groups;
mod support;
