//! What is read from the API server's question about an eviction, and how the answer is put.

use serde_json::Value;

use super::plan::Ruling;
use crate::webhook::Request;

/// Answers of this code and reason are tried again by whoever evicts, as those of a budget are.
const TOO_MANY_REQUESTS: (u16, &str) = (429, "TooManyRequests");

/// A pod that somebody wants to evict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Eviction {
    pub(crate) namespace: String,
    pub(crate) pod: String,
    /// Whether it is only asked about, and nothing may change.
    pub(crate) dry_run: bool,
}

/// The eviction; `None` for anything else, which is none of our business.
pub(crate) fn eviction(request: &Request) -> Option<Eviction> {
    if !request.is_about("", "pods", "eviction") || request.name.is_empty() {
        return None;
    }
    // A client may say it in either place: `kubectl drain --dry-run=server` does in the Eviction.
    let options = request.object.pointer("/deleteOptions/dryRun").and_then(Value::as_array);
    let dry_run = request.dry_run || options.is_some_and(|all| !all.is_empty());
    Some(Eviction { namespace: request.namespace.clone(), pod: request.name.clone(), dry_run })
}

/// The answer.
pub(crate) fn answer(request: &Request, ruling: &Ruling) -> Value {
    match ruling {
        Ruling::Allow => request.allow(&[]),
        Ruling::Refuse(message) => {
            let (code, reason) = TOO_MANY_REQUESTS;
            request.refuse(code, reason, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::webhook::Review;

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
        let plain = eviction(&review(&[])).unwrap();
        assert_eq!(
            (plain.pod.as_str(), plain.namespace.as_str(), plain.dry_run),
            ("demo-0-0", "shop", false)
        );
        assert!(eviction(&review(&[("/request/dryRun", json!(true))])).unwrap().dry_run);
        let options = review(&[("/request/object/deleteOptions", json!({"dryRun": ["All"]}))]);
        assert!(eviction(&options).unwrap().dry_run);
    }

    #[test]
    fn anything_else_is_none_of_our_business() {
        for (pointer, value) in [
            ("/request/subResource", json!("exec")),
            ("/request/resource/resource", json!("nodes")),
            ("/request/resource/group", json!("apps")),
            ("/request/name", json!("")),
        ] {
            assert_eq!(eviction(&review(&[(pointer, value)])), None, "{pointer}");
        }
    }

    #[test]
    fn a_refusal_is_one_that_drain_tries_again() {
        let refused = answer(&review(&[]), &Ruling::Refuse("not yet".into()));
        assert_eq!(refused["response"]["uid"], "u");
        assert_eq!(refused["response"]["status"]["code"], 429);
        assert_eq!(refused["response"]["status"]["reason"], "TooManyRequests");
        assert_eq!(answer(&review(&[]), &Ruling::Allow)["response"]["allowed"], true);
    }
}
