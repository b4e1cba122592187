//! One change that brings what there is nearer to what should be. Planning makes them, [`super::apply`] carries
//! them out; there is nothing in between, so a plan can be read, compared and tested as data.

use std::collections::BTreeMap;
use std::fmt;

use crds::ConnectorState;

use super::reconcile::streams_app::DesiredApp;

/// A change. Names are Kafka's for topics and the objects' for the rest.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// Stops everything and starts it again with these broker and worker settings.
    Restart {
        broker: BTreeMap<String, String>,
        connect: BTreeMap<String, String>,
    },
    CreateTopic {
        topic: String,
        partitions: i32,
        config: BTreeMap<String, String>,
    },
    AddPartitions {
        topic: String,
        total: i32,
    },
    ConfigureTopic {
        topic: String,
        set: BTreeMap<String, String>,
        reset: Vec<String>,
    },
    DeleteTopic {
        topic: String,
    },
    PutConnector {
        name: String,
        config: BTreeMap<String, String>,
        state: ConnectorState,
    },
    SetConnectorState {
        name: String,
        state: ConnectorState,
    },
    DeleteConnector {
        name: String,
    },
    StartApp {
        app: Box<DesiredApp>,
    },
    StopApp {
        name: String,
    },
}

impl fmt::Display for Action {
    /// What a reader of the log sees.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart { .. } => write!(f, "restart with new settings"),
            Self::CreateTopic { topic, partitions, .. } => {
                write!(
                    f,
                    "create topic {topic} with {}",
                    super::status::count(u64::from(partitions.unsigned_abs()), "partition")
                )
            }
            Self::AddPartitions { topic, total } => {
                write!(f, "grow topic {topic} to {total} partitions")
            }
            Self::ConfigureTopic { topic, set, reset } => {
                let changes = set.iter().map(|(key, value)| format!("{key}={value}"));
                let changes =
                    changes.chain(reset.iter().map(|key| format!("{key} back to its default")));
                write!(f, "configure topic {topic}: {}", changes.collect::<Vec<_>>().join(", "))
            }
            Self::DeleteTopic { topic } => write!(f, "delete topic {topic}"),
            Self::PutConnector { name, .. } => write!(f, "configure connector {name}"),
            Self::SetConnectorState { name, state } => {
                write!(f, "make connector {name} {}", state.as_kafka())
            }
            Self::DeleteConnector { name } => write!(f, "remove connector {name}"),
            Self::StartApp { app } => write!(f, "start app {}", app.declared.name),
            Self::StopApp { name } => write!(f, "stop app {name}"),
        }
    }
}

/// What planning says of one object: what to do now, and how it is doing.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) actions: Vec<Action>,
    pub(crate) status: super::status::Status,
}

impl Step {
    pub(crate) fn nothing(status: super::status::Status) -> Self {
        Self { actions: Vec::new(), status }
    }

    /// `action`, and until it is done the object is being worked on.
    pub(crate) fn act(action: Action) -> Self {
        let status = super::status::Status::reconciling(action.to_string());
        Self { actions: vec![action], status }
    }
}
