//! A pod: one container, under the restricted pod security standard.

use std::collections::BTreeMap;

use crds::Resources;
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, ConfigMapVolumeSource, Container, ContainerPort, DownwardAPIVolumeFile,
    DownwardAPIVolumeSource, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, PodAffinityTerm, PodAntiAffinity, PodSecurityContext, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecurityContext,
    TopologySpreadConstraint, Volume, VolumeMount, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::USER_ID;
use crate::labels::{CONFIG_HASH, Labels, ZONE};

/// Where the probes look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probes {
    pub(crate) port: i32,
    pub(crate) live: &'static str,
    pub(crate) ready: &'static str,
}

/// Everything that differs between the pods that the operator makes.
#[derive(Debug)]
pub(crate) struct PodPlan<'a> {
    pub(crate) labels: Labels<'a>,
    /// Labels beside those of the owner.
    pub(crate) extra_labels: BTreeMap<String, String>,
    pub(crate) config_hash: String,
    pub(crate) service_account: String,
    pub(crate) container: &'static str,
    pub(crate) image: String,
    pub(crate) args: Vec<String>,
    pub(crate) ports: Vec<(&'static str, i32)>,
    pub(crate) probes: Probes,
    pub(crate) resources: ResourceRequirements,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) mounts: Vec<VolumeMount>,
    /// Seconds from SIGTERM to SIGKILL.
    pub(crate) grace_s: i64,
    /// Whether pods should also keep away from each other's zones and, if they can, from each other's nodes. Only
    /// brokers do: another template would restart the workers that are there.
    pub(crate) apart: bool,
}

impl PodPlan<'_> {
    /// The template. It holds nothing of the operator's own version.
    pub(crate) fn template(self) -> PodTemplateSpec {
        let mut labels = self.labels.all();
        labels.extend(self.extra_labels.clone());
        let hostname = "kubernetes.io/hostname";
        let mut spread = vec![self.spread(hostname)];
        if self.apart {
            spread.insert(0, self.spread(ZONE));
        }
        let affinity = self.apart.then(|| self.affinity(hostname));
        let scratch = Volume {
            name: "tmp".to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                size_limit: Some(quantity("64Mi")),
                ..Default::default()
            }),
            ..Default::default()
        };
        let volumes = self.volumes.iter().cloned().chain([scratch]).collect();
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(labels),
                annotations: Some(BTreeMap::from([(
                    CONFIG_HASH.to_owned(),
                    self.config_hash.clone(),
                )])),
                ..Default::default()
            }),
            spec: Some(PodSpec {
                service_account_name: Some(self.service_account.clone()),
                automount_service_account_token: Some(false),
                enable_service_links: Some(false),
                security_context: Some(pod_security()),
                termination_grace_period_seconds: Some(self.grace_s),
                topology_spread_constraints: Some(spread),
                affinity,
                volumes: Some(volumes),
                containers: vec![self.container()],
                ..Default::default()
            }),
        }
    }

    /// Pods of one owner prefer nodes of their own.
    fn spread(&self, key: &str) -> TopologySpreadConstraint {
        TopologySpreadConstraint {
            max_skew: 1,
            topology_key: key.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(self.labels.label_selector()),
            ..Default::default()
        }
    }

    /// Spreading counts pods; this also holds between two that would share a node for want of a third.
    fn affinity(&self, key: &str) -> Affinity {
        let term = WeightedPodAffinityTerm {
            weight: 100,
            pod_affinity_term: PodAffinityTerm {
                label_selector: Some(self.labels.label_selector()),
                topology_key: key.to_owned(),
                ..Default::default()
            },
        };
        Affinity {
            pod_anti_affinity: Some(PodAntiAffinity {
                preferred_during_scheduling_ignored_during_execution: Some(vec![term]),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn container(self) -> Container {
        let port = |(name, number): (&str, i32)| ContainerPort {
            name: Some(name.to_owned()),
            container_port: number,
            protocol: Some("TCP".to_owned()),
            ..Default::default()
        };
        let scratch = VolumeMount {
            name: "tmp".to_owned(),
            mount_path: "/tmp".to_owned(),
            ..Default::default()
        };
        let Probes { port: at, live, ready } = self.probes;
        Container {
            name: self.container.to_owned(),
            image: Some(self.image),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            args: Some(self.args),
            env: Some(vec![
                field("POD_NAME", "metadata.name"),
                field("POD_NAMESPACE", "metadata.namespace"),
            ]),
            ports: Some(self.ports.into_iter().map(port).collect()),
            // A broker is alive while it recovers its log; ten minutes are for a process that never comes up.
            startup_probe: Some(probe(live, at, 1, 600)),
            liveness_probe: Some(probe(live, at, 10, 6)),
            readiness_probe: Some(probe(ready, at, 2, 3)),
            resources: Some(self.resources),
            security_context: Some(container_security()),
            volume_mounts: Some(self.mounts.into_iter().chain([scratch]).collect()),
            ..Default::default()
        }
    }
}

fn probe(path: &str, port: i32, period_s: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(port),
            scheme: Some("HTTP".to_owned()),
            ..Default::default()
        }),
        period_seconds: Some(period_s),
        timeout_seconds: Some(3),
        failure_threshold: Some(failures),
        ..Default::default()
    }
}

/// A variable with a field of the pod.
fn field(name: &str, path: &str) -> EnvVar {
    let source = EnvVarSource { field_ref: Some(field_ref(path)), ..Default::default() };
    EnvVar { name: name.to_owned(), value_from: Some(source), ..Default::default() }
}

fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER_ID),
        run_as_group: Some(USER_ID),
        fs_group: Some(USER_ID),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A ConfigMap as a volume.
pub(crate) fn config_volume(name: &str, config_map: String) -> Volume {
    let source = ConfigMapVolumeSource { name: config_map, ..Default::default() };
    Volume { name: name.to_owned(), config_map: Some(source), ..Default::default() }
}

/// The labels of the pod as a file, which changes when they do.
pub(crate) fn labels_volume(name: &str, file: &str) -> Volume {
    let labels = DownwardAPIVolumeFile {
        path: file.to_owned(),
        field_ref: Some(field_ref("metadata.labels")),
        ..Default::default()
    };
    let source = DownwardAPIVolumeSource { items: Some(vec![labels]), ..Default::default() };
    Volume { name: name.to_owned(), downward_api: Some(source), ..Default::default() }
}

fn field_ref(path: &str) -> ObjectFieldSelector {
    ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() }
}

/// Where a container sees a volume.
pub(crate) fn mount(name: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..Default::default()
    }
}

/// A quantity of Kubernetes, such as `1Gi`.
pub(crate) fn quantity(text: &str) -> Quantity {
    Quantity(text.to_owned())
}

/// The spec's resources, or the defaults where it has none at all.
pub(crate) fn resources(
    spec: Option<&Resources>,
    requests: [&str; 2],
    memory_limit: &str,
) -> ResourceRequirements {
    let all = |map: &BTreeMap<String, String>| {
        let quantities: BTreeMap<_, _> =
            map.iter().map(|(k, v)| (k.clone(), quantity(v))).collect();
        (!quantities.is_empty()).then_some(quantities)
    };
    match spec {
        Some(spec) => ResourceRequirements {
            requests: all(&spec.requests),
            limits: all(&spec.limits),
            ..Default::default()
        },
        None => ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".to_owned(), quantity(requests[0])),
                ("memory".to_owned(), quantity(requests[1])),
            ])),
            limits: Some(BTreeMap::from([("memory".to_owned(), quantity(memory_limit))])),
            ..Default::default()
        },
    }
}
