//! The Services of a worker group.

use k8s_openapi::api::core::v1::Service;

use super::super::names;
use super::super::validate::Wanted;
use crate::workload::{self, REST_PORT};

/// Gives each worker a name of its own, under which the others forward requests to it.
pub(super) fn headless(wanted: &Wanted) -> Service {
    workload::headless(
        meta(wanted, names::headless(&wanted.name)),
        selector(wanted),
        &[("rest", REST_PORT)],
    )
}

/// The REST API: any ready worker.
pub(super) fn rest(wanted: &Wanted) -> Service {
    workload::service(
        meta(wanted, names::common(&wanted.name)),
        selector(wanted),
        &[("rest", REST_PORT)],
    )
}

fn meta(
    wanted: &Wanted,
    name: String,
) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
    names::labels(&wanted.name).meta(name, &wanted.namespace, wanted.owner.clone())
}

fn selector(wanted: &Wanted) -> crate::labels::Map {
    names::labels(&wanted.name).selector()
}
