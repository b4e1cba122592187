//! Streams apps: type-checked when they are read, run by a worker in this process.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crds::StreamsAppSpec;
use streams::app::{AppSpec, Diagnostic};

use crate::up::action::{Action, Step};
use crate::up::actual::{Actual, AppState};
use crate::up::desired::Desired;
use crate::up::object::{Declared, Place, Refusal};
use crate::up::status::{Status, count, grouped};
use crate::up::topics::{self, Need};
use crate::yaml::{Segment, parse_path};

/// Kafka Streams' own default of `commit.interval.ms`.
const DEFAULT_COMMIT_INTERVAL_MS: u64 = 30_000;

/// An app whose description makes sense, ready to run.
#[derive(Clone)]
pub(crate) struct DesiredApp {
    pub(crate) declared: Declared<StreamsAppSpec>,
    pub(crate) spec: Arc<AppSpec>,
    pub(crate) topology: Arc<streams::Topology>,
    /// Differs whenever the description does.
    pub(crate) fingerprint: u64,
}

impl fmt::Debug for DesiredApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DesiredApp")
            .field("name", &self.declared.name)
            .field("fingerprint", &self.fingerprint)
            .finish()
    }
}

impl DesiredApp {
    pub(crate) fn application_id(&self) -> &str {
        self.declared.spec.application_id.as_deref().unwrap_or(&self.declared.name)
    }

    pub(crate) fn commit_interval_ms(&self) -> u64 {
        let written = self
            .declared
            .spec
            .processing
            .as_ref()
            .and_then(|processing| processing.commit_interval_ms);
        written.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(DEFAULT_COMMIT_INTERVAL_MS)
    }

    /// Topics that the app reads, with the places that name them.
    fn inputs(&self) -> Vec<(&str, Place)> {
        let spec = &self.declared.spec;
        let sources = spec
            .sources
            .iter()
            .enumerate()
            .map(|(i, s)| (s.topic.as_str(), self.place(&format!("sources[{i}].topic"))));
        let tables = spec
            .tables
            .iter()
            .enumerate()
            .map(|(i, t)| (t.topic.as_str(), self.place(&format!("tables[{i}].topic"))));
        sources.chain(tables).collect()
    }

    /// Topics that the app writes, with the places that name them.
    fn outputs(&self) -> Vec<(&str, Place)> {
        let pipelines = self.declared.spec.pipelines.iter().enumerate();
        pipelines
            .filter_map(|(i, p)| {
                p.to.as_ref()
                    .map(|to| (to.topic.as_str(), self.place(&format!("pipelines[{i}].to.topic"))))
            })
            .collect()
    }

    pub(crate) fn input_topics(&self) -> Vec<String> {
        self.inputs().into_iter().map(|(topic, _)| topic.to_owned()).collect()
    }

    pub(crate) fn output_topics(&self) -> Vec<String> {
        self.outputs().into_iter().map(|(topic, _)| topic.to_owned()).collect()
    }

    /// The place of a path in the spec, such as `tests[0]`.
    pub(crate) fn place(&self, path: &str) -> Place {
        place(&self.declared, path)
    }
}

fn place(app: &Declared<StreamsAppSpec>, path: &str) -> Place {
    let mut segments = vec![Segment::key("spec")];
    segments.extend(parse_path(path));
    app.origin.locate(&segments)
}

/// Checks the description down to its expressions.
pub(crate) fn compile(declared: Declared<StreamsAppSpec>) -> Result<DesiredApp, Refusal> {
    let unreadable = |error: serde_json::Error| declared.refuse(&[], error.to_string());
    let json = serde_json::to_value(&declared.spec).map_err(unreadable)?;
    let mut hasher = DefaultHasher::new();
    json.to_string().hash(&mut hasher);
    let spec: AppSpec = serde_json::from_value(json).map_err(unreadable)?;
    match streams::app::compile(&spec) {
        Ok(topology) => Ok(DesiredApp {
            topology: Arc::new(topology),
            fingerprint: hasher.finish(),
            spec: Arc::new(spec),
            declared,
        }),
        Err(diagnostics) => Err(refusal(&declared, &diagnostics)),
    }
}

/// All diagnostics as one refusal: the first gives the place, the others follow with theirs, one a line.
pub(crate) fn refusal(app: &Declared<StreamsAppSpec>, diagnostics: &[Diagnostic]) -> Refusal {
    let mut all = diagnostics.iter().map(|diagnostic| locate(app, diagnostic));
    let Some(mut first) = all.next() else { return app.refuse(&[], "the app does not compile") };
    for other in all {
        first.message.push_str(&format!("\n{other}"));
    }
    first
}

/// A diagnostic inside an expression of several lines points at the line of the expression.
fn locate(app: &Declared<StreamsAppSpec>, diagnostic: &Diagnostic) -> Refusal {
    let mut place = place(app, &diagnostic.path);
    let lines_down = diagnostic.line.saturating_sub(1);
    place.at.line = place.at.line.saturating_add(lines_down);
    Refusal::new(place, diagnostic.message.clone())
}

pub(crate) fn plan(app: &DesiredApp, desired: &Desired, actual: &Actual) -> Step {
    let found = actual.apps.get(&app.declared.name);
    for (topic, place) in app.inputs().into_iter().chain(app.outputs()) {
        match topics::need(topic, place, desired, actual) {
            Need::There => {}
            Need::Coming(what) if found.is_none() => {
                return Step::nothing(Status::reconciling(what));
            }
            Need::Coming(_) => {}
            Need::Missing(refusal) => return Step::nothing(Status::stalled(refusal)),
        }
    }
    let Some(found) = found.filter(|found| found.fingerprint == app.fingerprint) else {
        return Step::act(Action::StartApp { app: Box::new(app.clone()) });
    };
    let tasks = count(found.tasks as u64, "task");
    Step::nothing(match &found.state {
        AppState::Starting => Status::reconciling(found.note.as_deref().unwrap_or("starting")),
        AppState::Running if found.lag == 0 => Status::ready(format!("{tasks}, caught up")),
        AppState::Running => Status::ready(format!("{tasks}, {} to read", grouped(found.lag))),
        AppState::Failed(why) => {
            let message = format!("the app cannot go on: {why}; correct it, and it is tried again");
            Status::stalled(app.declared.refuse(&[], message))
        }
    })
}
