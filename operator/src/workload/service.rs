//! Services.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::labels::Map;

/// One address for all ready pods.
pub(crate) fn service(metadata: ObjectMeta, selector: Map, ports: &[(&str, i32)]) -> Service {
    let port = |(name, number): &(&str, i32)| ServicePort {
        name: Some((*name).to_owned()),
        port: *number,
        target_port: Some(IntOrString::Int(*number)),
        protocol: Some("TCP".to_owned()),
        ..Default::default()
    };
    Service {
        metadata,
        spec: Some(ServiceSpec {
            selector: Some(selector),
            ports: Some(ports.iter().map(port).collect()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A name for each pod, ready or not.
pub(crate) fn headless(metadata: ObjectMeta, selector: Map, ports: &[(&str, i32)]) -> Service {
    let mut service = service(metadata, selector, ports);
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = Some("None".to_owned());
        spec.publish_not_ready_addresses = Some(true);
    }
    service
}
