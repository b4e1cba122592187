//! What to do now, and how every object is doing: pure, from what should be, what there is and what was applied.

use std::collections::BTreeMap;

use super::action::{Action, Step};
use super::actual::Actual;
use super::desired::Desired;
use super::memory::Memory;
use super::object::{Kind, ObjectKey};
use super::reconcile::{cluster, connect, connector, streams_app, topic};
use super::status::Status;

/// What runs in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) broker_address: String,
    pub(crate) broker: BTreeMap<String, String>,
    pub(crate) connect_url: String,
    pub(crate) connect: BTreeMap<String, String>,
}

/// The result of planning.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// In the order in which they are to be done.
    pub(crate) actions: Vec<(ObjectKey, Action)>,
    pub(crate) statuses: BTreeMap<ObjectKey, Status>,
    /// Objects that no file describes any more and that nothing is left of.
    pub(crate) gone: Vec<ObjectKey>,
}

/// Compares.
pub(crate) fn plan(desired: &Desired, actual: &Actual, memory: &Memory, running: &Running) -> Plan {
    let mut plan = Plan::default();
    for (key, refusal) in &desired.refused {
        plan.statuses.insert(key.clone(), Status::stalled(refusal.clone()));
    }
    plan.platform(desired, running);
    plan.removals(desired, actual, memory);
    for name in &desired.users {
        let status = Status::ready("stored; users are not enforced yet");
        plan.statuses.insert(ObjectKey::new(Kind::User, name.clone()), status);
    }
    for (name, object) in &desired.topics {
        let found = actual.topics.get(super::desired::kafka_name_of(object));
        plan.add(ObjectKey::new(Kind::Topic, name.clone()), topic::plan(object, found));
    }
    for (name, object) in &desired.connectors {
        plan.add(
            ObjectKey::new(Kind::Connector, name.clone()),
            connector::plan(object, desired, actual),
        );
    }
    for (name, app) in &desired.apps {
        plan.add(
            ObjectKey::new(Kind::StreamsApp, name.clone()),
            streams_app::plan(app, desired, actual),
        );
    }
    plan
}

impl Plan {
    fn add(&mut self, key: ObjectKey, step: Step) {
        self.actions.extend(step.actions.into_iter().map(|action| (key.clone(), action)));
        self.statuses.insert(key, step.status);
    }

    /// The broker and the Connect worker restart together: neither works without the other.
    fn platform(&mut self, desired: &Desired, running: &Running) {
        let refused = |kind: Kind| desired.refused.keys().any(|key| key.kind == kind);
        // While the description is wrong, what runs goes on.
        let broker = match &desired.cluster {
            None if refused(Kind::Cluster) => running.broker.clone(),
            cluster => cluster::properties(cluster.as_ref()),
        };
        let worker = match &desired.connect {
            None if refused(Kind::Connect) => running.connect.clone(),
            connect => connect::properties(connect.as_ref()),
        };
        if broker != running.broker || worker != running.connect {
            let (kind, object) = match (&desired.cluster, broker != running.broker) {
                (Some(cluster), true) => (Kind::Cluster, cluster.name.clone()),
                _ => (
                    Kind::Connect,
                    desired.connect.as_ref().map_or_else(
                        || super::desired::DEFAULT_NAME.to_owned(),
                        |c| c.name.clone(),
                    ),
                ),
            };
            self.actions
                .push((ObjectKey::new(kind, object), Action::Restart { broker, connect: worker }));
        }
        if let Some(object) = &desired.cluster {
            let status = cluster::status(object, &running.broker, &running.broker_address);
            self.statuses.insert(ObjectKey::new(Kind::Cluster, object.name.clone()), status);
        }
        if let Some(object) = &desired.connect {
            let status = connect::status(object, &running.connect, &running.connect_url);
            self.statuses.insert(ObjectKey::new(Kind::Connect, object.name.clone()), status);
        }
    }

    /// Objects that were applied and that no file describes any more.
    fn removals(&mut self, desired: &Desired, actual: &Actual, memory: &Memory) {
        let wanted = desired.keys();
        for (key, applied) in memory.objects() {
            let unknown = desired.broken.iter().any(|path| applied.file.starts_with(path));
            if wanted.contains(key) || unknown {
                continue;
            }
            let removal = match (key.kind, &applied.delete_topic) {
                (Kind::Connector, _) if actual.connectors.contains_key(&key.name) => {
                    Some(Action::DeleteConnector { name: key.name.clone() })
                }
                (Kind::StreamsApp, _) if actual.apps.contains_key(&key.name) => {
                    Some(Action::StopApp { name: key.name.clone() })
                }
                (Kind::Topic, Some(topic))
                    if actual.topics.contains_key(topic)
                        && desired.topic_object(topic).is_none() =>
                {
                    Some(Action::DeleteTopic { topic: topic.clone() })
                }
                _ => None,
            };
            match removal {
                Some(action) => self.actions.push((key.clone(), action)),
                None => self.gone.push(key.clone()),
            }
        }
    }
}
