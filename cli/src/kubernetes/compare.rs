//! An object as it is beside what a dry run made of the files' one. Pure.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::up::preview::Outcome;

/// What applying it would do; what the API server and the operator warn of comes last.
pub(super) fn outcome(live: Option<&Json>, after: &Json, warnings: Vec<String>) -> Outcome {
    let mut lines = Vec::new();
    match live {
        Some(live) => changes("", &live["spec"], &after["spec"], &mut lines),
        None => changes("", &Json::Null, &after["spec"], &mut lines),
    }
    let differs = !lines.is_empty();
    lines.extend(warnings);
    match (live, differs) {
        (None, _) => Outcome::Create(lines),
        (Some(_), true) => Outcome::Change(lines),
        (Some(_), false) => Outcome::Same,
    }
}

/// A line for each leaf that differs: `config.num.io.threads: 8 -> 16`.
fn changes(path: &str, before: &Json, after: &Json, lines: &mut Vec<String>) {
    if before == after {
        return;
    }
    let empty = serde_json::Map::new();
    let (a, b) = match (before, after) {
        (Json::Object(a), Json::Object(b)) => (a, b),
        (Json::Null, Json::Object(b)) => (&empty, b),
        (Json::Object(a), Json::Null) => (a, &empty),
        _ => return lines.push(line(path, before, after)),
    };
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let side = |side: &serde_json::Map<String, Json>| side.get(key).cloned();
        let (before, after) = (side(a).unwrap_or_default(), side(b).unwrap_or_default());
        changes(&inner, &before, &after, lines);
    }
}

fn line(path: &str, before: &Json, after: &Json) -> String {
    match (before, after) {
        (Json::Null, after) => format!("{path}: {}", plain(after)),
        (before, Json::Null) => format!("{path}: {} -> nothing", plain(before)),
        _ => format!("{path}: {} -> {}", plain(before), plain(after)),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_edit_is_told_leaf_by_leaf_and_warnings_last() {
        let live = json!({"spec": {"brokers": {"replicas": 3}, "config": {"a": "1", "b": "2"}}});
        let after = json!({"spec": {"brokers": {"replicas": 5}, "config": {"a": "1", "c": "3"}}});
        let warnings = vec!["brokers 3, 4 would be added".to_owned()];
        let told = outcome(Some(&live), &after, warnings);
        let lines = [
            "brokers.replicas: 3 -> 5",
            "config.b: 2 -> nothing",
            "config.c: 3",
            "brokers 3, 4 would be added",
        ];
        assert_eq!(told, Outcome::Change(lines.map(str::to_owned).to_vec()));
    }

    #[test]
    fn the_same_spec_is_no_change_whatever_the_status_says() {
        let live = json!({"spec": {"a": 1}, "status": {"ready": true}});
        let after = json!({"spec": {"a": 1}});
        assert_eq!(outcome(Some(&live), &after, vec!["deprecated".to_owned()]), Outcome::Same);
    }

    #[test]
    fn a_new_object_shows_what_it_will_be() {
        let after = json!({"spec": {"partitions": 3, "config": {}}});
        assert_eq!(
            outcome(None, &after, Vec::new()),
            Outcome::Create(vec!["partitions: 3".into()])
        );
    }
}
