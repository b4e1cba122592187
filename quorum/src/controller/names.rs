use thiserror::Error;

use crate::image::TopicsImage;

/// Longest name of a topic (a folder is called `<topic>-<partition>`).
const MAX_NAME_LENGTH: usize = 249;

/// Why a topic cannot have a name.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum NameError {
    /// The empty string.
    #[error("Topic name is invalid: the empty string is not allowed")]
    Empty,
    /// `.` or `..`.
    #[error("Topic name is invalid: '.' or '..' is not allowed")]
    Dots,
    /// Longer than 249 characters.
    #[error(
        "Topic name is invalid: the length of '{0}' is longer than the max allowed length {MAX_NAME_LENGTH}"
    )]
    TooLong(String),
    /// A character outside `[a-zA-Z0-9._-]`.
    #[error(
        "Topic name is invalid: '{0}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    )]
    Character(String),
    /// Metric names would be the same, since `.` becomes `_` there.
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    Collides {
        /// The new name.
        name: String,
        /// The topic that exists.
        existing: String,
    },
}

/// Checks a topic's name by itself.
///
/// # Errors
/// See [`NameError`] (all but `Collides`).
pub fn check_topic_name(name: &str) -> Result<(), NameError> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    match name {
        "" => Err(NameError::Empty),
        "." | ".." => Err(NameError::Dots),
        _ if !name.bytes().all(allowed) => Err(NameError::Character(name.to_owned())),
        _ if name.len() > MAX_NAME_LENGTH => Err(NameError::TooLong(name.to_owned())),
        _ => Ok(()),
    }
}

/// Checks that no topic exists whose name differs only by `.` and `_`.
pub(super) fn check_collision(name: &str, topics: &TopicsImage) -> Result<(), NameError> {
    let mixes = |c: char| matches!(c, '.' | '_');
    if !name.contains(mixes) {
        return Ok(());
    }
    let flat = name.replace('.', "_");
    let existing = topics.iter().find(|topic| {
        topic.name.len() == name.len()
            && topic.name.contains(mixes)
            && *topic.name != *name
            && topic.name.replace('.', "_") == flat
    });
    match existing {
        None => Ok(()),
        Some(topic) => {
            Err(NameError::Collides { name: name.to_owned(), existing: topic.name.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "a".repeat(249);
        let longer = "a".repeat(250);
        let table = [
            ("a", true),
            ("a.b_c-1", true),
            ("...", true),
            (&long, true),
            (&longer, false),
            ("", false),
            (".", false),
            ("..", false),
            ("a b", false),
            ("a/b", false),
            ("ä", false),
            ("a\0", false),
        ];
        for (name, good) in table {
            assert_eq!(check_topic_name(name).is_ok(), good, "{name:?}");
        }
    }
}
