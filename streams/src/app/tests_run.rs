//! The tests that an app carries: records in, records out, through the [`TestDriver`].

use super::compile::compile;
use super::literal::typed;
use super::spec::{AppSpec, AppTest, TestOutput};
use super::{Diagnostic, Source};
use crate::driver::{DriverError, TestDriver};
use crate::topology::{NodeKind, Topic};
use crate::{Serde, Value};
use std::collections::BTreeMap;
use std::fmt;

/// What came of all tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestReport {
    /// Why the app does not compile; then no test was run.
    pub diagnostics: Vec<Diagnostic>,
    pub tests: Vec<TestOutcome>,
}

/// What came of one test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestOutcome {
    pub name: String,
    /// Where it is in the spec, for instance `tests[0]`.
    pub path: String,
    /// How what was written differs from what was expected; empty when the test passed.
    pub failures: Vec<String>,
    /// Records that could not be processed: they explain a failure, and may be what the test is about.
    pub notes: Vec<String>,
}

impl TestOutcome {
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl TestReport {
    pub fn passed(&self) -> bool {
        self.diagnostics.is_empty() && self.tests.iter().all(TestOutcome::passed)
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            writeln!(f, "error: {diagnostic}")?;
        }
        for test in &self.tests {
            writeln!(f, "{} {}", if test.passed() { "ok    " } else { "FAILED" }, test.name)?;
            for failure in &test.failures {
                writeln!(f, "         {failure}")?;
            }
            if !test.passed() {
                for note in &test.notes {
                    writeln!(f, "         note: {note}")?;
                }
            }
        }
        let failed = self.tests.iter().filter(|test| !test.passed()).count();
        writeln!(f, "{} passed, {failed} failed", self.tests.len() - failed)
    }
}

/// Compiles the app and runs every test of it, each from an empty state.
pub fn run_tests(spec: &AppSpec) -> TestReport {
    let mut report = TestReport::default();
    for (i, test) in spec.tests.iter().enumerate() {
        let topology = match compile(spec) {
            Ok(topology) => topology,
            Err(diagnostics) => {
                report.diagnostics = diagnostics;
                return report;
            }
        };
        let mut outcome = TestOutcome {
            name: test.name.clone(),
            path: format!("tests[{i}]"),
            ..TestOutcome::default()
        };
        match TestDriver::new(topology) {
            Ok(driver) => {
                if let Err(error) = run(driver, spec, test, &mut outcome) {
                    outcome.failures.push(error.to_string());
                }
            }
            Err(error) => outcome.failures.push(error.to_string()),
        }
        report.tests.push(outcome);
    }
    if spec.tests.is_empty()
        && let Err(diagnostics) = compile(spec)
    {
        report.diagnostics = diagnostics;
    }
    report
}

fn run(
    mut driver: TestDriver,
    spec: &AppSpec,
    test: &AppTest,
    outcome: &mut TestOutcome,
) -> Result<(), DriverError> {
    let sources: BTreeMap<&str, &Source> =
        spec.sources.iter().chain(&spec.tables).map(|s| (s.name.as_str(), s)).collect();
    for input in &test.input {
        // `compile` has checked names and literals.
        let Some(source) = sources.get(input.from.as_str()) else { continue };
        let key = typed(&input.key, source.key).unwrap_or_default();
        let value = typed(&input.value, source.value).unwrap_or_default();
        let (key, value) = ((source.key, key), (source.value, value));
        driver.pipe(&source.topic, key, value, input.timestamp)?;
    }
    for failure in driver.take_failures() {
        outcome.notes.push(format!(
            "{}, record {} ({}), step {}: {}",
            failure.input.topic,
            failure.input.offset + 1,
            shown(failure.input.value.as_ref()),
            failure.step,
            failure.message
        ));
    }
    for (topic, (key, value)) in sinks(&driver) {
        let written = driver.read(&topic, key, value)?;
        let expected = test.expect.iter().filter(|output| output.to == topic);
        compare(&topic, expected, (key, value), &written, &mut outcome.failures);
    }
    Ok(())
}

/// The app's own output topics, with their types.
fn sinks(driver: &TestDriver) -> BTreeMap<String, (Serde, Serde)> {
    let nodes = driver.topology().nodes().iter();
    nodes
        .filter_map(|node| match &node.kind {
            NodeKind::Sink(sink) => match &sink.topic {
                Topic::External(topic) => Some((topic.to_string(), (sink.key, sink.value))),
                Topic::Repartition(_) => None,
            },
            _ => None,
        })
        .collect()
}

fn compare<'t>(
    topic: &str,
    expected: impl Iterator<Item = &'t TestOutput>,
    (key, value): (Serde, Serde),
    written: &[(Value, Value)],
    failures: &mut Vec<String>,
) {
    let expected: Vec<(Value, Value)> = expected
        .map(|output| {
            let key = typed(&output.key, key).unwrap_or_default();
            (key, typed(&output.value, value).unwrap_or_default())
        })
        .collect();
    for i in 0..expected.len().max(written.len()) {
        let message = match (expected.get(i), written.get(i)) {
            (Some(wanted), Some(found)) if same(wanted, found) => continue,
            (Some(wanted), Some(found)) => {
                format!("expected {}, got {}", pair(wanted), pair(found))
            }
            (Some(wanted), None) => {
                format!("expected {}, but nothing more was written", pair(wanted))
            }
            (None, Some(found)) => format!("got {}, which was not expected", pair(found)),
            (None, None) => continue,
        };
        failures.push(format!("{topic}, record {}: {message}", i + 1));
    }
}

fn same(a: &(Value, Value), b: &(Value, Value)) -> bool {
    a.0.equals(&b.0) && a.1.equals(&b.1)
}

fn pair((key, value): &(Value, Value)) -> String {
    format!("{key} = {value}")
}

/// A broken value in a message, shortened.
fn shown(value: Option<&bytes::Bytes>) -> String {
    /// Bytes that are shown.
    const MAX_SHOWN: usize = 40;
    let Some(value) = value else { return "null".to_owned() };
    let short = value.get(..MAX_SHOWN).unwrap_or(value);
    let dots = if value.len() > MAX_SHOWN { "…" } else { "" };
    format!("{}{dots}", String::from_utf8_lossy(short))
}
