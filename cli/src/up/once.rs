//! When a pipeline has run dry: every source is at the end of its input with everything acknowledged, every app has
//! caught up with it, every sink has written it. Asked in the order in which records flow, so one round is enough.

use std::collections::BTreeMap;
use std::time::Duration;

use connect::Idle;

use super::desired::Desired;
use super::flow::{Stage, downstream};
use super::object::{Kind, ObjectKey};
use super::platform::Platform;
use super::reconcile::connector;
use super::status::Status;

/// Longest wait for an app before the objects are looked at again.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks every stage that is Ready; the others are stalled and will never be done.
pub(crate) async fn is_used_up(
    platform: &Platform,
    desired: &Desired,
    statuses: &BTreeMap<ObjectKey, Status>,
) -> bool {
    let ready = |stage: &Stage| statuses.get(&stage.key).is_some_and(Status::is_ready);
    for stage in downstream(stages(desired)).iter().filter(|stage| ready(stage)) {
        if !is_done(platform, desired, &stage.key).await {
            tracing::debug!(stage = %stage.key, "is still at work");
            return false;
        }
    }
    true
}

fn stages(desired: &Desired) -> Vec<Stage> {
    let connectors = desired.connectors.values().map(|object| Stage {
        key: ObjectKey::new(Kind::Connector, object.name.clone()),
        inputs: connector::inputs(object).into_iter().collect(),
        outputs: connector::outputs(object).into_iter().collect(),
    });
    let apps = desired.apps.values().map(|app| Stage {
        key: ObjectKey::new(Kind::StreamsApp, app.declared.name.clone()),
        inputs: app.input_topics().into_iter().collect(),
        outputs: app.output_topics().into_iter().collect(),
    });
    connectors.chain(apps).collect()
}

async fn is_done(platform: &Platform, desired: &Desired, key: &ObjectKey) -> bool {
    match key.kind {
        Kind::Connector => {
            let suspended = desired
                .connectors
                .get(&key.name)
                .is_some_and(|object| object.spec.state != crds::ConnectorState::Running);
            suspended || matches!(platform.connect.herder().idle(&key.name).await, Ok(Idle::Idle))
        }
        _ => match platform.apps.get(&key.name) {
            Some(app) => {
                let caught_up = tokio::time::timeout(PATIENCE, app.worker.caught_up()).await;
                matches!(caught_up, Ok(Ok(())))
            }
            None => true,
        },
    }
}
