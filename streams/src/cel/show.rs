//! A syntax tree as text again, for messages.

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue};

/// Longest text of an expression within a message, in characters.
const MAX_SHOWN_CHARS: usize = 60;

/// `expr` as it could have been written, shortened.
pub(super) fn show(expr: &Expr) -> String {
    let text = full(expr);
    if text.chars().count() <= MAX_SHOWN_CHARS {
        return text;
    }
    text.chars().take(MAX_SHOWN_CHARS - 1).chain(['…']).collect()
}

fn full(expr: &Expr) -> String {
    match expr {
        Expr::Ident(name) => name.clone(),
        Expr::Literal(literal) => show_literal(literal),
        Expr::Select(select) => format!("{}.{}", operand(&select.operand.expr), select.field),
        Expr::Call(call) => show_call(call),
        Expr::List(list) => format!("[{}]", join(list.elements.iter().map(|e| &e.expr))),
        Expr::Map(map) => {
            let entries: Vec<String> = map
                .entries
                .iter()
                .map(|entry| match &entry.expr {
                    EntryExpr::MapEntry(e) => {
                        format!("{}: {}", full(&e.key.expr), full(&e.value.expr))
                    }
                    EntryExpr::StructField(f) => format!("{}: {}", f.field, full(&f.value.expr)),
                })
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Expr::Struct(object) => format!("{}{{…}}", object.type_name),
        Expr::Comprehension(_) | Expr::Unspecified => "…".to_owned(),
    }
}

fn show_literal(literal: &LiteralValue) -> String {
    match literal {
        LiteralValue::Boolean(value) => value.inner().to_string(),
        LiteralValue::Int(value) => value.inner().to_string(),
        LiteralValue::UInt(value) => format!("{}u", value.inner()),
        LiteralValue::Double(value) => format!("{:?}", value.inner()),
        LiteralValue::Null => "null".to_owned(),
        LiteralValue::String(text) => format!("'{}'", text.inner().escape_debug()),
        LiteralValue::Bytes(bytes) => format!("b'{}'", bytes.inner().escape_ascii()),
    }
}

fn show_call(call: &CallExpr) -> String {
    let args = || join(call.args.iter().map(|a| &a.expr));
    match (call.func_name.as_str(), call.args.as_slice()) {
        ("_?_:_", [c, a, b]) => {
            format!("{} ? {} : {}", operand(&c.expr), operand(&a.expr), operand(&b.expr))
        }
        ("_[_]", [a, b]) => format!("{}[{}]", operand(&a.expr), full(&b.expr)),
        ("@in", [a, b]) => format!("{} in {}", operand(&a.expr), operand(&b.expr)),
        ("!_", [a]) => format!("!{}", operand(&a.expr)),
        ("-_", [a]) => format!("-{}", operand(&a.expr)),
        (name, [a, b]) if name.starts_with('_') && name.ends_with('_') => {
            format!("{} {} {}", operand(&a.expr), name.trim_matches('_'), operand(&b.expr))
        }
        (name, _) => match &call.target {
            Some(target) => format!("{}.{name}({})", operand(&target.expr), args()),
            None => format!("{name}({})", args()),
        },
    }
}

/// In parentheses when it is an operator's application.
fn operand(expr: &Expr) -> String {
    match expr {
        Expr::Call(call) if call.target.is_none() && call.func_name.contains('_') => {
            format!("({})", full(expr))
        }
        _ => full(expr),
    }
}

fn join<'a>(exprs: impl Iterator<Item = &'a Expr>) -> String {
    exprs.map(full).collect::<Vec<_>>().join(", ")
}
