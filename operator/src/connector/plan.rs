//! Step three, pure: the one next order to Connect, if one is needed.

use std::collections::BTreeMap;

use crds::ConnectorState;

use super::validate::Wanted;
use crate::connect_rest::ConnectorInfo;

/// The connector as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// `None` if there is no connector of that name.
    pub(crate) config: Option<BTreeMap<String, String>>,
    /// `None` if it has no state yet.
    pub(crate) info: Option<ConnectorInfo>,
}

/// One order to Connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Create,
    Reconfigure,
    /// `pause`, `resume` or `stop`.
    Turn(&'static str),
}

impl Change {
    /// For the status.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Create => "creating the connector",
            Self::Reconfigure => "changing the connector's configuration",
            Self::Turn("pause") => "pausing the connector",
            Self::Turn("stop") => "stopping the connector",
            Self::Turn(_) => "resuming the connector",
        }
    }
}

pub(crate) fn plan(wanted: &Wanted, live: &Live) -> Option<Change> {
    let Some(config) = &live.config else { return Some(Change::Create) };
    if differs(&wanted.config, config) {
        return Some(Change::Reconfigure);
    }
    let state = live.info.as_ref()?.connector.state.as_str();
    let suspended = matches!(state, "PAUSED" | "STOPPED");
    match wanted.state {
        ConnectorState::Running if suspended => Some(Change::Turn("resume")),
        ConnectorState::Paused if state != "PAUSED" && state != "FAILED" => {
            Some(Change::Turn("pause"))
        }
        ConnectorState::Stopped if state != "STOPPED" => Some(Change::Turn("stop")),
        ConnectorState::Running | ConnectorState::Paused | ConnectorState::Stopped => None,
    }
}

/// Whether the configurations differ. A worker may leave the name away, since it is in the path.
fn differs(wanted: &BTreeMap<String, String>, live: &BTreeMap<String, String>) -> bool {
    let without_name = |config: &BTreeMap<String, String>| {
        let mut config = config.clone();
        config.remove("name");
        config
    };
    without_name(wanted) != without_name(live)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(state: ConnectorState) -> Wanted {
        let config = [
            ("name", "in"),
            ("connector.class", "FileStreamSource"),
            ("tasks.max", "1"),
            ("file", "a.txt"),
        ];
        Wanted {
            name: "in".into(),
            url: "http://c".into(),
            config: config.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            state,
        }
    }

    fn live(state: &str) -> Live {
        let info =
            serde_json::from_value(serde_json::json!({"connector": {"state": state}, "tasks": []}))
                .unwrap();
        Live { config: Some(wanted(ConnectorState::Running).config), info: Some(info) }
    }

    #[test]
    fn a_connector_is_created_once_and_changed_only_when_it_differs() {
        let wanted = wanted(ConnectorState::Running);
        assert_eq!(plan(&wanted, &Live::default()), Some(Change::Create));
        let mut live = live("RUNNING");
        assert_eq!(plan(&wanted, &live), None);
        live.config.as_mut().unwrap().remove("name");
        assert_eq!(plan(&wanted, &live), None);
        live.config.as_mut().unwrap().insert("file".into(), "b.txt".into());
        assert_eq!(plan(&wanted, &live), Some(Change::Reconfigure));
    }

    #[test]
    fn states_follow_the_spec() {
        for (spec, state, change) in [
            (ConnectorState::Running, "PAUSED", Some(Change::Turn("resume"))),
            (ConnectorState::Running, "STOPPED", Some(Change::Turn("resume"))),
            (ConnectorState::Running, "FAILED", None),
            (ConnectorState::Paused, "RUNNING", Some(Change::Turn("pause"))),
            (ConnectorState::Paused, "PAUSED", None),
            (ConnectorState::Stopped, "PAUSED", Some(Change::Turn("stop"))),
            (ConnectorState::Stopped, "STOPPED", None),
        ] {
            assert_eq!(plan(&wanted(spec), &live(state)), change, "{spec:?} {state}");
        }
    }
}
