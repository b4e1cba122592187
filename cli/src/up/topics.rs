//! Whether a topic that somebody reads or writes is there, is coming, or is missed by nobody but the reader.

use super::actual::Actual;
use super::desired::{Desired, kafka_name_of};
use super::object::{Kind, ObjectKey, Place, Refusal};

/// How it stands with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    There,
    /// Promised by a Topic object or by the file's next correction; what to tell meanwhile.
    Coming(String),
    Missing(Refusal),
}

/// Looks for `topic`, which the object at `place` names.
pub(crate) fn need(topic: &str, place: Place, desired: &Desired, actual: &Actual) -> Need {
    if actual.topics.contains_key(topic) {
        return Need::There;
    }
    if let Some(object) = desired.topic_object(topic) {
        return Need::Coming(format!("waiting for Topic/{}", object.name));
    }
    // A refused Topic object may describe this very topic: its own refusal says what to do.
    if desired.refused.contains_key(&ObjectKey::new(Kind::Topic, topic)) {
        return Need::Missing(Refusal::new(
            place,
            format!(
                "topic '{topic}' is missing because Topic/{topic} was refused; correct that first"
            ),
        ));
    }
    let known =
        desired.topics.values().map(kafka_name_of).chain(actual.topics.keys().map(String::as_str));
    let hint = match crate::yaml::nearest(topic, known.filter(|name| !name.starts_with("__"))) {
        Some(near) => format!("did you mean '{near}'? Else add a Topic object"),
        None => "add a Topic object for it".to_owned(),
    };
    Need::Missing(Refusal::new(
        place,
        format!("topic '{topic}' does not exist; {hint}, or run: vltava topic create {topic}"),
    ))
}
