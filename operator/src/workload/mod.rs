//! What the pods of brokers and workers have in common.

mod image;
mod pods;
mod quantity;
mod service;
mod set;
mod template;

pub(crate) use image::{choose as choose_image, live_claims};
pub(crate) use pods::{PodState, is_unheard, pod_state, pods_verdict, running_since};
pub(crate) use quantity::{same_resources, whole_units};
pub(crate) use service::{headless, service};
pub(crate) use set::{
    SetState, StatefulSetPlan, budget, claim, claim_of, service_account, set_state,
};
pub(crate) use template::{PodPlan, Probes, config_volume, labels_volume, mount, resources};

/// User and group of every container, and owner of every volume.
pub(crate) const USER_ID: i64 = 65532;
/// Where a pod's volume is mounted.
pub(crate) const DATA_DIR: &str = "/var/lib/vltava";
/// Where a pod's configuration is mounted.
pub(crate) const CONFIG_DIR: &str = "/etc/vltava";
/// Port of a broker's or Streams worker's health, metrics and status.
pub(crate) const ADMIN_PORT: i32 = 9644;
/// Port of brokers.
pub(crate) const KAFKA_PORT: i32 = 9092;
/// Port of the Connect REST API.
pub(crate) const REST_PORT: i32 = 8083;
