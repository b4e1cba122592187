//! What a pod waits for, in words.

use crds::Reason;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodStatus};
use k8s_openapi::jiff::Timestamp;

use super::SetState;
use crate::verdict::Verdict;

/// Restarts after which a crashing container is taken for broken and not for early.
const RESTARTS_TO_FAIL: i32 = 4;
/// Reasons of a waiting container that do not pass by themselves.
const FAILING: &[&str] = &[
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
];

/// What a pod is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PodState {
    /// It is ready and not being deleted.
    Ready,
    /// It will be; the text says what it waits for.
    Waiting(String),
    /// It will not be without a change; the text says why.
    Failing(String),
}

/// Looks at one pod.
pub(crate) fn pod_state(pod: &Pod) -> PodState {
    if pod.metadata.deletion_timestamp.is_some() {
        return PodState::Waiting("is being replaced".to_owned());
    }
    let Some(status) = &pod.status else { return PodState::Waiting("was just created".to_owned()) };
    if condition(status, "Ready").is_some_and(|(state, _)| state == "True") {
        return PodState::Ready;
    }
    if let Some(("False", message)) = condition(status, "PodScheduled") {
        return PodState::Waiting(format!(
            "cannot be placed on a node: {}",
            message.unwrap_or("no reason given")
        ));
    }
    let container = status.container_statuses.as_ref().and_then(|c| c.first());
    container.map_or_else(|| PodState::Waiting("is starting".to_owned()), container_state)
}

/// Since when the pod's container runs, ready or not.
pub(crate) fn running_since(pod: &Pod) -> Option<Timestamp> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let running = container.state.as_ref()?.running.as_ref()?;
    Some(running.started_at.as_ref().map_or(Timestamp::UNIX_EPOCH, |at| at.0))
}

/// Whether the pod counts as unready only because its node is not heard from: the kubelet's last word was that its
/// container is ready, and the control plane has marked the pod since
/// (<https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller>). It may well work.
pub(crate) fn is_unheard(pod: &Pod) -> bool {
    let container = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref()?.first());
    pod.metadata.deletion_timestamp.is_none()
        && pod_state(pod) != PodState::Ready
        && container.is_some_and(|c| c.ready)
}

fn container_state(container: &ContainerStatus) -> PodState {
    let state = container.state.as_ref();
    let has_ended = state.is_some_and(|s| s.terminated.is_some());
    let waiting = state.and_then(|s| s.waiting.as_ref());
    let reason = waiting.map(|waiting| waiting.reason.as_deref().unwrap_or("waiting"));
    let is_down = has_ended || reason == Some("CrashLoopBackOff");
    if is_down && container.restart_count >= RESTARTS_TO_FAIL {
        return PodState::Failing(crashes(container));
    }
    if let (Some(waiting), Some(reason)) = (waiting, reason) {
        let message = waiting.message.as_deref().unwrap_or_default();
        let text = match reason {
            "CrashLoopBackOff" => format!("ended: {}", last_words(container)),
            _ if message.is_empty() => reason.to_owned(),
            _ => format!("{reason}: {message}"),
        };
        let fails = FAILING.contains(&reason);
        return if fails { PodState::Failing(text) } else { PodState::Waiting(text) };
    }
    if has_ended {
        return PodState::Waiting(format!("ended: {}", last_words(container)));
    }
    if container.ready {
        return PodState::Waiting("was ready when its node was last heard of".to_owned());
    }
    PodState::Waiting("runs and is not ready yet".to_owned())
}

/// What is said of a container that ends again and again: the same for a while. A text that follows each of its ends is a write of
/// the object each time, and who corrects the object meets one of them again and again.
fn crashes(container: &ContainerStatus) -> String {
    let times = 1_u32 << container.restart_count.max(1).ilog2();
    format!("has crashed {times} times or more: {}", last_words(container))
}

/// Why the container ended last.
fn last_words(container: &ContainerStatus) -> String {
    let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
        state.as_ref().and_then(|s| s.terminated.clone())
    };
    let Some(end) = ended(&container.state).or_else(|| ended(&container.last_state)) else {
        return "see its log".to_owned();
    };
    let reason = end.reason.unwrap_or_else(|| "Error".to_owned());
    let message = end.message.unwrap_or_default();
    let detail = message.trim().lines().last().unwrap_or_default();
    if detail.is_empty() {
        format!("{reason}, exit code {}; see its log", end.exit_code)
    } else {
        format!("{reason}: {detail}")
    }
}

fn condition<'a>(status: &'a PodStatus, type_: &str) -> Option<(&'a str, Option<&'a str>)> {
    let found = status.conditions.as_ref()?.iter().find(|c| c.type_ == type_)?;
    Some((found.status.as_str(), found.message.as_deref()))
}

/// What to say of a StatefulSet's pods while they are not all ready and current; `None` once they are.
pub(crate) fn pods_verdict(
    what: &str,
    names: &[String],
    pods: &[Pod],
    set: SetState,
) -> Option<Verdict> {
    let state =
        |name: &String| pods.iter().find(|p| p.metadata.name.as_ref() == Some(name)).map(pod_state);
    let waiting =
        names.iter().map(|name| (name, state(name))).find(|(_, s)| *s != Some(PodState::Ready));
    let head = format!("{} of {} {what} ready", set.ready.min(set.replicas), names.len());
    match waiting {
        Some((name, Some(PodState::Failing(text)))) => {
            Some(Verdict::stalled(Reason::PodFailing, format!("{head}; pod {name} {text}")))
        }
        Some((name, Some(PodState::Waiting(text)))) => {
            Some(Verdict::working(Reason::PodsNotReady, format!("{head}; pod {name} {text}")))
        }
        Some((name, _)) => Some(Verdict::working(
            Reason::PodsNotReady,
            format!("{head}; pod {name} is about to be created"),
        )),
        None if !set.settled => {
            Some(Verdict::working(Reason::PodsNotReady, format!("{head}; pods are being replaced")))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({"metadata": {"name": "p"}, "status": status}))
            .unwrap()
    }

    #[test]
    fn a_ready_pod_that_is_being_deleted_is_not_ready() {
        let mut pod = pod(serde_json::json!({"conditions": [{"type": "Ready", "status": "True"}]}));
        assert_eq!(pod_state(&pod), PodState::Ready);
        pod.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        assert_eq!(pod_state(&pod), PodState::Waiting("is being replaced".to_owned()));
    }

    #[test]
    fn an_unschedulable_pod_says_why() {
        let pod = pod(serde_json::json!({"conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}));
        assert_eq!(
            pod_state(&pod),
            PodState::Waiting("cannot be placed on a node: 0/3 nodes are available".to_owned())
        );
    }

    #[test]
    fn crashes_are_early_and_then_broken() {
        let crashed = |restarts: i32| {
            pod(serde_json::json!({"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": restarts,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}}]}))
        };
        assert!(matches!(pod_state(&crashed(3)), PodState::Waiting(_)));
        let said = "has crashed 4 times or more: Error, exit code 2; see its log";
        assert_eq!(pod_state(&crashed(4)), PodState::Failing(said.to_owned()));
        assert_eq!(
            pod_state(&crashed(7)),
            pod_state(&crashed(4)),
            "the status is not written anew"
        );
        assert_ne!(pod_state(&crashed(8)), pod_state(&crashed(4)));
    }

    #[test]
    fn a_container_that_crashes_is_said_to_whether_it_has_just_ended_or_waits() {
        let state = |state: serde_json::Value| {
            pod_state(&pod(serde_json::json!({"containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 5, "state": state,
                "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}}}]})))
        };
        let waits = state(serde_json::json!({"waiting": {"reason": "CrashLoopBackOff"}}));
        assert!(matches!(&waits, PodState::Failing(text) if text.contains("has crashed")));
        let ended = serde_json::json!({"terminated": {"exitCode": 2, "reason": "Error"}});
        assert_eq!(state(ended), waits);
        // It may have got over it.
        assert!(matches!(state(serde_json::json!({"running": {}})), PodState::Waiting(_)));
    }

    #[test]
    fn a_pod_of_a_node_that_is_not_heard_from_may_work() {
        let marked = |container_is_ready: bool| {
            pod(serde_json::json!({"conditions": [{"type": "Ready", "status": "False"}],
                "containerStatuses": [{
                    "name": "c", "image": "i", "imageID": "", "ready": container_is_ready,
                    "restartCount": 0, "state": {"running": {}}}]}))
        };
        assert!(is_unheard(&marked(true)) && !is_unheard(&marked(false)));
        assert!(
            matches!(pod_state(&marked(true)), PodState::Waiting(text) if text.contains("node"))
        );
    }

    #[test]
    fn an_image_that_cannot_be_pulled_fails() {
        let pod = pod(serde_json::json!({"containerStatuses": [{
            "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}]}));
        assert_eq!(
            pod_state(&pod),
            PodState::Failing("ImagePullBackOff: no such image".to_owned())
        );
    }
}
