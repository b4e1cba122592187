//! `Cluster`: one StatefulSet of one pod for each broker, so that each can change, grow and go by itself, with
//! volumes that the operator makes.
//!
//! A pass reads what is there ([`dereference`]), checks the spec ([`validate`]), applies what pods must find
//! ([`build`], [`apply`]), asks [`plan`] for the one next step of a roll or of scaling and carries it out
//! ([`perform`]), and says how things are ([`status`]). What a pass would do is foreseen in [`forecast`].

mod apply;
mod build;
mod dereference;
mod forecast;
mod identity;
mod names;
mod perform;
mod plan;
mod situation;
mod status;
mod validate;

use std::time::Duration;

use crds::{Cluster, ClusterStatus, Reason, Scaling};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt as _};

use self::dereference::Live;
use self::plan::{Action, Answers, Step};
use self::validate::Wanted;
use crate::api::{self, ApiFailure};
use crate::context::Context;
use crate::drive::{Outcome, reconciled};
use crate::fail_point::Moment;
use crate::kafka::KafkaClients;
use crate::safety::{BrokerDoor, Brokers};
use crate::verdict::Verdict;
use crate::workload::{ADMIN_PORT, KAFKA_PORT};

pub(crate) use forecast::foresee;
pub(crate) use names::{OWNER_KEY, bootstrap};
pub(crate) use plan::bytes;
pub(crate) use validate::{bandwidth, broker_id, bytes_per_second};

reconciled!(Cluster, ClusterStatus, cluster);

/// When to look again at a cluster that is ready: brokers that cannot be reached send no event.
const RESYNC: Duration = Duration::from_secs(60);
/// When to look again while something is on its way; events of the StatefulSets usually come first.
const POLL: Duration = Duration::from_secs(2);
/// When to go on after an intent has been written down.
const SOON: Duration = Duration::from_millis(50);
/// Most questions in one pass, beside two a broker; the plan needs six.
const MAX_QUESTIONS: usize = 8;

async fn reconcile(object: &Cluster, ctx: &Context) -> Result<Outcome<ClusterStatus>, ApiFailure> {
    if api::is_deleted(object) {
        ctx.kafka.forget(&bootstrap(&object.name_any(), &object.namespace().unwrap_or_default()));
        return Ok(Outcome::Gone);
    }
    let live = dereference::dereference(object, &ctx.client).await?;
    let random_id = protocol::Uuid::from_random(fastrand::u128(..)).to_string();
    let wanted = match validate::validate(object, &live, &ctx.config.image, &random_id) {
        Ok(wanted) => wanted,
        Err(verdict) => {
            return Ok(Outcome::Found { verdict, status: live.status, again: None });
        }
    };
    // First of all: the broker of a new pod waits for it.
    apply::copy_zones(ctx, &live).await;
    let volumes = apply::apply(ctx, &wanted, build::build(&wanted)).await?;
    let door =
        door((&ctx.http, &ctx.kafka), (&wanted.name, &wanted.namespace), (&live.sets, &live.pods));
    let pass = step(object, ctx, &wanted, &live, &door).await?;
    let mut status = status::observe(&wanted, &live);
    status.scaling = (pass.scaling != Scaling::default()).then_some(pass.scaling);
    let verdict = match pass.verdict {
        Some(verdict) => verdict,
        None => status::serves(ctx, &wanted, &mut status).await,
    };
    let verdict = match volumes {
        Err(failure) if matches!(verdict, Verdict::Ready(..)) => failed(&failure),
        _ => verdict,
    };
    let again = match &verdict {
        Verdict::Ready(..) => RESYNC,
        _ if pass.go_on => SOON,
        _ => POLL,
    };
    Ok(Outcome::Found { verdict, status, again: Some(again) })
}

/// Everything serves, but something that the spec asks for could not be applied, such as a larger volume.
fn failed(failure: &ApiFailure) -> Verdict {
    if failure.is_refusal() {
        Verdict::stalled(Reason::ApiError, failure.describe())
    } else {
        Verdict::working(Reason::ApiError, failure.describe())
    }
}

/// What a pass came to.
struct Pass {
    scaling: Scaling,
    /// `None` if the brokers are those that the spec asks for, and it is to be seen whether they serve.
    verdict: Option<Verdict>,
    /// Whether there is nothing to wait for before the next pass.
    go_on: bool,
}

/// Takes the next step of a roll or of scaling.
async fn step(
    object: &Cluster,
    ctx: &Context,
    wanted: &Wanted,
    live: &Live,
    brokers: &impl Brokers,
) -> Result<Pass, ApiFailure> {
    let situation = situation::situation(wanted, live, Timestamp::now());
    let mut answers = Answers::default();
    for _ in 0..MAX_QUESTIONS + 2 * situation.brokers.len() {
        let (action, said) = match plan::next(&situation, &answers) {
            Step::Ask(question) => {
                let answer = brokers.ask(&question).await;
                answers.learn(question, answer);
                continue;
            }
            Step::Do(action, said) => (action, said),
            Step::Wait(verdict) => {
                let scaling = situation.scaling;
                return Ok(Pass { scaling, verdict: Some(verdict), go_on: false });
            }
            Step::Settled => {
                return Ok(Pass { scaling: Scaling::default(), verdict: None, go_on: false });
            }
        };
        ctx.fail_points.reach(action.name(), Moment::Before);
        let result = perform::perform(ctx, wanted, live, brokers, &action).await?;
        if result.is_ok() {
            ctx.fail_points.reach(action.name(), Moment::After);
        }
        match &result {
            Err(failure) if action.gives_vote() => {
                tracing::warn!(cluster = wanted.name, ?action, %failure, "a vote could not be given");
                answers.learn_no_vote(failure.clone());
                continue;
            }
            Err(_) => {}
            Ok(_) => perform::tell(object, ctx, &action, &said).await,
        }
        let go_on = matches!(action, Action::Intend(_));
        let (scaling, verdict) =
            plan::outcome(&situation, &action, said, &result, Timestamp::now());
        return Ok(Pass { scaling, verdict: Some(verdict), go_on });
    }
    let verdict = Some(plan::too_many_questions());
    Ok(Pass { scaling: situation.scaling, verdict, go_on: false })
}

/// StatefulSets and pods of a cluster's brokers, as they are now.
pub(crate) async fn look(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<(Vec<StatefulSet>, Vec<Pod>), ApiFailure> {
    let labels = names::labels(name).query();
    tokio::try_join!(
        api::list::<StatefulSet>(client, namespace, &labels),
        api::list::<Pod>(client, namespace, &labels),
    )
}

/// The door to a cluster's brokers, given its name and namespace, and what there is of it.
pub(crate) fn door<'a>(
    (http, kafka): (&'a reqwest::Client, &'a KafkaClients),
    (name, namespace): (&str, &str),
    (sets, pods): (&[StatefulSet], &[Pod]),
) -> BrokerDoor<'a> {
    let host = |id: i32| (id, names::host(name, id, namespace));
    let ids = || sets.iter().filter_map(broker_id);
    let ready = |id: &i32| {
        let pod_name = names::pod(name, *id);
        let pod = pods.iter().find(|pod| pod.metadata.name.as_ref() == Some(&pod_name));
        pod.map(crate::workload::pod_state) == Some(crate::workload::PodState::Ready)
    };
    BrokerDoor {
        http,
        kafka,
        address: bootstrap(name, namespace),
        hosts: ids().map(host).collect(),
        ready: ids().filter(ready).collect(),
        admin_port: ADMIN_PORT,
        kafka_port: KAFKA_PORT,
    }
}
