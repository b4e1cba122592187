//! Text → the `cel` crate's syntax tree, without macro expansion: `map`, `filter` and so on stay the calls that
//! were written, so that messages speak of them.

use super::{MAX_EXPRESSION_BYTES, Problem};
use cel::common::ast::{IdedExpr, SourceInfo};
use std::thread;

/// The parser (ANTLR) took 350 KiB for a trivial expression and above 8 MiB at its recursion limit in a debug
/// build. Pages that are not touched cost nothing.
const STACK_BYTES: usize = 256 * 1024 * 1024;

pub(super) struct Parsed {
    pub root: IdedExpr,
    pub info: SourceInfo,
    pub source: String,
}

/// Runs `compile` on a thread of its own with a stack that the parser cannot exhaust.
pub(super) fn on_big_stack<T: Send>(
    compile: impl FnOnce() -> Result<T, Problem> + Send,
) -> Result<T, Problem> {
    let failed = |why: &str| Problem {
        message: format!("the expression could not be compiled: {why}"),
        line: 1,
        column: 1,
    };
    thread::scope(|scope| {
        thread::Builder::new()
            .name("cel-compile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, compile)
            .map_err(|e| failed(&e.to_string()))?
            .join()
            .unwrap_or_else(|_| Err(failed("the parser gave up")))
    })
}

pub(super) fn parse(source: &str) -> Result<Parsed, Problem> {
    if source.len() > MAX_EXPRESSION_BYTES {
        let message = format!(
            "the expression has {} bytes and may have {MAX_EXPRESSION_BYTES}: split it over several steps",
            source.len()
        );
        return Err(Problem { message, line: 1, column: 1 });
    }
    if source.trim().is_empty() {
        let message = "the expression is empty: write one, for instance `value`".to_owned();
        return Err(Problem { message, line: 1, column: 1 });
    }
    let parser = cel::Env::default().with_optional_support(false).parser();
    match parser.parse_with_source_info(source) {
        Ok((root, info)) => Ok(Parsed { root, info, source: source.to_owned() }),
        Err(errors) => {
            let first = errors.errors.first();
            let (line, column) = first.map_or((1, 1), |e| e.pos);
            let message = first.map_or("syntax error", |e| e.msg.as_str());
            Err(Problem {
                message: readable(message),
                line: u32::try_from(line).unwrap_or(1).max(1),
                column: u32::try_from(column).unwrap_or(1).max(1),
            })
        }
    }
}

/// The parser's message without its list of internal token names.
fn readable(message: &str) -> String {
    let short = message.split(" expecting ").next().unwrap_or(message).trim();
    let short = short.strip_prefix("Syntax error: ").unwrap_or(short);
    format!("syntax error: {short}; see cel.dev for the syntax of expressions")
}
