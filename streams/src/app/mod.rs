//! The declared app: a `StreamsApp`'s spec, its check, and its tests.
//!
//! * [`AppSpec`]: the YAML shape, without anything of Kubernetes.
//! * [`compile`]: spec → the same [`crate::Topology`] that the DSL builds, or every [`Diagnostic`] there is. Whatever can
//!   be known without records is known then: names, the order of operations, and the type of every expression.
//! * [`run_tests`]: the tests embedded in the spec, without a broker.

mod compile;
mod diagnostic;
mod expressions;
mod literal;
mod pipeline;
mod shape;
mod spec;
mod tests_run;

pub use compile::compile;
pub use diagnostic::Diagnostic;
pub use spec::{
    Aggregate, AppSpec, AppTest, Count, Filter, GroupBy, GroupByKey, Map, MapValues, Pipeline,
    Processing, Reduce, SelectKey, Sink, Source, Step, TestInput, TestOutput, ToStream, ToTable,
};
pub use tests_run::{TestOutcome, TestReport, run_tests};

#[cfg(test)]
mod tests;
