//! Files to objects: each document alone, so that what is wrong with one does not stop another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crds::{ClusterSpec, ConnectSpec, ConnectorSpec, StreamsAppSpec, TopicSpec, UserSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::files::Content;
use super::object::{Declared, Kind, ObjectKey, Origin, Place, Refusal};
use super::rules;
use crate::yaml::{Node, Position, documents, from_node, nearest};

/// Everything that the files say.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) clusters: Vec<Declared<ClusterSpec>>,
    pub(crate) users: Vec<Declared<UserSpec>>,
    pub(crate) topics: Vec<Declared<TopicSpec>>,
    pub(crate) connects: Vec<Declared<ConnectSpec>>,
    pub(crate) connectors: Vec<Declared<ConnectorSpec>>,
    pub(crate) apps: Vec<Declared<StreamsAppSpec>>,
    /// What cannot work; with the object's identity where the document tells that much.
    pub(crate) refused: Vec<(Option<ObjectKey>, Refusal)>,
    /// Files (absolute) of which a part could not be read at all: an object that was in one may still be wanted.
    pub(crate) broken: BTreeSet<PathBuf>,
    /// Objects that are somebody else's, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// Reads all `contents`.
pub(crate) fn load(contents: &BTreeMap<PathBuf, Content>) -> Loaded {
    let mut loaded = Loaded::default();
    for (path, content) in contents {
        let file: Arc<Path> = path.as_path().into();
        match content {
            Ok(text) => loaded.add_file(&file, text),
            Err(error) => {
                let place = Place { file: Arc::clone(&file), at: Position::START };
                loaded.refused.push((
                    None,
                    Refusal::new(place, format!("{error}; correct the file or the -f path")),
                ));
                loaded.broken.insert(absolute(path));
            }
        }
    }
    loaded
}

impl Loaded {
    fn add_file(&mut self, file: &Arc<Path>, text: &str) {
        for document in documents(text) {
            match document {
                Ok(document) => {
                    let origin = Origin { file: Arc::clone(file), root: Arc::new(document.root) };
                    if let Err((key, refusal)) = self.add_document(origin) {
                        if key.is_none() {
                            self.broken.insert(absolute(file));
                        }
                        self.refused.push((key, refusal));
                    }
                }
                Err(error) => {
                    let place = Place { file: Arc::clone(file), at: error.at };
                    self.refused.push((None, Refusal::new(place, error.to_string())));
                    self.broken.insert(absolute(file));
                }
            }
        }
    }

    fn add_document(&mut self, origin: Origin) -> Result<(), (Option<ObjectKey>, Refusal)> {
        let anonymous = |refusal: Refusal| (None, refusal);
        let Some(kind) = self.kind(&origin).map_err(anonymous)? else { return Ok(()) };
        let name = name(&origin).map_err(anonymous)?;
        let key = ObjectKey::new(kind, name.clone());
        let result = match kind {
            Kind::Cluster => {
                read(kind, &origin).map(|spec| self.clusters.push(declared(name, origin, spec)))
            }
            Kind::User => {
                read(kind, &origin).map(|spec| self.users.push(declared(name, origin, spec)))
            }
            Kind::Topic => {
                read(kind, &origin).map(|spec| self.topics.push(declared(name, origin, spec)))
            }
            Kind::Connect => {
                read(kind, &origin).map(|spec| self.connects.push(declared(name, origin, spec)))
            }
            Kind::Connector => {
                read(kind, &origin).map(|spec| self.connectors.push(declared(name, origin, spec)))
            }
            Kind::StreamsApp => {
                read(kind, &origin).map(|spec| self.apps.push(declared(name, origin, spec)))
            }
        };
        result.map_err(|refusal| (Some(key), refusal))
    }

    /// The document's kind; `None` for an object that is not ours, which is noted and left alone.
    fn kind(&mut self, origin: &Origin) -> Result<Option<Kind>, Refusal> {
        let text = |key: &str| origin.root.get(key).and_then(Node::as_str);
        let Some(written) = text("kind") else {
            return Err(Refusal::new(
                origin.at(&["kind"]),
                format!("'kind' is missing; write one of: {}", kinds()),
            ));
        };
        let Some(api_version) = text("apiVersion") else {
            let message =
                format!("'apiVersion' is missing; write apiVersion: {}", crds::API_VERSION);
            return Err(Refusal::new(origin.at(&["apiVersion"]), message));
        };
        match (Kind::parse(written), api_version == crds::API_VERSION) {
            (Some(kind), true) => Ok(Some(kind)),
            (Some(_), false) => {
                let message =
                    format!("unknown apiVersion '{api_version}'; write {}", crds::API_VERSION);
                Err(Refusal::new(origin.at(&["apiVersion"]), message))
            }
            (None, _) if api_version.split('/').next() == Some(crds::GROUP) => {
                let message = match nearest(written, Kind::ALL.map(Kind::name)) {
                    Some(near) => format!("unknown kind '{written}'; did you mean '{near}'?"),
                    None => format!("unknown kind '{written}'; use one of: {}", kinds()),
                };
                Err(Refusal::new(origin.at(&["kind"]), message))
            }
            (None, _) => {
                let place = origin.at(&["kind"]);
                self.notes.push(format!(
                    "{place}: {written} ({api_version}) is left to Kubernetes; vltava up ignores it"
                ));
                Ok(None)
            }
        }
    }
}

fn kinds() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

fn name(origin: &Origin) -> Result<String, Refusal> {
    let found = origin.root.get("metadata").and_then(|metadata| metadata.get("name"));
    match found.and_then(Node::as_str) {
        Some(name) if is_kubernetes_name(name) => Ok(name.to_owned()),
        Some(name) => Err(Refusal::new(
            origin.at(&["metadata", "name"]),
            format!(
                "'{name}' is no valid name; use lower-case letters, digits, '-' and '.', at most 253, beginning and ending with a letter or digit"
            ),
        )),
        None => Err(Refusal::new(
            origin.at(&["metadata", "name"]),
            "'metadata.name' is missing; give the object a name (as text)",
        )),
    }
}

/// RFC 1123's subdomain, which the API server asks of these kinds' names.
fn is_kubernetes_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(|label| edge(label.chars().next()) && edge(label.chars().last()))
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.'))
}

/// Any object as the API server takes it, with fields that only the server writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // read to be checked; all but the spec is known by now
struct Envelope<S> {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    spec: S,
    #[serde(default)]
    status: Option<IgnoredAny>,
}

fn read<S: DeserializeOwned>(kind: Kind, origin: &Origin) -> Result<S, Refusal> {
    let object: Envelope<S> = from_node(&origin.root).map_err(|error| {
        let at = error.at.unwrap_or(origin.root.at);
        Refusal::new(Place { file: Arc::clone(&origin.file), at }, error.message)
    })?;
    rules::check(kind, origin)?;
    Ok(object.spec)
}

/// The same path wherever the process is started, for what is remembered over a restart.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn declared<S>(name: String, origin: Origin, spec: S) -> Declared<S> {
    Declared { name, origin, spec }
}
