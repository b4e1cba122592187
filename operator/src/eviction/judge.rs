//! Asks, tells and writes what [`super::plan`] wants, for one eviction.

use std::sync::Arc;
use std::time::Duration;

use crds::Cluster;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde_json::Value;

use super::candidate::{candidate, motion};
use super::plan::{Known, Ruling, Step, next};
use super::review::{self, Eviction};
use crate::api::{self, ApiFailure};
use crate::cluster;
use crate::kafka::KafkaClients;
use crate::labels::EVICTING;
use crate::metrics::Metrics;
use crate::safety::{Answer, Brokers, Order, Question, SafetyFailure};
use crate::webhook::Request;

/// Longest time for a ruling; the API server waits for ten seconds.
const RULING: Duration = Duration::from_secs(8);
/// Most steps of a ruling; the plan needs four.
const MAX_STEPS: usize = 8;

/// What a ruling needs.
pub(crate) struct Judge {
    pub(crate) client: Client,
    pub(crate) http: reqwest::Client,
    pub(crate) kafka: KafkaClients,
    pub(crate) metrics: Arc<Metrics>,
}

impl Judge {
    /// The answer to a question about an eviction.
    pub(crate) async fn answer(&self, request: &Request) -> Value {
        let Some(eviction) = review::eviction(request) else { return request.allow(&[]) };
        let ruling = self.rule(&eviction).await;
        let (result, text) = match &ruling {
            Ruling::Allow => ("allowed", "it may go"),
            Ruling::Refuse(text) => ("refused", text.as_str()),
        };
        let (namespace, pod, dry_run) = (&eviction.namespace, &eviction.pod, eviction.dry_run);
        tracing::info!(namespace, pod, dry_run, result, "an eviction: {text}");
        if !dry_run {
            self.metrics.ruled_on_eviction(result);
        }
        review::answer(request, &ruling)
    }

    /// Whether a pod may be evicted. Whatever goes wrong is a no.
    async fn rule(&self, eviction: &Eviction) -> Ruling {
        match tokio::time::timeout(RULING, self.consider(eviction)).await {
            Ok(Ok(ruling)) => ruling,
            Ok(Err(failure)) => Ruling::Refuse(format!(
                "it is not known whether pod {} may stop: {}",
                eviction.pod,
                failure.describe()
            )),
            Err(_) => Ruling::Refuse(format!(
                "nobody said within {} s whether pod {} may stop",
                RULING.as_secs(),
                eviction.pod
            )),
        }
    }

    async fn consider(&self, eviction: &Eviction) -> Result<Ruling, ApiFailure> {
        let namespace = &eviction.namespace;
        let pod = api::get::<Pod>(&self.client, namespace, &eviction.pod).await?;
        let Some((pod, candidate)) = pod.and_then(|pod| candidate(&pod).map(|c| (pod, c))) else {
            return Ok(Ruling::Allow);
        };
        let owner = api::get::<Cluster>(&self.client, namespace, &candidate.cluster).await?;
        let (sets, pods) = cluster::look(&self.client, namespace, &candidate.cluster).await?;
        let door = cluster::door(
            (&self.http, &self.kafka),
            (&candidate.cluster, namespace),
            (&sets, &pods),
        );
        let mut known = Known {
            managed: owner.is_some_and(|owner| !api::is_deleted(&owner)),
            dry_run: eviction.dry_run,
            motion: motion(&candidate, &sets, &pods, Timestamp::now()),
            restart: None,
            drained: None,
            granted: false,
            candidate,
        };
        for _ in 0..MAX_STEPS {
            match next(&known) {
                Step::Ask => {
                    let question = Question::Restart(vec![known.candidate.id]);
                    known.restart = Some(match door.ask(&question).await {
                        Ok(Answer::Restart(answer)) => Ok(answer),
                        Ok(_) => Err(SafetyFailure::mismatched()),
                        Err(failure) => Err(failure),
                    });
                }
                Step::Drain => {
                    let order = Order::Drain(vec![known.candidate.id]);
                    known.drained = Some(door.order(&order).await.map(drop));
                }
                Step::Grant => {
                    let now = Timestamp::now();
                    api::annotate(&self.client, &pod, EVICTING, &now.to_string()).await?;
                    let name = &known.candidate.cluster;
                    let (sets, pods) = cluster::look(&self.client, namespace, name).await?;
                    known.motion = motion(&known.candidate, &sets, &pods, now);
                    known.granted = true;
                }
                Step::Rule(ruling) => return Ok(ruling),
            }
        }
        Ok(Ruling::Refuse("planning the eviction led nowhere".to_owned()))
    }
}
