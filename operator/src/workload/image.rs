//! What a StatefulSet that is there already decides: the image that its pods run, and its volume templates.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

/// The spec's image; else the one that the pods run already, so that an upgrade of the operator restarts nothing;
/// else the operator's default.
pub(crate) fn choose(spec: Option<&str>, live: Option<&StatefulSet>, default: &str) -> String {
    let running = live
        .and_then(|set| set.spec.as_ref())
        .and_then(|spec| spec.template.spec.as_ref())
        .and_then(|pod| pod.containers.first())
        .and_then(|container| container.image.as_deref());
    spec.or(running).unwrap_or(default).to_owned()
}

/// The volume templates of a StatefulSet, which the API server lets nobody change, without what it added itself.
pub(crate) fn live_claims(live: Option<&StatefulSet>) -> Option<Vec<PersistentVolumeClaim>> {
    let claims = live?.spec.as_ref()?.volume_claim_templates.clone()?;
    let bare = |claim: PersistentVolumeClaim| PersistentVolumeClaim { status: None, ..claim };
    Some(claims.into_iter().map(bare).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::StatefulSetSpec;
    use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};

    fn running(image: &str) -> StatefulSet {
        let container = Container { image: Some(image.to_owned()), ..Default::default() };
        let pod = PodSpec { containers: vec![container], ..Default::default() };
        let template = PodTemplateSpec { spec: Some(pod), ..Default::default() };
        StatefulSet {
            spec: Some(StatefulSetSpec { template, ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn a_new_operator_keeps_the_running_image() {
        assert_eq!(choose(None, None, "v:2"), "v:2");
        assert_eq!(choose(None, Some(&running("v:1")), "v:2"), "v:1");
        assert_eq!(choose(Some("v:3"), Some(&running("v:1")), "v:2"), "v:3");
    }
}
