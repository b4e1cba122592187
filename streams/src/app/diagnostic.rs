//! What is wrong with a declared app, and where.

use crate::cel::Problem;
use std::fmt;

/// One thing to correct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Where in the spec, for instance `pipelines[0].steps[1].filter.where`.
    pub path: String,
    /// What is wrong and what to do.
    pub message: String,
    /// Line within the expression, from 1; 0 when the whole field is meant.
    pub line: u32,
    /// Column (character) within the expression's line, from 1; 0 when the whole field is meant.
    pub column: u32,
}

impl Diagnostic {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic { path: path.into(), message: message.into(), line: 0, column: 0 }
    }

    pub(super) fn expression(path: impl Into<String>, problem: Problem) -> Diagnostic {
        let Problem { message, line, column } = problem;
        Diagnostic { path: path.into(), message, line, column }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.path, self.message);
        }
        write!(f, "{} ({}:{}): {}", self.path, self.line, self.column, self.message)
    }
}
