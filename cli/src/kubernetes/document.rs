//! Documents of files, as objects for an API server.

use std::fmt;
use std::path::Path;

use kube::Resource;
use kube::core::ApiResource;
use serde_json::Value as Json;

use crate::yaml::{Node, documents, from_node};

/// An object that a file describes.
#[derive(Debug)]
pub(super) struct Document {
    /// `file:line` of its beginning.
    pub(super) place: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// How the API server calls its kind; `None` if it is not one of ours.
    pub(super) resource: Option<ApiResource>,
    pub(super) json: Json,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// Reads each document alone; one that is no object is a sentence that says why.
pub(super) fn read(path: &Path, text: &str) -> Vec<Result<Document, String>> {
    let mut all = Vec::new();
    for document in documents(text) {
        let place = |line: u32| format!("{}:{line}", path.display());
        all.push(match document {
            Err(error) => Err(format!("{}: {error}", place(error.at.line))),
            Ok(document) => object(&document.root, place(document.root.at.line)),
        });
    }
    all
}

fn object(root: &Node, place: String) -> Result<Document, String> {
    let text = |key: &str| root.get(key).and_then(Node::as_str);
    let meta = |key: &str| root.get("metadata")?.get(key).and_then(Node::as_str);
    let missing = |key: &str| format!("{place}: '{key}' is missing; every object has one");
    let kind = text("kind").ok_or_else(|| missing("kind"))?.to_owned();
    let api_version = text("apiVersion").ok_or_else(|| missing("apiVersion"))?;
    let name = meta("name").ok_or_else(|| missing("metadata.name"))?.to_owned();
    let ours = api_version.split('/').next() == Some(crds::GROUP);
    let resource = if ours { resource(&kind) } else { None };
    if ours && (resource.is_none() || api_version != crds::API_VERSION) {
        return Err(format!(
            "{place}: there is no {kind} of {api_version}; the kinds of {} are in docs/reference/crds.md",
            crds::API_VERSION
        ));
    }
    let namespace = meta("namespace").map(str::to_owned);
    let json = from_node(root).map_err(|error| format!("{place}: {error}"))?;
    Ok(Document { place, kind, name, namespace, resource, json })
}

fn resource(kind: &str) -> Option<ApiResource> {
    fn of<K: Resource<DynamicType = ()>>() -> ApiResource {
        ApiResource::erase::<K>(&())
    }
    let all = [
        of::<crds::Cluster>(),
        of::<crds::Topic>(),
        of::<crds::User>(),
        of::<crds::Connect>(),
        of::<crds::Connector>(),
        of::<crds::StreamsApp>(),
        of::<crds::Rebalance>(),
    ];
    all.into_iter().find(|resource| resource.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_ours_is_known_to_the_plan() {
        for definition in crds::all() {
            let names = definition.spec.names;
            let resource = resource(&names.kind).expect("a resource");
            assert_eq!(resource.plural, names.plural);
        }
    }

    #[test]
    fn documents_are_read_one_by_one() {
        let text = "apiVersion: vltava.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a, namespace: shop}\nspec: {}\n---\n\
                    kind: Topic\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n---\n\
                    apiVersion: vltava.dev/v2\nkind: Cluster\nmetadata: {name: b}\n";
        let read = read(Path::new("x.yaml"), text);
        let cluster = read[0].as_ref().expect("a Cluster");
        assert_eq!(
            (cluster.to_string().as_str(), cluster.namespace.as_deref()),
            ("Cluster/a", Some("shop"))
        );
        assert_eq!(cluster.json["metadata"]["name"], "a");
        assert_eq!(
            read[1].as_ref().unwrap_err(),
            "x.yaml:6: 'apiVersion' is missing; every object has one"
        );
        assert!(read[2].as_ref().expect("a Secret").resource.is_none());
        assert!(read[3].as_ref().unwrap_err().contains("no Cluster of vltava.dev/v2"));
    }
}
