//! `Topic`: created, grown and configured through Kafka's own admin protocol. Drift is put right.

mod apply;
mod dereference;
mod plan;
mod validate;

use std::time::Duration;

use crds::{Reason, Topic, TopicReassignment, TopicStatus};
use kube::ResourceExt as _;

use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::finalizer;
use crate::kafka::{KafkaFailure, LiveTopic};
use crate::verdict::{self, Verdict};

reconciled!(Topic, TopicStatus, topic);

/// When to compare a ready topic with its spec again; a fifth more or less, so that topics do not all come at once.
const RESYNC: Duration = Duration::from_secs(60);
/// When to try again what waits for a cluster; a change of the cluster comes by itself.
const POLL: Duration = Duration::from_secs(5);
/// When to look again at moves, and to begin the next ones.
const MOVING: Duration = Duration::from_secs(2);
/// When to try again what needs a person, in case the person changed something that sends no event.
const STALLED: Duration = Duration::from_secs(30);

async fn reconcile(object: &Topic, ctx: &Context) -> Result<Outcome<TopicStatus>, ApiFailure> {
    if api::is_deleted(object) {
        return delete(object, ctx).await;
    }
    finalizer::set(&ctx.client, object, validate::needs_finalizer(object)).await?;
    let found = dereference::dereference(object, ctx).await?;
    let verdict = match validate::validate(object, &found) {
        Ok(cluster) => carry_out(object, ctx, &cluster.address).await,
        Err(verdict) => Ok(Seen::only(verdict)),
    };
    Ok(outcome(object, verdict))
}

/// What a pass found.
struct Seen {
    verdict: Verdict,
    live: Option<LiveTopic>,
    reassignment: Option<TopicReassignment>,
}

impl Seen {
    fn only(verdict: Verdict) -> Self {
        Self { verdict, live: None, reassignment: None }
    }
}

/// Brings the topic to what the spec asks for, one change a pass, and looks again.
async fn carry_out(object: &Topic, ctx: &Context, address: &str) -> Result<Seen, KafkaFailure> {
    let name = object.kafka_name();
    let live = ctx.kafka.topic(address, name).await?;
    let seen = |verdict: Verdict| Seen { live: live.clone(), ..Seen::only(verdict) };
    let as_asked = || {
        let coming = || Verdict::working(Reason::Applying, "the topic is being created");
        live.as_ref().map_or_else(coming, plan::ready)
    };
    let change = match plan::plan(&object.spec, live.as_ref()) {
        plan::Plan::Nothing => return Ok(seen(as_asked())),
        plan::Plan::Refused(verdict) => return Ok(seen(verdict)),
        plan::Plan::Resize(replicas) => {
            let answer = apply::resize(object, ctx, replicas).await;
            return Ok(match plan::resizing(replicas, answer) {
                Some((verdict, reassignment)) => Seen { reassignment, ..seen(verdict) },
                None => seen(as_asked()),
            });
        }
        plan::Plan::Change(change) => change,
    };
    tracing::info!(topic = name, ?change, "changing a topic");
    let text = change.describe();
    apply::apply(ctx, address, name, change).await?;
    Ok(seen(Verdict::working(Reason::Applying, text)))
}

fn outcome(object: &Topic, result: Result<Seen, KafkaFailure>) -> Outcome<TopicStatus> {
    let mut status = object.status.clone().unwrap_or_default();
    status.topic_name = Some(object.kafka_name().to_owned());
    let verdict = match result {
        Ok(Seen { verdict, live, reassignment }) => {
            if let Some(live) = live {
                status.topic_id = Some(live.id);
                status.partitions = Some(live.partitions);
                status.replicas = Some(live.replicas);
            }
            // What could not be asked about is not over.
            if !matches!(verdict.reason(), Reason::Unreachable | Reason::ClusterNotReady) {
                status.reassignment = reassignment;
            }
            verdict
        }
        Err(KafkaFailure::Refused(text)) => Verdict::stalled(Reason::BrokerRefused, text),
        Err(KafkaFailure::Later(text)) => {
            Verdict::working(Reason::Unreachable, format!("the broker does not answer: {text}"))
        }
    };
    let verdict = keep_ready(object, verdict);
    let again = match &verdict {
        Verdict::Ready(..) => RESYNC.mul_f64(0.8 + 0.4 * fastrand::f64()),
        Verdict::Working(Reason::Applying, _) => Duration::from_millis(50),
        Verdict::Working(Reason::Reassigning, _) => MOVING,
        Verdict::Working(..) => POLL,
        Verdict::Stalled(..) => STALLED,
    };
    Outcome::Found { verdict, status, again: Some(again) }
}

/// A topic that was as the spec asks does not stop being so because its cluster cannot be asked just now: a
/// restart of a broker must not turn every topic over.
fn keep_ready(object: &Topic, verdict: Verdict) -> Verdict {
    let before = object.status.as_ref().map(|s| s.conditions.as_slice()).unwrap_or_default();
    let cannot_ask = matches!(verdict.reason(), Reason::Unreachable | Reason::ClusterNotReady);
    if !cannot_ask || !verdict::is_ready(before, object.metadata.generation) {
        return verdict;
    }
    let ready = before.iter().find(|c| c.type_ == "Ready");
    Verdict::ready(ready.map(|c| c.message.clone()).unwrap_or_default())
}

/// The object goes: the topic too, if the spec says so and the cluster is still there.
async fn delete(object: &Topic, ctx: &Context) -> Result<Outcome<TopicStatus>, ApiFailure> {
    if !finalizer::has(object) {
        return Ok(Outcome::Gone);
    }
    let found = dereference::dereference(object, ctx).await?;
    let address = found.cluster.as_ref().filter(|c| !c.deleting).map(|c| c.address.as_str());
    if let (Some(address), true) = (address, validate::needs_finalizer(object)) {
        if let Err(failure) = ctx.kafka.delete_topic(address, object.kafka_name()).await {
            let text = format!("the topic could not be deleted: {failure}");
            let status = object.status.clone().unwrap_or_default();
            let verdict = Verdict::working(Reason::Deleting, text);
            return Ok(Outcome::Found { verdict, status, again: Some(POLL) });
        }
        tracing::info!(
            topic = object.kafka_name(),
            object = object.name_any(),
            "deleted a topic, as its spec asks"
        );
    }
    finalizer::set(&ctx.client, object, false).await?;
    Ok(Outcome::Gone)
}
