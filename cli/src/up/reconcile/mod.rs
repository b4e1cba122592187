//! What is done for each kind, one file a kind. Every `plan` is pure: what should be and what there is come in,
//! changes and a status go out.

pub(crate) mod cluster;
pub(crate) mod connect;
pub(crate) mod connector;
pub(crate) mod streams_app;
pub(crate) mod topic;
