//! What applying files would change on a running cluster, without changing it.
//!
//! [`see`] looks at the cluster over Kafka's protocol, [`topic`] compares (pure), [`report`] tells. Only topics can be seen that
//! way; of the other kinds it is said that they were not compared.

mod report;
mod see;
mod topic;

use std::path::PathBuf;

use client::Client;

use super::desired::{Desired, kafka_name_of};
use super::load;
use super::object::{Kind, ObjectKey};

pub(crate) use super::files::Files;
pub(crate) use report::Report;

/// What would become of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is as described.
    Same,
    /// It would be made; one line a property.
    Create(Vec<String>),
    /// It would be changed; one line a change.
    Change(Vec<String>),
    /// It would be refused, and why.
    Refused(String),
    /// It cannot be seen from here, and why.
    NotCompared(String),
}

/// Compares files with the cluster.
///
/// # Errors
/// If a file that is named cannot be read, or the cluster does not answer.
pub(crate) async fn preview(files: &[PathBuf], client: &Client) -> anyhow::Result<Report> {
    let mut contents = Files::new(files.to_vec());
    contents.refresh();
    for path in files {
        if let Some(Err(error)) = contents.contents().get(path) {
            anyhow::bail!("{error}");
        }
    }
    let desired = Desired::resolve(load::load(contents.contents()));
    let names: Vec<String> =
        desired.topics.values().map(|topic| kafka_name_of(topic).to_owned()).collect();
    let seen = see::see(&client.admin(), &names).await?;
    let mut report = Report::default();
    for key in desired.keys() {
        let outcome = outcome(&desired, &seen, &key);
        report.add(key.to_string(), outcome);
    }
    for refusal in &desired.anonymous {
        report.add_nameless(refusal.to_string());
    }
    Ok(report)
}

fn outcome(desired: &Desired, seen: &see::Seen, key: &ObjectKey) -> Outcome {
    if let Some(refusal) = desired.refused.get(key) {
        return Outcome::Refused(refusal.to_string());
    }
    match (key.kind, desired.topics.get(&key.name)) {
        (Kind::Topic, Some(declared)) => {
            topic::compare(declared, seen.topics.get(kafka_name_of(declared)), seen.brokers)
        }
        _ => {
            Outcome::NotCompared("Kafka's protocol does not show it; --kubernetes does".to_owned())
        }
    }
}
