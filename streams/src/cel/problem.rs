//! What is wrong with an expression.

use std::fmt;

/// Why an expression does not compile, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

impl Problem {
    pub(crate) fn at(offset: Option<u32>, source: &str, message: impl Into<String>) -> Problem {
        let (line, column) = position(source, offset.unwrap_or(0));
        Problem { message: message.into(), line, column }
    }
}

/// Line and column, from 1, of the character at `offset` (in bytes).
fn position(source: &str, offset: u32) -> (u32, u32) {
    let (mut line, mut column) = (1, 1);
    for (at, character) in source.char_indices() {
        if at >= offset as usize {
            break;
        }
        if character == '\n' {
            line += 1;
            column = 1;
        } else {
            column += 1;
        }
    }
    (line, column)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for Problem {}
