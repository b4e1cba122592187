//! What was read: objects with the place where they were written, and refusals.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::yaml::{Node, Position, Segment};

/// The kinds, in the order in which they come to life and are listed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub(crate) enum Kind {
    Cluster,
    User,
    Topic,
    Connect,
    Connector,
    StreamsApp,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Cluster, Self::User, Self::Topic, Self::Connect, Self::Connector, Self::StreamsApp];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::User => "User",
            Self::Topic => "Topic",
            Self::Connect => "Connect",
            Self::Connector => "Connector",
            Self::StreamsApp => "StreamsApp",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An object's identity; `up` has one name space.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct ObjectKey {
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl ObjectKey {
    pub(crate) fn new(kind: Kind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)
    }
}

/// The document that an object was read from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) file: Arc<Path>,
    pub(crate) root: Arc<Node>,
}

impl Origin {
    /// The place of `path` (from the document's root).
    pub(crate) fn locate(&self, path: &[Segment]) -> Place {
        Place { file: Arc::clone(&self.file), at: self.root.locate(path) }
    }

    /// As [`Self::locate`], by keys alone.
    pub(crate) fn at(&self, keys: &[&str]) -> Place {
        self.locate(&keys.iter().map(|key| Segment::key(*key)).collect::<Vec<_>>())
    }

    /// The folder that relative paths in the document start from.
    pub(crate) fn folder(&self) -> PathBuf {
        self.file.parent().map(Path::to_path_buf).unwrap_or_default()
    }
}

/// A position in a file; shown as `file:line`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Arc<Path>,
    pub(crate) at: Position,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.at.line)
    }
}

/// Why an object cannot work as written, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub(crate) struct Refusal {
    pub(crate) place: Place,
    pub(crate) message: String,
}

impl Refusal {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

/// One object with a spec of type `S`.
#[derive(Debug, Clone)]
pub(crate) struct Declared<S> {
    pub(crate) name: String,
    pub(crate) origin: Origin,
    pub(crate) spec: S,
}

impl<S> Declared<S> {
    /// A refusal at a key of the spec.
    pub(crate) fn refuse(&self, keys: &[&str], message: impl Into<String>) -> Refusal {
        let path: Vec<&str> = std::iter::once("spec").chain(keys.iter().copied()).collect();
        Refusal::new(self.origin.at(&path), message)
    }
}
