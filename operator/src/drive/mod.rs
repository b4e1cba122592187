//! Runs the steps of one kind for each of its objects, and writes what they found into the status.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crds::{Condition, ConditionType, Reason};
use futures_util::StreamExt as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::core::{DeserializeGuard, error_boundary::InvalidObject};
use kube::runtime::controller::{Action, Config, Controller, Error};
use kube::runtime::events::{Event, EventType};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::api::{self, ApiFailure, Namespaced};
use crate::context::Context;
use crate::verdict::Verdict;

/// Objects of one kind that are reconciled at once.
const CONCURRENCY: u16 = 16;
/// When to look again whether the lease is this operator's. If it is not, the process is about to end.
const WITHOUT_LEASE: Duration = Duration::from_secs(5);
/// Longest wait after a request that the API server did not answer.
const UNREACHABLE: Duration = Duration::from_secs(5);
/// Failures in a row after which the status says so; fewer are a hiccup.
const FAILURES_TO_TELL: u32 = 3;

/// A kind that the operator acts upon.
pub(crate) trait Reconciled: Namespaced + Send + Sync + 'static {
    /// Its status.
    type Status: Clone + PartialEq + Default + Serialize + Send + Sync;
    /// Its name, as in YAML.
    const KIND: &'static str;
    /// Field manager of what is applied for it.
    const MANAGER: &'static str;

    /// The status as it was last written.
    fn status(&self) -> Option<&Self::Status>;
    /// A status' conditions.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// Writes generation and conditions into a status.
    fn seal(status: &mut Self::Status, generation: Option<i64>, conditions: Vec<Condition>);
    /// Dereference, validate, build, apply, and what was found.
    fn reconcile(
        object: &Self,
        ctx: &Context,
    ) -> impl Future<Output = Result<Outcome<Self::Status>, ApiFailure>> + Send;
}

/// What a reconcile leaves to be done.
#[derive(Debug)]
pub(crate) enum Outcome<S> {
    /// The status to write, and when to look again if nothing happens.
    Found { verdict: Verdict, status: S, again: Option<Duration> },
    /// Nothing: the object is being deleted and nobody will read its status.
    Gone,
}

macro_rules! reconciled {
    ($kind:ident, $status:ident, $module:ident) => {
        impl crate::drive::Reconciled for crds::$kind {
            type Status = crds::$status;
            const KIND: &'static str = stringify!($kind);
            const MANAGER: &'static str = concat!("vltava-operator-", stringify!($module));

            fn status(&self) -> Option<&Self::Status> {
                self.status.as_ref()
            }
            fn conditions(status: &Self::Status) -> &[crds::Condition] {
                &status.conditions
            }
            fn seal(
                status: &mut Self::Status,
                generation: Option<i64>,
                conditions: Vec<crds::Condition>,
            ) {
                status.observed_generation = generation;
                status.conditions = conditions;
            }
            async fn reconcile(
                object: &Self,
                ctx: &crate::context::Context,
            ) -> Result<crate::drive::Outcome<Self::Status>, crate::api::ApiFailure> {
                reconcile(object, ctx).await
            }
        }
    };
}
pub(crate) use reconciled;

/// Runs a controller until it is told to stop.
pub(crate) async fn run<K: Reconciled>(
    controller: Controller<DeserializeGuard<K>>,
    ctx: Arc<Context>,
    stop: CancellationToken,
) {
    let controller = controller
        .with_config(Config::default().concurrency(CONCURRENCY))
        .graceful_shutdown_on(stop.cancelled_owned());
    let results = controller.run(
        |object, ctx: Arc<Context>| async move { one::<K>(&object, &ctx).await },
        |object, failure, ctx| {
            Action::requeue(again(&ctx, &object.uid().unwrap_or_default(), failure).1)
        },
        ctx,
    );
    results
        .for_each(|result| async {
            match result {
                Ok(_) | Err(Error::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(kind = K::KIND, %error, "the controller had an error"),
            }
        })
        .await;
}

/// One pass over one object.
async fn one<K: Reconciled>(
    guard: &DeserializeGuard<K>,
    ctx: &Context,
) -> Result<Action, ApiFailure> {
    let began = Instant::now();
    if !ctx.tenure.holds().await? {
        tracing::warn!(kind = K::KIND, "another operator holds the lease: nothing is done");
        return Ok(Action::requeue(WITHOUT_LEASE));
    }
    let object = match &guard.0 {
        Ok(object) => object,
        Err(invalid) => {
            refuse::<K>(invalid, ctx).await?;
            ctx.metrics.reconciled(K::KIND, "stalled", began.elapsed());
            return Ok(Action::await_change());
        }
    };
    let uid = object.uid().unwrap_or_default();
    let (result, action) = match K::reconcile(object, ctx).await {
        Ok(Outcome::Gone) => {
            ctx.backoff.succeeded(&uid);
            ("deleted", Action::await_change())
        }
        Ok(Outcome::Found { verdict, status, again }) => {
            ctx.backoff.succeeded(&uid);
            write(object, ctx, &verdict, status).await?;
            (word(&verdict), again.map_or_else(Action::await_change, Action::requeue))
        }
        Err(failure) => ("error", fail(object, ctx, &uid, &failure).await),
    };
    ctx.metrics.reconciled(K::KIND, result, began.elapsed());
    Ok(action)
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Ready(..) => "ready",
        Verdict::Working(..) => "working",
        Verdict::Stalled(..) => "stalled",
    }
}

/// A request failed: try again later, and tell the person if it is no hiccup.
async fn fail<K: Reconciled>(object: &K, ctx: &Context, uid: &str, failure: &ApiFailure) -> Action {
    let (failures, wait) = again(ctx, uid, failure);
    tracing::warn!(
        kind = K::KIND, namespace = object.namespace(), name = object.name_any(), failures, error = %failure,
        "a reconcile failed"
    );
    let status = object.status().cloned().unwrap_or_default();
    let verdict = if failure.is_refusal() {
        Verdict::stalled(Reason::ApiError, failure.describe())
    } else {
        Verdict::working(Reason::ApiError, failure.describe())
    };
    if (failure.is_refusal() || failures >= FAILURES_TO_TELL)
        && let Err(error) = write(object, ctx, &verdict, status).await
    {
        // It is one failure and not two, and the next pass says it again.
        tracing::debug!(kind = K::KIND, name = object.name_any(), %error, "failed to tell of a failure");
    }
    Action::requeue(wait)
}

/// Counts a failure of an object; gives the failures in a row, and the wait. That nobody answers is not the object's
/// fault, and is over all of a sudden.
fn again(ctx: &Context, uid: &str, failure: &ApiFailure) -> (u32, Duration) {
    let (failures, wait) = ctx.backoff.failed(uid);
    (failures, if failure.is_answer() { wait } else { wait.min(UNREACHABLE) })
}

/// Writes the status if it differs from what is there, and publishes an Event if the object's readiness changed.
async fn write<K: Reconciled>(
    object: &K,
    ctx: &Context,
    verdict: &Verdict,
    mut status: K::Status,
) -> Result<(), ApiFailure> {
    let before = object.status().map(|s| K::conditions(s).to_vec()).unwrap_or_default();
    let generation = object.meta().generation;
    let conditions = verdict.conditions(&before, generation, Time(Timestamp::now()));
    let turned = turned(&before, &conditions);
    K::seal(&mut status, generation, conditions);
    if object.status() == Some(&status) {
        return Ok(());
    }
    api::apply_status(&ctx.client, K::MANAGER, object, &status).await?;
    ctx.metrics.wrote_status(K::KIND);
    if turned {
        publish(object, ctx, verdict).await;
    }
    Ok(())
}

/// Whether `Ready` has another status or reason than before.
fn turned(before: &[Condition], now: &[Condition]) -> bool {
    let ready = |all: &[Condition]| {
        all.iter()
            .find(|c| c.type_ == ConditionType::Ready.as_str())
            .map(|c| (c.status.clone(), c.reason.clone()))
    };
    ready(before) != ready(now)
}

/// Publishes a verdict as an Event of the object.
pub(crate) async fn publish<K: Reconciled>(object: &K, ctx: &Context, verdict: &Verdict) {
    let type_ = if matches!(verdict, Verdict::Stalled(..)) {
        EventType::Warning
    } else {
        EventType::Normal
    };
    let event = Event {
        type_,
        reason: verdict.reason().as_str().to_owned(),
        note: Some(verdict.message().chars().take(512).collect()),
        action: "Reconcile".to_owned(),
        secondary: None,
    };
    tracing::info!(
        kind = K::KIND,
        namespace = object.namespace(),
        name = object.name_any(),
        state = word(verdict),
        reason = event.reason,
        "{}",
        verdict.message()
    );
    if let Err(error) = ctx.recorder.publish(&event, &object.object_ref(&())).await {
        tracing::warn!(kind = K::KIND, name = object.name_any(), %error, "failed to publish an event");
    }
}

/// An object that does not read as its kind, as after a downgrade: say so in its status and leave it alone.
async fn refuse<K: Reconciled>(invalid: &InvalidObject, ctx: &Context) -> Result<(), ApiFailure> {
    let meta = &invalid.metadata;
    let (Some(name), Some(namespace)) = (&meta.name, &meta.namespace) else { return Ok(()) };
    tracing::warn!(
        kind = K::KIND,
        namespace,
        name,
        error = invalid.error,
        "an object does not read as its kind"
    );
    let verdict = Verdict::stalled(
        Reason::InvalidSpec,
        format!("the object cannot be read: {}", invalid.error),
    );
    let mut status = K::Status::default();
    // Epoch: the time of the change is not known, and a new time each pass would be a change each pass.
    K::seal(
        &mut status,
        meta.generation,
        verdict.conditions(&[], meta.generation, Time(Timestamp::UNIX_EPOCH)),
    );
    api::apply_status_by_name::<K, _>(&ctx.client, K::MANAGER, namespace, name, &status).await
}

#[cfg(test)]
mod tests;
