//! What the API server asks the operator: over TLS ([`crate::pki`]), in an AdmissionReview ([`review`]), on a port that every
//! operator serves, leading or not ([`server`]). That it asks, and about what, the leader keeps written down
//! ([`configuration`]).
//!
//! Two questions: may this pod be evicted ([`crate::eviction`]), and what would this edit do ([`crate::preview`]).

mod configuration;
mod review;
mod server;

pub(crate) use configuration::keep;
pub(crate) use review::Request;
#[cfg(test)]
pub(crate) use review::Review;
pub(crate) use server::{ServerError, WebhookServer};
