//! What an edit would do, said while it is applied, or instead: `kubectl apply --dry-run=server`, and `vltava plan
//! --kubernetes`, which does the same for a folder.
//!
//! The API server asks about an edit of a Cluster's spec ([`crate::webhook`]); [`edit`] reads it, and the Cluster's own
//! [`crate::cluster::foresee`] foresees. The answer is always yes: what is said are warnings, and a question that nobody
//! answers in time (`failurePolicy: Ignore`) holds nothing up.

mod edit;

use kube::Client;
use serde_json::Value;

use crate::cluster;
use crate::kafka::KafkaClients;
use crate::webhook::Request;

/// What a forecast needs.
pub(crate) struct Previewer {
    pub(crate) client: Client,
    pub(crate) http: reqwest::Client,
    pub(crate) kafka: KafkaClients,
    /// Image of brokers whose Cluster names none.
    pub(crate) default_image: String,
}

impl Previewer {
    /// The answer to a question about an edit.
    pub(crate) async fn answer(&self, request: &Request) -> Value {
        let Some(edit) = edit::edit(request) else { return request.allow(&[]) };
        let with = (&self.client, &self.http, &self.kafka);
        let foreseen = cluster::foresee(with, &self.default_image, &edit.object, &edit.fields);
        let warnings = match foreseen.await {
            Ok(warnings) => warnings,
            Err(failure) => {
                tracing::warn!(cluster = request.name, %failure, "an edit could not be foreseen");
                vec![format!("what this changes is not known: {}", failure.describe())]
            }
        };
        request.allow(&warnings)
    }
}
