//! Spec → topology.

use super::diagnostic::Diagnostic;
use super::pipeline;
use super::shape::{Flow, Shape};
use super::spec::{AppSpec, Source};
use crate::Serde;
use crate::cel::{Expression, Scope, closest};
use crate::topology::{GraphBuilder, Topology, TopologyError, check_name};
use protocol::Str;
use std::collections::{BTreeMap, HashMap};

/// Most pipelines, sources and tables of an app, each; most steps of a pipeline.
const MAX_PARTS: usize = 64;

/// Checks the whole spec and builds its topology. All that is wrong is reported at once, but for what follows
/// from an earlier mistake in the same pipeline.
pub fn compile(spec: &AppSpec) -> Result<Topology, Vec<Diagnostic>> {
    let mut compiler = Compiler::default();
    compiler.check_sizes(spec);
    compiler.read(&spec.sources, "sources", false);
    compiler.read(&spec.tables, "tables", true);
    if spec.sources.is_empty() && spec.tables.is_empty() {
        compiler.report("sources", "the app reads nothing: name a topic in sources or tables");
    }
    if spec.pipelines.is_empty() {
        compiler.report("pipelines", "the app does nothing: write a pipeline");
    }
    for (i, declared) in spec.pipelines.iter().enumerate() {
        pipeline::compile(&mut compiler, declared, &format!("pipelines[{i}]"), &spec.pipelines);
    }
    compiler.check_tests(spec);
    let dead_letters = spec.processing.as_ref().and_then(|p| p.dead_letter_topic.as_deref());
    if let Some(topic) = dead_letters
        && compiler.topics.contains_key(topic)
    {
        compiler.report(
            "processing.deadLetterTopic",
            format!("the app reads `{topic}`: broken records need a topic of their own"),
        );
    }
    if !compiler.diagnostics.is_empty() {
        return Err(compiler.diagnostics);
    }
    match compiler.graph.build() {
        Ok(mut topology) => {
            topology.dead_letters = dead_letters.map(Str::copy);
            Ok(topology)
        }
        Err(error) => Err(vec![Diagnostic::new("pipelines", error.to_string())]),
    }
}

#[derive(Default)]
pub(super) struct Compiler {
    pub(super) graph: GraphBuilder,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What pipelines can read: `None` for one that has mistakes, which are reported where they are.
    pub(super) flows: BTreeMap<String, Option<Flow>>,
    /// Where each name was first used.
    names: HashMap<String, String>,
    /// Topics that are read, and where that is declared.
    topics: HashMap<String, String>,
    /// Topics that are written, with their types.
    pub(super) written: BTreeMap<String, (Serde, Serde)>,
}

impl Compiler {
    pub(super) fn report(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::new(path, message));
    }

    fn check_sizes(&mut self, spec: &AppSpec) {
        let lists = [
            ("sources", spec.sources.len()),
            ("tables", spec.tables.len()),
            ("pipelines", spec.pipelines.len()),
            ("tests", spec.tests.len()),
        ];
        for (path, length) in lists {
            if length > MAX_PARTS {
                self.report(
                    path,
                    format!("there are {length} and may be {MAX_PARTS}: split the app"),
                );
            }
        }
        for (i, pipeline) in spec.pipelines.iter().enumerate() {
            let length = pipeline.steps.len();
            if length > MAX_PARTS {
                let path = format!("pipelines[{i}].steps");
                self.report(
                    path,
                    format!("there are {length} and may be {MAX_PARTS}: split the pipeline"),
                );
            }
        }
    }

    /// Takes a name for the thing at `path`; names are unique in the whole app, since they name state.
    pub(super) fn take_name(&mut self, name: &str, path: &str) -> bool {
        if let Err(error) = check_name(name) {
            self.report(format!("{path}.name"), error.to_string());
            return false;
        }
        if let Some(first) = self.names.get(name) {
            let message = format!(
                "the name `{name}` is used at {first} already: names are unique in the app, since they name state and topics; choose another"
            );
            self.report(format!("{path}.name"), message);
            return false;
        }
        self.names.insert(name.to_owned(), path.to_owned());
        true
    }

    fn read(&mut self, sources: &[Source], list: &str, table: bool) {
        for (i, source) in sources.iter().enumerate() {
            let path = format!("{list}[{i}]");
            let mut fits = self.take_name(&source.name, &path);
            fits &= self.check_topic(&source.topic, &format!("{path}.topic"));
            if let Some(first) = self.topics.get(&source.topic) {
                let message = format!(
                    "the topic `{}` is read at {first} already: let pipelines share one source",
                    source.topic
                );
                self.report(format!("{path}.topic"), message);
                fits = false;
            }
            self.topics.insert(source.topic.clone(), path);
            if !fits {
                self.flows.insert(source.name.clone(), None);
                continue;
            }
            let Source { name, topic, key, value } = source;
            let (node, shape) = if table {
                (self.graph.read_table(name, topic, *key, *value), Shape::Table)
            } else {
                let stream = Shape::Stream { key_changed: false };
                (self.graph.read_stream(name, topic, *key, *value), stream)
            };
            let (key, value) = (key.type_of(), value.type_of());
            self.flows.insert(name.clone(), Some(Flow { node, shape, key, value }));
        }
    }

    pub(super) fn check_topic(&mut self, topic: &str, path: &str) -> bool {
        /// Kafka's limit (`Topic.MAX_NAME_LENGTH`).
        const MAX_TOPIC_CHARS: usize = 249;
        let fits = !topic.is_empty()
            && topic.len() <= MAX_TOPIC_CHARS
            && topic != "."
            && topic != ".."
            && topic.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !fits {
            let message = format!(
                "`{topic}` cannot be a topic: use 1 to {MAX_TOPIC_CHARS} of the characters a-z, A-Z, 0-9, '.', '_' and '-'"
            );
            self.report(path, message);
        }
        fits
    }

    /// Compiles an expression, or reports what is wrong with it.
    pub(super) fn expression(
        &mut self,
        source: &str,
        path: String,
        scope: &Scope,
    ) -> Option<Expression> {
        match Expression::compile(source, scope) {
            Ok(expression) => Some(expression),
            Err(problem) => {
                self.diagnostics.push(Diagnostic::expression(path, problem));
                None
            }
        }
    }

    fn check_tests(&mut self, spec: &AppSpec) {
        for (i, test) in spec.tests.iter().enumerate() {
            for (j, input) in test.input.iter().enumerate() {
                let path = format!("tests[{i}].input[{j}]");
                let source = spec
                    .sources
                    .iter()
                    .chain(&spec.tables)
                    .find(|source| source.name == input.from);
                let Some(source) = source else {
                    let known = spec.sources.iter().chain(&spec.tables).map(|s| s.name.as_str());
                    let message = unknown("source or table", &input.from, known);
                    self.report(format!("{path}.from"), message);
                    continue;
                };
                self.check_literal(&input.key, source.key, &format!("{path}.key"));
                self.check_literal(&input.value, source.value, &format!("{path}.value"));
            }
            for (j, output) in test.expect.iter().enumerate() {
                let path = format!("tests[{i}].expect[{j}]");
                let Some((key, value)) = self.written.get(&output.to).copied() else {
                    let message = unknown(
                        "written topic",
                        &output.to,
                        self.written.keys().map(String::as_str),
                    );
                    self.report(format!("{path}.to"), message);
                    continue;
                };
                self.check_literal(&output.key, key, &format!("{path}.key"));
                self.check_literal(&output.value, value, &format!("{path}.value"));
            }
        }
    }

    fn check_literal(&mut self, literal: &serde_json::Value, serde: Serde, path: &str) {
        if let Err(message) = super::literal::typed(literal, serde) {
            self.report(path, message);
        }
    }
}

impl From<TopologyError> for Diagnostic {
    fn from(error: TopologyError) -> Diagnostic {
        Diagnostic::new("pipelines", error.to_string())
    }
}

/// `there is no <what> `name`; did you mean …?` or what there is.
pub(super) fn unknown<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> String {
    if let Some(near) = closest(name, known.clone()) {
        return format!("there is no {what} `{name}`; did you mean `{near}`?");
    }
    let known: Vec<&str> = known.collect();
    match known.as_slice() {
        [] => format!("there is no {what} `{name}`, and none at all"),
        [only] => format!("there is no {what} `{name}`, there is only `{only}`"),
        known => format!("there is no {what} `{name}`, there are {}", known.join(", ")),
    }
}
