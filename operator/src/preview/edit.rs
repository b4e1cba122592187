//! What is read from the API server's question about an edit. Pure.

use std::collections::BTreeSet;

use crds::Cluster;
use serde_json::Value;

use crate::webhook::Request;

/// An edit of a Cluster.
#[derive(Debug)]
pub(super) struct Edit {
    /// As it would be.
    pub(super) object: Cluster,
    /// Paths of the fields that differ, as `spec.config.num.io.threads`, sorted.
    pub(super) fields: Vec<String>,
}

/// The edit; `None` for anything else, and for an object that the definition will refuse anyway.
pub(super) fn edit(request: &Request) -> Option<Edit> {
    if request.operation != "UPDATE" || !request.is_about("vltava.dev", "clusters", "") {
        return None;
    }
    let object: Cluster = serde_json::from_value(request.object.clone()).ok()?;
    let mut fields = Vec::new();
    differences("spec", &request.object["spec"], &request.old_object["spec"], &mut fields);
    Some(Edit { object, fields })
}

/// Adds the paths of the leaves in which two values differ. It goes as deep as the object, whose depth the API server
/// limits.
fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    if one == other {
        return;
    }
    let (Value::Object(a), Value::Object(b)) = (one, other) else {
        found.push(path.to_owned());
        return;
    };
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys {
        let side = |side: &serde_json::Map<String, Value>| side.get(key).cloned();
        let (one, other) = (side(a).unwrap_or_default(), side(b).unwrap_or_default());
        differences(&format!("{path}.{key}"), &one, &other, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::webhook::Review;

    fn request(operation: &str, before: &Value, after: &Value) -> Request {
        let object = |spec: &Value| json!({"apiVersion": "vltava.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "demo"}, "spec": spec});
        let json = json!({"request": {
            "uid": "u", "name": "demo", "namespace": "shop", "operation": operation,
            "resource": {"group": "vltava.dev", "version": "v1alpha1", "resource": "clusters"},
            "object": object(after), "oldObject": object(before)}});
        serde_json::from_value::<Review>(json).unwrap().request
    }

    #[test]
    fn an_edit_names_its_fields() {
        let before = json!({"brokers": {"replicas": 3}, "config": {"a.b": "1", "c": "2"}});
        let after =
            json!({"brokers": {"replicas": 3, "removeIds": [1]}, "config": {"a.b": "3", "c": "2"}});
        let edit = edit(&request("UPDATE", &before, &after)).unwrap();
        assert_eq!(edit.object.spec.brokers.remove_ids, [1]);
        assert_eq!(edit.fields, ["spec.brokers.removeIds", "spec.config.a.b"]);
    }

    #[test]
    fn what_is_no_edit_or_cannot_be_read_is_none() {
        let spec = json!({});
        assert!(edit(&request("CREATE", &spec, &spec)).is_none());
        let odd = json!({"brokers": "three"});
        assert!(edit(&request("UPDATE", &spec, &odd)).is_none());
        assert_eq!(edit(&request("UPDATE", &spec, &spec)).unwrap().fields, [""; 0]);
    }
}
