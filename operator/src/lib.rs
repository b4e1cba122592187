//! The operator: turns the objects of [`crds`] into StatefulSets, Services, ConfigMaps and volumes, and, through
//! Kafka's and Connect's own protocols, into topics and connectors.
//!
//! **Contents.** One folder a kind ([`cluster`], [`topic`], [`rebalance`], [`connect`], [`connector`], [`streams_app`]), each in
//! the same four steps: *dereference* (reads), *validate* (pure), *build* or *plan* (pure), *apply*; then
//! *status*. Around them: [`drive`] runs the steps for a kind and writes its status, [`verdict`] turns an
//! outcome into conditions, [`api`] is server-side apply, [`workload`] is what all pods have in common, [`kafka`],
//! [`safety`] and [`connect_rest`] are the doors to the running system, [`lease`] and [`tenure`] let one operator lead,
//! [`webhook`] answers the API server, over TLS by [`pki`]: [`eviction`] whether a node may be drained of a broker, and
//! [`preview`] what an edit would do,
//! [`health`] and [`metrics`] are its own HTTP port, [`run`] wires everything; [`fail_point`] lets a test end the
//! operator at each step.
//!
//! **Must not know**: what is inside a broker or a worker. It asks them.
//!
//! **Invariants**
//! - Nothing waits inside a reconcile: waiting is a state (`Reconciling=True` and a reason), then requeue.
//! - Volumes and topics are never deleted, but by a person's explicit word in the object.
//! - `Ready` is never early: generation observed, pods of the current template ready, the service answers.
//! - The operator's own version is in no pod template: upgrading it restarts nothing.
//! - A bad object gets a status and harms no other.

mod api;
mod backoff;
mod config;
mod connect_rest;
mod context;
mod drive;
mod eviction;
mod fail_point;
mod finalizer;
mod hash;
mod health;
mod kafka;
mod labels;
mod lease;
mod metrics;
mod pki;
mod preview;
mod properties;
mod references;
mod run;
mod safety;
mod tenure;
#[cfg(test)]
mod testing;
mod verdict;
mod watch_backoff;
mod webhook;
mod workload;

mod cluster;
mod connect;
mod connector;
mod rebalance;
mod streams_app;
mod topic;

pub use config::{AppCheck, AppProblem, OperatorConfig, WebhookConfig};
pub use run::{RunError, run, run_until};
