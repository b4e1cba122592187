//! What applying files would change on Kubernetes, without changing it.
//!
//! The API server itself is asked, by a dry run of each object: so its own checks speak, and the operator's warnings say
//! what an edit of a Cluster restarts and moves. [`document`] reads the files, [`server`] asks, [`compare`] tells what differs
//! (pure).

mod compare;
mod document;
mod server;

use std::path::PathBuf;

use anyhow::Context as _;
use kube::{Client, Config};

use crate::up::preview::{Files, Outcome, Report};

/// Compares files with what Kubernetes has, in `namespace` where a document names none.
///
/// # Errors
/// If a file that is named cannot be read, or the API server does not answer.
pub(crate) async fn preview(
    files: &[PathBuf],
    namespace: Option<String>,
) -> anyhow::Result<Report> {
    let mut contents = Files::new(files.to_vec());
    contents.refresh();
    let config = Config::infer().await.context("cannot find the Kubernetes API")?;
    let client = Client::try_from(config).context("cannot use the Kubernetes API")?;
    let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
    let mut report = Report::default();
    for (path, content) in contents.contents() {
        let text = content.as_deref().map_err(|error| anyhow::anyhow!("{error}"))?;
        for document in document::read(path, text) {
            match document {
                Ok(document) => {
                    let outcome = outcome(&client, &namespace, &document).await?;
                    report.add(document.to_string(), outcome);
                }
                Err(refusal) => report.add_nameless(refusal),
            }
        }
    }
    Ok(report)
}

async fn outcome(
    client: &Client,
    namespace: &str,
    document: &document::Document,
) -> anyhow::Result<Outcome> {
    let Some(resource) = &document.resource else {
        return Ok(Outcome::NotCompared("it is not Vltava's; see kubectl diff".to_owned()));
    };
    let namespace = document.namespace.as_deref().unwrap_or(namespace);
    let place = server::Place { client, resource, namespace, name: &document.name };
    let live = place.get().await?;
    Ok(match place.dry_run(&document.json, live.as_ref()).await? {
        server::Reply::Refused(message) => {
            Outcome::Refused(format!("{}: {message}", document.place))
        }
        server::Reply::Accepted { object, warnings } => {
            compare::outcome(live.as_ref(), &object, warnings)
        }
    })
}
