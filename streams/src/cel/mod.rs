//! CEL expressions: parsed by the `cel` crate, type-checked and evaluated here.
//!
//! An expression is compiled once, before the app starts. [`check`] walks the crate's syntax tree, gives every node
//! a type and lowers it to [`op::Op`], a tree without names: evaluation does no lookups, builds no map of variables
//! and borrows what it only looks at.
//!
//! Invariants: an expression is at most [`MAX_EXPRESSION_BYTES`] long and [`MAX_DEPTH`] deep; one evaluation
//! takes at most [`MAX_STEPS`] loop steps and makes no text above [`MAX_TEXT_BYTES`]; it has no side effects and
//! depends on its variables alone, so that the same record always gives the same result.

mod builtins;
mod check;
mod functions;
mod op;
mod parse;
mod problem;
mod scope;
mod show;
#[cfg(test)]
mod tests;

pub(crate) use check::{closest, convert};
pub use functions::{FUNCTIONS, Function};
pub use op::EvalError;
pub use problem::Problem;
pub use scope::{Bindings, Scope};

use crate::{Type, Value};
use op::Op;
use std::borrow::Cow;
use std::sync::Arc;

/// Longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 8 * 1024;
/// Deepest nesting of an expression's parts.
pub const MAX_DEPTH: usize = 64;
/// Most elements that one evaluation looks at in `map`, `filter`, `all`, `exists` and `exists_one`.
pub const MAX_STEPS: u32 = 1_000_000;
/// Longest text that one function makes.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// A compiled expression; clones share it.
#[derive(Clone, Debug)]
pub struct Expression {
    source: Arc<str>,
    root: Arc<Op>,
    ty: Type,
}

impl Expression {
    /// Compiles `source` with the variables of `scope`. The error names a line and a column (from 1) in it and
    /// says what to do.
    pub fn compile(source: &str, scope: &Scope) -> Result<Expression, Problem> {
        let (root, ty) = parse::on_big_stack(|| {
            let parsed = parse::parse(source)?;
            check::check(&parsed, scope)
        })?;
        Ok(Expression { source: source.into(), root: Arc::new(root), ty })
    }

    pub fn type_of(&self) -> &Type {
        &self.ty
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn eval(&self, bindings: &Bindings<'_>) -> Result<Value, EvalError> {
        op::eval(&self.root, bindings).map(Cow::into_owned)
    }

    /// For a condition: anything but a bool is an error (it can only come out of JSON).
    pub fn holds(&self, bindings: &Bindings<'_>) -> Result<bool, EvalError> {
        match op::eval(&self.root, bindings)?.as_ref() {
            Value::Bool(holds) => Ok(*holds),
            other => Err(EvalError::new(format!(
                "`{}` is {} here, not true or false",
                self.source,
                other.type_of()
            ))),
        }
    }
}
