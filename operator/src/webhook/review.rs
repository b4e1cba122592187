//! The envelope of a question and of its answer: `AdmissionReview` of `admission.k8s.io/v1`, as
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/> gives it.

use serde::Deserialize;
use serde_json::{Value, json};

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
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) operation: String,
    resource: Resource,
    sub_resource: String,
    pub(crate) dry_run: bool,
    /// The object as it would be; for an eviction, the Eviction.
    pub(crate) object: Value,
    /// The object as it is.
    pub(crate) old_object: Value,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Resource {
    group: String,
    resource: String,
}

impl Request {
    /// Whether it is about a resource of a group, or a subresource of that.
    pub(crate) fn is_about(&self, group: &str, resource: &str, sub_resource: &str) -> bool {
        self.resource.group == group
            && self.resource.resource == resource
            && self.sub_resource == sub_resource
    }

    /// Yes, and what the person should read who asked for it.
    pub(crate) fn allow(&self, warnings: &[String]) -> Value {
        let mut response = json!({"uid": self.uid, "allowed": true});
        if !warnings.is_empty() {
            response["warnings"] = json!(warnings);
        }
        answer(&response)
    }

    /// No. The code and reason are those of a `metav1.Status`.
    pub(crate) fn refuse(&self, code: u16, reason: &str, message: &str) -> Value {
        answer(&json!({
            "uid": self.uid,
            "allowed": false,
            "status": {"status": "Failure", "code": code, "reason": reason, "message": message},
        }))
    }
}

fn answer(response: &Value) -> Value {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let json = json!({"request": {
            "uid": "u", "name": "demo", "namespace": "shop", "operation": "UPDATE",
            "resource": {"group": "vltava.dev", "version": "v1alpha1", "resource": "clusters"},
            "userInfo": {"username": "admin"}, "object": {"spec": {}}, "oldObject": null}});
        serde_json::from_value::<Review>(json).unwrap().request
    }

    #[test]
    fn a_question_says_what_it_is_about() {
        let request = request();
        assert!(request.is_about("vltava.dev", "clusters", ""));
        assert!(!request.is_about("vltava.dev", "clusters", "status"));
        assert!(!request.is_about("", "clusters", ""));
        assert_eq!((request.operation.as_str(), request.dry_run), ("UPDATE", false));
    }

    #[test]
    fn an_answer_names_its_question() {
        let request = request();
        let silent = request.allow(&[]);
        assert_eq!(silent["response"], json!({"uid": "u", "allowed": true}));
        let telling = request.allow(&["brokers restart".to_owned()]);
        assert_eq!(telling["response"]["warnings"], json!(["brokers restart"]));
        let refused = request.refuse(429, "TooManyRequests", "not yet");
        assert_eq!(refused["kind"], "AdmissionReview");
        assert_eq!(refused["response"]["status"]["code"], 429);
        assert_eq!(refused["response"]["uid"], "u");
    }
}
