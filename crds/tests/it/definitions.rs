//! The generated definitions.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn schemas() -> Vec<(String, Value)> {
    let each = |crd: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        let value = serde_json::to_value(&crd).unwrap();
        (crd.spec.names.kind, value["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
    };
    crds::all().into_iter().map(each).collect()
}

#[test]
fn committed_files_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut expected = BTreeSet::new();
    for (name, text) in crds::render::files().unwrap() {
        let found = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        assert_eq!(found, text, "crds/{name} is stale: run `cargo xtask crds`");
        expected.insert(name);
    }
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            !name.ends_with(".yaml") || expected.contains(&name),
            "crds/{name} belongs to no kind"
        );
    }
}

#[test]
fn files_read_back_as_the_definitions() {
    for crd in crds::all() {
        let text = crds::render::yaml(&crd).unwrap();
        assert!(!text.contains(".0\n"), "{}: an API server writes 1.0 as 1", crd.spec.names.kind);
        let back = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(crd, back);
    }
}

/// What an API server asks of a structural schema, and what we ask: a description for every field.
fn check(path: &str, schema: &Value, is_root: bool) {
    let object = schema.as_object().unwrap();
    for word in ["oneOf", "anyOf", "allOf", "not", "$ref", "nullable", "title"] {
        assert!(!object.contains_key(word), "{path} has {word}");
    }
    let enumerated = object.get("enum").and_then(Value::as_array);
    assert!(enumerated.is_none_or(|values| !values.contains(&Value::Null)), "{path} lists null");
    let typeless = object.contains_key("x-kubernetes-preserve-unknown-fields")
        || object.contains_key("x-kubernetes-int-or-string");
    assert!(object.contains_key("type") || typeless, "{path} has no type");
    let both = object.contains_key("properties") && object.contains_key("additionalProperties");
    assert!(!both, "{path} has properties and additionalProperties");
    if let Some(properties) = object.get("properties") {
        for (name, sub) in properties.as_object().unwrap() {
            let sub_path = format!("{path}.{name}");
            assert!(is_root || sub.get("description").is_some(), "{sub_path} has no description");
            check(&sub_path, sub, false);
        }
    }
    for word in ["items", "additionalProperties"] {
        if let Some(sub) = object.get(word) {
            check(&format!("{path}.{word}"), sub, false);
        }
    }
    check_rules(path, object);
}

/// A rule in a list or map is paid for by the size of what it looks at, so that must have a limit.
fn check_rules(path: &str, object: &serde_json::Map<String, Value>) {
    let Some(rules) = object.get("x-kubernetes-validations") else { return };
    for rule in rules.as_array().unwrap() {
        assert!(rule.get("message").is_some(), "{path}: a rule has no message");
    }
    let limits = ["maxLength", "maxItems", "maxProperties", "maximum", "properties"];
    assert!(
        limits.iter().any(|l| object.contains_key(*l)),
        "{path}: a rule looks at something without a limit"
    );
}

#[test]
fn schemas_are_structural_and_documented() {
    for (kind, schema) in schemas() {
        check(&kind, &schema, true);
    }
}

#[test]
fn every_list_has_a_limit_or_is_status() {
    fn walk(path: &str, schema: &Value) {
        if schema["type"] == "array" {
            assert!(schema.get("maxItems").is_some(), "{path} has no maxItems");
        }
        if let Some(items) = schema.get("items") {
            walk(path, items);
        }
        for (name, sub) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), sub);
        }
    }
    for (kind, schema) in schemas() {
        walk(&kind, &schema["properties"]["spec"]);
    }
}

#[test]
fn status_starts_as_not_reconciled() {
    for (kind, schema) in schemas() {
        let first = &schema["properties"]["status"]["default"]["conditions"][0];
        assert_eq!(first["type"], "Ready", "{kind}");
        assert_eq!(first["status"], "Unknown", "{kind}");
        assert_eq!(first["reason"], "NotReconciled", "{kind}");
    }
}

#[test]
fn names_do_not_collide_and_the_category_is_there() {
    let mut seen = BTreeSet::new();
    for crd in crds::all() {
        let names = crd.spec.names;
        assert_eq!(names.categories.unwrap(), [crds::CATEGORY]);
        let all = [Some(names.plural), names.singular].into_iter().flatten();
        for name in all.chain(names.short_names.into_iter().flatten()) {
            assert!(seen.insert(name.clone()), "{name} is used twice");
        }
    }
    assert!(seen.contains("cluster"));
}

#[test]
fn columns_tell_a_person_what_matters() {
    for crd in crds::all() {
        let columns = crd.spec.versions[0].additional_printer_columns.clone().unwrap();
        let names: Vec<_> = columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names[..2], ["Ready", "Status"]);
        assert_eq!(names[names.len() - 2..], ["Age", "Message"]);
    }
}
