//! What an edit of a Cluster would do, said before it is done: who comes, goes and restarts, and what is copied.
//!
//! It is found as a pass finds it: [`dereference`] and [`validate`] are the pass's own, and [`change`] compares what they
//! give, pure. What that means for records only the brokers know ([`toll`]). [`words`] puts it in sentences, pure. Nothing
//! changes by looking.

mod change;
mod toll;
mod words;

use std::time::Duration;

use crds::Cluster;
use kube::{Client, ResourceExt as _};

use super::dereference::dereference;
use super::validate::validate;
use crate::api::ApiFailure;
use crate::kafka::KafkaClients;

/// Longest wait for all that the brokers are asked. The rest is said without them. The API server begins anew with an edit, and asks
/// again, whenever the object was written meanwhile, as its status is in a roll: five times at most, within half a minute.
const BROKERS_TIMEOUT: Duration = Duration::from_secs(1);

/// Foresees what becomes of a cluster that runs, given the object as it would be and the fields that the edit changes.
///
/// # Errors
/// If the API server does not say what is there.
pub(crate) async fn foresee(
    (client, http, kafka): (&Client, &reqwest::Client, &KafkaClients),
    default_image: &str,
    object: &Cluster,
    edited: &[String],
) -> Result<Vec<String>, ApiFailure> {
    let live = dereference(object, client).await?;
    if live.sets.is_empty() {
        return Ok(Vec::new());
    }
    let random_id = protocol::Uuid::from_random(fastrand::u128(..)).to_string();
    let wanted = match validate(object, &live, default_image, &random_id) {
        Ok(wanted) => wanted,
        Err(verdict) => return Ok(vec![words::stuck(verdict.message())]),
    };
    let change = change::change(&wanted, &live);
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let door = super::door((http, kafka), (&name, &namespace), (&live.sets, &live.pods));
    let asked = tokio::time::timeout(BROKERS_TIMEOUT, toll::ask(&change, &door)).await;
    let toll = asked.unwrap_or_else(|_| toll::nobody_said(BROKERS_TIMEOUT));
    Ok(words::sentences(&change, &toll, edited))
}

#[cfg(test)]
mod tests;
