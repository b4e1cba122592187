//! The small words of the herder: task ids and states.

/// One task of a connector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId {
    pub connector: String,
    pub task: u32,
}

impl TaskId {
    pub fn new(connector: &str, task: u32) -> TaskId {
        TaskId { connector: connector.to_owned(), task }
    }
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// What a person wants of a connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TargetState {
    #[default]
    Started,
    /// Tasks stay and do nothing.
    Paused,
    /// Tasks are gone; offsets may be edited.
    Stopped,
}

impl TargetState {
    /// The word in the config topic.
    pub fn name(self) -> &'static str {
        match self {
            TargetState::Started => "STARTED",
            TargetState::Paused => "PAUSED",
            TargetState::Stopped => "STOPPED",
        }
    }

    pub fn parse(word: &str) -> Option<TargetState> {
        [TargetState::Started, TargetState::Paused, TargetState::Stopped]
            .into_iter()
            .find(|state| state.name() == word)
    }

    /// Reads `initial_state` of a request: `RUNNING`, `PAUSED` or `STOPPED`, in any case.
    pub fn parse_initial(word: &str) -> Option<TargetState> {
        match word.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(TargetState::Started),
            "PAUSED" => Some(TargetState::Paused),
            "STOPPED" => Some(TargetState::Stopped),
            _ => None,
        }
    }
}

/// What a connector or task is doing (Kafka's `AbstractStatus.State`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Unassigned,
    Running,
    Paused,
    Failed,
    Restarting,
    /// Connectors only.
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Unassigned => "UNASSIGNED",
            State::Running => "RUNNING",
            State::Paused => "PAUSED",
            State::Failed => "FAILED",
            State::Restarting => "RESTARTING",
            State::Stopped => "STOPPED",
        }
    }

    pub fn parse(word: &str) -> Option<State> {
        [
            State::Unassigned,
            State::Running,
            State::Paused,
            State::Failed,
            State::Restarting,
            State::Stopped,
        ]
        .into_iter()
        .find(|state| state.name() == word)
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
