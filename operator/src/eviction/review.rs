//! The API server's question and the answer: `AdmissionReview` of `admission.k8s.io/v1`, as
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/> gives it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plan::Ruling;

/// Answers of this code and reason are tried again by whoever evicts, as those of a budget are.
const TOO_MANY_REQUESTS: u16 = 429;

/// What the API server sends.
#[derive(Debug, Deserialize)]
pub(crate) struct Review {
    pub(crate) request: Request,
}

/// Its question.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Request {
    uid: String,
    /// Name of the pod.
    name: String,
    namespace: String,
    resource: Resource,
    sub_resource: String,
    dry_run: bool,
    object: Value,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
struct Resource {
    group: String,
    resource: String,
}

/// A pod that somebody wants to evict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Eviction {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// Whether it is only asked about, and nothing may change.
    pub(crate) dry_run: bool,
}

impl Request {
    /// The eviction; `None` for anything else, which is none of our business.
    pub(crate) fn eviction(&self) -> Option<Eviction> {
        let is_pod = self.resource.group.is_empty() && self.resource.resource == "pods";
        if !is_pod || self.sub_resource != "eviction" || self.name.is_empty() {
            return None;
        }
        // A client may say it in either place: `kubectl drain --dry-run=server` does in the Eviction.
        let options = self.object.pointer("/deleteOptions/dryRun").and_then(Value::as_array);
        let dry_run = self.dry_run || options.is_some_and(|all| !all.is_empty());
        Some(Eviction { namespace: self.namespace.clone(), pod: self.name.clone(), dry_run })
    }

    /// The answer.
    pub(crate) fn answer(&self, ruling: &Ruling) -> Value {
        let response = match ruling {
            Ruling::Allow => json!({"uid": self.uid, "allowed": true}),
            Ruling::Refuse(message) => json!({
                "uid": self.uid,
                "allowed": false,
                "status": {
                    "status": "Failure",
                    "code": TOO_MANY_REQUESTS,
                    "reason": "TooManyRequests",
                    "message": message,
                },
            }),
        };
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(changes: &[(&str, Value)]) -> Request {
        let mut json = json!({"request": {
            "uid": "u", "name": "demo-0-0", "namespace": "shop", "dryRun": false,
            "resource": {"group": "", "version": "v1", "resource": "pods"}, "subResource": "eviction",
            "operation": "CREATE", "userInfo": {"username": "admin"},
            "object": {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "demo-0-0"}, "deleteOptions": {}}}});
        for (pointer, value) in changes {
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }
        serde_json::from_value::<Review>(json).unwrap().request
    }

    #[test]
    fn an_eviction_is_read_and_a_dry_run_seen_wherever_it_is_said() {
        let plain = review(&[]).eviction().unwrap();
        assert_eq!(
            (plain.pod.as_str(), plain.namespace.as_str(), plain.dry_run),
            ("demo-0-0", "shop", false)
        );
        assert!(review(&[("/request/dryRun", json!(true))]).eviction().unwrap().dry_run);
        let options = review(&[("/request/object/deleteOptions", json!({"dryRun": ["All"]}))]);
        assert!(options.eviction().unwrap().dry_run);
    }

    #[test]
    fn anything_else_is_none_of_our_business() {
        for (pointer, value) in [
            ("/request/subResource", json!("exec")),
            ("/request/resource/resource", json!("nodes")),
            ("/request/resource/group", json!("apps")),
            ("/request/name", json!("")),
        ] {
            assert_eq!(review(&[(pointer, value)]).eviction(), None, "{pointer}");
        }
    }

    #[test]
    fn a_refusal_is_one_that_drain_tries_again() {
        let answer = review(&[]).answer(&Ruling::Refuse("not yet".into()));
        assert_eq!(answer["response"]["uid"], "u");
        assert_eq!(answer["response"]["status"]["code"], 429);
        assert_eq!(answer["response"]["status"]["reason"], "TooManyRequests");
        assert_eq!(review(&[]).answer(&Ruling::Allow)["response"]["allowed"], true);
    }
}
