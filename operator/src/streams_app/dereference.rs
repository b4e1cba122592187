//! Step one: the cluster, the topics, the workers and their pods.

use crds::StreamsApp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::names;
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::kafka::KafkaFailure;
use crate::references::ClusterFound;

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub(crate) cluster: Option<ClusterFound>,
    pub(crate) set: Option<StatefulSet>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) topics: Topics,
}

/// What is known of the topics that the application names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Topics {
    /// All are there, or it does not matter now.
    #[default]
    There,
    /// Missing ones: those that a Topic object promises, and those that nobody promises.
    Missing { promised: Vec<String>, unknown: Vec<String> },
    /// The broker could not be asked.
    Unasked(String),
}

pub(crate) async fn dereference(object: &StreamsApp, ctx: &Context) -> Result<Live, ApiFailure> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let (common, labels) = (names::common(&name), names::labels(&name).query());
    let (cluster, set, pods) = tokio::try_join!(
        ClusterFound::get(ctx, &namespace, &object.spec.cluster_ref.name),
        api::get(&ctx.client, &namespace, &common),
        api::list(&ctx.client, &namespace, &labels),
    )?;
    let topics = match &cluster {
        Some(cluster) if cluster.ready => topics(object, ctx, &cluster.address).await,
        _ => Topics::There,
    };
    Ok(Live { cluster, set, pods, topics })
}

async fn topics(object: &StreamsApp, ctx: &Context, address: &str) -> Topics {
    let mut names: Vec<String> = object.spec.topics().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    match ctx.kafka.missing(address, &names).await {
        Ok(missing) if missing.is_empty() => Topics::There,
        Ok(missing) => {
            let (promised, unknown) =
                missing.into_iter().partition(|topic| is_promised(object, ctx, topic));
            Topics::Missing { promised, unknown }
        }
        Err(KafkaFailure::Refused(text) | KafkaFailure::Later(text)) => Topics::Unasked(text),
    }
}

/// Whether a Topic object stands for a topic of the application's cluster.
fn is_promised(object: &StreamsApp, ctx: &Context, topic: &str) -> bool {
    ctx.topics.state().iter().filter_map(|guard| guard.0.as_ref().ok()).any(|t| {
        t.kafka_name() == topic
            && t.namespace() == object.namespace()
            && t.spec.cluster_ref == object.spec.cluster_ref
    })
}
