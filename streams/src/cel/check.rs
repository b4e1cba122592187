//! The static type check: syntax tree → [`Op`] and type, or what is wrong and what to write instead.

use super::builtins::literal_bytes;
use super::functions::{FUNCTIONS, Function, MACROS, Param, Style};
use super::op::{Arithmetic, Compare, Loop, LoopParts, Op};
use super::parse::Parsed;
use super::show::show;
use super::{MAX_DEPTH, Problem, Scope};
use crate::{Type, Value};
use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, MapExpr, SourceInfo};
use protocol::Str;
use regex::{Regex, RegexBuilder};

/// Memory that one compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

type Checked = Result<(Op, Type), Problem>;

pub(super) fn check(parsed: &Parsed, scope: &Scope) -> Checked {
    let mut checker =
        Checker { info: &parsed.info, source: &parsed.source, scope, locals: Vec::new(), depth: 0 };
    checker.check(&parsed.root)
}

struct Checker<'a> {
    info: &'a SourceInfo,
    source: &'a str,
    scope: &'a Scope,
    /// Variables of the loops around, innermost last.
    locals: Vec<(String, Type)>,
    depth: usize,
}

impl Checker<'_> {
    fn problem(&self, at: &IdedExpr, message: impl Into<String>) -> Problem {
        let offset = start_of(self.info, at);
        Problem::at(offset, self.source, message)
    }

    fn check(&mut self, expr: &IdedExpr) -> Checked {
        if self.depth >= MAX_DEPTH {
            let message = format!(
                "the expression is nested deeper than {MAX_DEPTH}: split it over several steps"
            );
            return Err(self.problem(expr, message));
        }
        self.depth += 1;
        let checked = self.check_inner(expr);
        self.depth -= 1;
        checked
    }

    fn check_inner(&mut self, expr: &IdedExpr) -> Checked {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(name) => self.variable(expr, name),
            Expr::Select(select) => {
                let (op, ty) = self.check(&select.operand)?;
                let result = self.field_type(expr, &select.operand, &ty, &select.field)?;
                Ok((Op::Field(Box::new(op), Str::copy(&select.field)), result))
            }
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => {
                let mut ops = Vec::new();
                let mut element: Option<Type> = None;
                for item in &list.elements {
                    let (op, ty) = self.check(item)?;
                    ops.push(op);
                    element =
                        Some(element.map_or(ty.clone(), |t| t.join(&ty).unwrap_or(Type::Dyn)));
                }
                Ok((Op::List(ops.into()), Type::list(element.unwrap_or(Type::Dyn))))
            }
            Expr::Map(map) => self.map(map),
            Expr::Struct(object) => Err(self.problem(
                expr,
                format!(
                    "there is no message type `{}`: write a map, {{'field': …}}",
                    object.type_name
                ),
            )),
            Expr::Comprehension(_) | Expr::Unspecified => {
                Err(self.problem(expr, "this part of the expression is not supported"))
            }
        }
    }

    fn literal(&self, expr: &IdedExpr, literal: &LiteralValue) -> Checked {
        let (value, ty) = match literal {
            LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Bool),
            LiteralValue::Int(value) => (Value::Int(*value.inner()), Type::Int),
            LiteralValue::Double(value) => (Value::Double(*value.inner()), Type::Double),
            LiteralValue::String(text) => (Value::text(text.inner()), Type::String),
            LiteralValue::Bytes(bytes) => (literal_bytes(bytes.inner()), Type::Bytes),
            LiteralValue::Null => (Value::Null, Type::Null),
            LiteralValue::UInt(value) => {
                return Err(self.problem(
                    expr,
                    format!("there are no unsigned numbers here: write {}", value.inner()),
                ));
            }
        };
        Ok((Op::Const(value), ty))
    }

    fn variable(&self, expr: &IdedExpr, name: &str) -> Checked {
        if let Some(i) = self.locals.iter().rposition(|(local, _)| local == name) {
            return Ok((Op::Local(self.locals.len() - 1 - i), self.locals[i].1.clone()));
        }
        if let Some((var, ty)) = self.scope.find(name) {
            return Ok((Op::Var(var), ty));
        }
        let known = self.scope.names();
        let hint = match name {
            "agg" | "aggregate" => {
                "; `agg` is known only in aggregate's and reduce's expressions".to_owned()
            }
            _ => closest(name, known.iter().copied())
                .map_or(String::new(), |near| format!("; did you mean `{near}`?")),
        };
        let known = match known.as_slice() {
            [] => "and none at all".to_owned(),
            known => format!("there are {}", known.join(", ")),
        };
        let text = format!("there is no variable `{name}` here, {known}{hint}");
        Err(self.problem(expr, text))
    }

    fn field_type(
        &self,
        at: &IdedExpr,
        operand: &IdedExpr,
        ty: &Type,
        field: &str,
    ) -> Result<Type, Problem> {
        match ty {
            Type::Dyn => Ok(Type::Dyn),
            Type::Map(value) => Ok((**value).clone()),
            other => {
                let what = show(&operand.expr);
                let hint = if FUNCTIONS.iter().any(|f| f.name == field) {
                    format!("`{field}` is a function: write {what}.{field}()")
                } else if *other == Type::String {
                    format!("declare the topic's type as json, or use parseJson({what}).{field}")
                } else {
                    "only a map and json have fields".to_owned()
                };
                Err(self.problem(
                    at,
                    format!("{what} is {other} here and has no field `{field}`: {hint}"),
                ))
            }
        }
    }

    fn map(&mut self, map: &MapExpr) -> Checked {
        let mut entries = Vec::new();
        let mut value: Option<Type> = None;
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let (key, key_type) = self.check(&entry.key)?;
            if !key_type.fits(&Type::String) || key_type == Type::Null {
                let shown = show(&entry.key.expr);
                return Err(self.problem(
                    &entry.key,
                    format!(
                        "{shown} is {key_type} and a map's keys are strings: use string({shown})"
                    ),
                ));
            }
            let (op, ty) = self.check(&entry.value)?;
            entries.push((key, op));
            value = Some(value.map_or(ty.clone(), |t| t.join(&ty).unwrap_or(Type::Dyn)));
        }
        Ok((Op::Map(entries.into()), Type::map(value.unwrap_or(Type::Dyn))))
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Checked {
        match (call.func_name.as_str(), call.args.as_slice(), &call.target) {
            ("_?_:_", [condition, yes, no], None) => self.conditional(expr, condition, yes, no),
            ("_&&_", [a, b], None) => {
                Ok((Op::And(Box::new((self.condition(a)?, self.condition(b)?))), Type::Bool))
            }
            ("_||_", [a, b], None) => {
                Ok((Op::Or(Box::new((self.condition(a)?, self.condition(b)?))), Type::Bool))
            }
            ("!_", [a], None) => Ok((Op::Not(Box::new(self.condition(a)?)), Type::Bool)),
            ("-_", [a], None) => {
                let (op, ty) = self.check(a)?;
                if ty.is_number() || ty == Type::Dyn {
                    return Ok((Op::Negate(Box::new(op)), ty));
                }
                Err(self.needs(expr, a, &ty, "a number", Some(&Type::Int)))
            }
            ("_==_", [a, b], None) => self.equality(expr, a, b, false),
            ("_!=_", [a, b], None) => self.equality(expr, a, b, true),
            ("_<_", [a, b], None) => self.comparison(expr, a, b, Compare::Less),
            ("_<=_", [a, b], None) => self.comparison(expr, a, b, Compare::LessOrEqual),
            ("_>_", [a, b], None) => self.comparison(expr, a, b, Compare::Greater),
            ("_>=_", [a, b], None) => self.comparison(expr, a, b, Compare::GreaterOrEqual),
            ("_+_", [a, b], None) => self.arithmetic(expr, a, b, Arithmetic::Add),
            ("_-_", [a, b], None) => self.arithmetic(expr, a, b, Arithmetic::Subtract),
            ("_*_", [a, b], None) => self.arithmetic(expr, a, b, Arithmetic::Multiply),
            ("_/_", [a, b], None) => self.arithmetic(expr, a, b, Arithmetic::Divide),
            ("_%_", [a, b], None) => self.arithmetic(expr, a, b, Arithmetic::Modulo),
            ("_[_]", [a, b], None) => self.index(expr, a, b),
            ("@in", [a, b], None) => self.membership(expr, a, b),
            ("has", [field], None) => self.has(field),
            ("all", [x, body], Some(range)) => self.loop_(Loop::All, range, x, Some(body), None),
            ("exists", [x, body], Some(range)) => {
                self.loop_(Loop::Exists, range, x, Some(body), None)
            }
            ("exists_one" | "existsOne", [x, body], Some(range)) => {
                self.loop_(Loop::ExistsOne, range, x, Some(body), None)
            }
            ("filter", [x, body], Some(range)) => {
                self.loop_(Loop::Filter, range, x, Some(body), None)
            }
            ("map", [x, yields], Some(range)) => {
                self.loop_(Loop::Map, range, x, None, Some(yields))
            }
            ("map", [x, body, yields], Some(range)) => {
                self.loop_(Loop::Map, range, x, Some(body), Some(yields))
            }
            _ => self.function(expr, call),
        }
    }

    fn condition(&mut self, expr: &IdedExpr) -> Result<Op, Problem> {
        let (op, ty) = self.check(expr)?;
        if matches!(ty, Type::Bool | Type::Dyn) {
            return Ok(op);
        }
        let shown = show(&expr.expr);
        let hint = match ty {
            Type::String => format!("compare it, for instance {shown} != ''"),
            Type::Int => format!("compare it, for instance {shown} != 0"),
            _ => format!("compare it, for instance {shown} != null"),
        };
        Err(self.problem(expr, format!("{shown} is {ty} here and a condition is needed: {hint}")))
    }

    fn conditional(
        &mut self,
        expr: &IdedExpr,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Checked {
        let condition = self.condition(condition)?;
        let (yes_op, yes_type) = self.check(yes)?;
        let (no_op, no_type) = self.check(no)?;
        let Some(ty) = yes_type.join(&no_type) else {
            let hint = convert(&show(&no.expr), &no_type, &yes_type)
                .map_or(String::new(), |hint| format!(": use {hint}"));
            return Err(self.problem(
                expr,
                format!(
                    "the two sides of `?` have different types, {} is {yes_type} and {} is {no_type}{hint}",
                    show(&yes.expr),
                    show(&no.expr)
                ),
            ));
        };
        Ok((Op::If(Box::new((condition, yes_op, no_op))), ty))
    }

    fn equality(&mut self, expr: &IdedExpr, a: &IdedExpr, b: &IdedExpr, negated: bool) -> Checked {
        let (a_op, a_type) = self.check(a)?;
        let (b_op, b_type) = self.check(b)?;
        let comparable =
            a_type.join(&b_type).is_some() || (a_type.is_number() && b_type.is_number());
        if !comparable {
            return Err(self.differ(expr, (a, &a_type), (b, &b_type), "they are never equal"));
        }
        Ok((Op::Equal { negated, sides: Box::new((a_op, b_op)) }, Type::Bool))
    }

    fn comparison(
        &mut self,
        expr: &IdedExpr,
        a: &IdedExpr,
        b: &IdedExpr,
        which: Compare,
    ) -> Checked {
        let (a_op, a_type) = self.check(a)?;
        let (b_op, b_type) = self.check(b)?;
        for (side, ty) in [(a, &a_type), (b, &b_type)] {
            if matches!(ty, Type::Null | Type::List(_) | Type::Map(_)) {
                let shown = show(&side.expr);
                return Err(self.problem(side, format!("{shown} is {ty} here and has no order")));
            }
        }
        let comparable =
            a_type.join(&b_type).is_some() || (a_type.is_number() && b_type.is_number());
        if !comparable {
            return Err(self.differ(expr, (a, &a_type), (b, &b_type), "they cannot be compared"));
        }
        Ok((Op::Compare(which, Box::new((a_op, b_op))), Type::Bool))
    }

    fn arithmetic(
        &mut self,
        expr: &IdedExpr,
        a: &IdedExpr,
        b: &IdedExpr,
        which: Arithmetic,
    ) -> Checked {
        let (a_op, a_type) = self.check(a)?;
        let (b_op, b_type) = self.check(b)?;
        let add = which == Arithmetic::Add;
        for (side, ty) in [(a, &a_type), (b, &b_type)] {
            let possible = match ty {
                Type::Dyn | Type::Int => true,
                Type::Double => which != Arithmetic::Modulo,
                Type::String | Type::Bytes | Type::List(_) => add,
                Type::Null | Type::Bool | Type::Map(_) => false,
            };
            if !possible {
                let needs = if which == Arithmetic::Modulo { "int" } else { "a number" };
                return Err(self.needs(expr, side, ty, needs, Some(&Type::Int)));
            }
        }
        let Some(ty) = a_type.join(&b_type) else {
            return Err(self.differ(expr, (a, &a_type), (b, &b_type), ""));
        };
        Ok((Op::Arithmetic(which, Box::new((a_op, b_op))), ty))
    }

    fn index(&mut self, expr: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Checked {
        let (a_op, a_type) = self.check(a)?;
        let (b_op, b_type) = self.check(b)?;
        let (wanted, result) = match &a_type {
            Type::Dyn => (Type::Dyn, Type::Dyn),
            Type::List(element) => (Type::Int, (**element).clone()),
            Type::Map(value) => (Type::String, (**value).clone()),
            other => {
                let shown = show(&a.expr);
                let hint = if *other == Type::String {
                    format!(": use {shown}.substring(…)")
                } else {
                    String::new()
                };
                return Err(self.problem(
                    expr,
                    format!(
                        "{shown} is {other} here; only lists, maps and json take an index{hint}"
                    ),
                ));
            }
        };
        if !b_type.fits(&wanted) || b_type == Type::Null {
            return Err(self.needs(expr, b, &b_type, &wanted.to_string(), Some(&wanted)));
        }
        Ok((Op::Index(Box::new((a_op, b_op))), result))
    }

    fn membership(&mut self, expr: &IdedExpr, a: &IdedExpr, b: &IdedExpr) -> Checked {
        let (a_op, a_type) = self.check(a)?;
        let (b_op, b_type) = self.check(b)?;
        let element = match &b_type {
            Type::Dyn => Type::Dyn,
            Type::List(element) => (**element).clone(),
            Type::Map(_) => Type::String,
            other => {
                let shown = show(&b.expr);
                let hint = if *other == Type::String {
                    format!(": use {shown}.contains({})", show(&a.expr))
                } else {
                    String::new()
                };
                return Err(self.problem(
                    b,
                    format!("{shown} is {other} here and `in` needs a list or a map{hint}"),
                ));
            }
        };
        if a_type.join(&element).is_none() {
            return Err(self.needs(expr, a, &a_type, &element.to_string(), Some(&element)));
        }
        Ok((Op::In(Box::new((a_op, b_op))), Type::Bool))
    }

    fn has(&mut self, field: &IdedExpr) -> Checked {
        let Expr::Select(select) = &field.expr else {
            let text = "has() takes a field, for instance has(value.name)";
            return Err(self.problem(field, text));
        };
        let (op, ty) = self.check(&select.operand)?;
        self.field_type(field, &select.operand, &ty, &select.field)?;
        Ok((Op::Has(Box::new(op), Str::copy(&select.field)), Type::Bool))
    }

    fn loop_(
        &mut self,
        kind: Loop,
        range: &IdedExpr,
        variable: &IdedExpr,
        condition: Option<&IdedExpr>,
        yields: Option<&IdedExpr>,
    ) -> Checked {
        let (range_op, range_type) = self.check(range)?;
        let element = match &range_type {
            Type::Dyn => Type::Dyn,
            Type::List(element) => (**element).clone(),
            Type::Map(_) => Type::String,
            other => {
                let shown = show(&range.expr);
                return Err(self.problem(
                    range,
                    format!(
                        "{shown} is {other} here and has no elements: a list or a map is needed"
                    ),
                ));
            }
        };
        let Expr::Ident(name) = &variable.expr else {
            let text = "the first argument names the element: a plain name such as `x`";
            return Err(self.problem(variable, text));
        };
        self.locals.push((name.clone(), element.clone()));
        let body = self.loop_body(condition, yields);
        self.locals.pop();
        let (condition, yields) = body?;
        let (yields, yield_type) = yields.map_or((None, None), |(op, ty)| (Some(op), Some(ty)));
        let result = match kind {
            Loop::All | Loop::Exists | Loop::ExistsOne => Type::Bool,
            Loop::Filter => Type::list(element),
            Loop::Map => Type::list(yield_type.unwrap_or(Type::Dyn)),
        };
        let parts = LoopParts { range: range_op, condition, yields };
        Ok((Op::Loop { kind, parts: Box::new(parts) }, result))
    }

    #[expect(clippy::type_complexity, reason = "two optional parts, each checked")]
    fn loop_body(
        &mut self,
        condition: Option<&IdedExpr>,
        yields: Option<&IdedExpr>,
    ) -> Result<(Option<Op>, Option<(Op, Type)>), Problem> {
        let condition = condition.map(|c| self.condition(c)).transpose()?;
        let yields = yields.map(|y| self.check(y)).transpose()?;
        Ok((condition, yields))
    }

    fn function(&mut self, expr: &IdedExpr, call: &CallExpr) -> Checked {
        let name = call.func_name.as_str();
        let named: Vec<&Function> = FUNCTIONS.iter().filter(|f| f.name == name).collect();
        if named.is_empty() {
            return Err(self.unknown_function(expr, name));
        }
        let args: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let style = if call.target.is_some() { Style::Method } else { Style::Global };
        let found = named
            .iter()
            .find(|f| f.params.len() == args.len() && (f.style == style || f.style == Style::Both));
        let Some(function) = found else {
            let usages: Vec<&str> = named.iter().map(|f| f.usage).collect();
            return Err(self.problem(expr, format!("write {}", usages.join(" or "))));
        };
        let mut ops = Vec::new();
        let mut types = Vec::new();
        let mut pattern = None;
        for (param, arg) in function.params.iter().zip(args) {
            if *param == Param::Pattern {
                pattern = Some(Box::new(self.pattern(arg)?));
                continue;
            }
            let (op, ty) = self.check(arg)?;
            let first = types.first().cloned().unwrap_or(Type::Dyn);
            if !param.takes(&ty, &first) {
                let needs = param.needs(&first);
                return Err(self.needs(expr, arg, &ty, &needs, param.wanted(&first).as_ref()));
            }
            ops.push(op);
            types.push(ty);
        }
        let result = (function.result)(&types);
        Ok((Op::Call { run: function.run, args: ops.into(), pattern }, result))
    }

    fn unknown_function(&self, expr: &IdedExpr, name: &str) -> Problem {
        let usages = FUNCTIONS.iter().map(|f| (f.name, f.usage)).chain(MACROS.iter().copied());
        let exact = usages.clone().find(|(known, _)| *known == name);
        let near = exact.or_else(|| {
            let near = closest(name, usages.clone().map(|(known, _)| known))?;
            usages.clone().find(|(known, _)| *known == near)
        });
        let text = match (near, exact) {
            (Some((_, usage)), Some(_)) => format!("write {usage}"),
            (Some((near, usage)), None) => {
                format!("there is no function `{name}`; did you mean `{near}`, as in {usage}?")
            }
            (None, _) => {
                let mut names: Vec<&str> = usages.map(|(known, _)| known).collect();
                names.dedup();
                format!("there is no function `{name}`, there are {}", names.join(", "))
            }
        };
        self.problem(expr, text)
    }

    fn pattern(&self, arg: &IdedExpr) -> Result<Regex, Problem> {
        let Expr::Literal(LiteralValue::String(pattern)) = &arg.expr else {
            let text = format!(
                "{} must be a literal regular expression such as r'\\W+', so that it is compiled once",
                show(&arg.expr)
            );
            return Err(self.problem(arg, text));
        };
        RegexBuilder::new(pattern.inner())
            .size_limit(MAX_PATTERN_BYTES)
            .build()
            .map_err(|e| self.problem(arg, format!("the regular expression is not valid: {e}")))
    }

    /// `x is T here; expr needs U: use …`
    fn needs(
        &self,
        expr: &IdedExpr,
        side: &IdedExpr,
        ty: &Type,
        needs: &str,
        wanted: Option<&Type>,
    ) -> Problem {
        let shown = show(&side.expr);
        let hint = wanted
            .and_then(|wanted| convert(&shown, ty, wanted))
            .map_or(String::new(), |hint| format!(": use {hint}"));
        let whole = show(&expr.expr);
        self.problem(side, format!("{shown} is {ty} here; `{whole}` needs {needs}{hint}"))
    }

    /// For an operator whose sides do not go together.
    fn differ(
        &self,
        expr: &IdedExpr,
        (a, a_type): (&IdedExpr, &Type),
        (b, b_type): (&IdedExpr, &Type),
        why: &str,
    ) -> Problem {
        let whole = show(&expr.expr);
        // A literal says what is meant; between two variables, text takes everything.
        let convert_a = !is_literal(a) && (is_literal(b) || *b_type == Type::String);
        let (side, ty, other, wanted) =
            if convert_a { (a, a_type, b, b_type) } else { (b, b_type, a, a_type) };
        let (shown, other_shown) = (show(&side.expr), show(&other.expr));
        let Some(hint) = convert(&shown, ty, wanted) else {
            let why = if why.is_empty() { "they do not go together" } else { why };
            return self.problem(
                side,
                format!("in `{whole}`, {shown} is {ty} and {other_shown} is {wanted}: {why}"),
            );
        };
        let operator = operator(&expr.expr);
        let fixed = if convert_a {
            format!("{hint} {operator} {other_shown}")
        } else {
            format!("{other_shown} {operator} {hint}")
        };
        self.problem(side, format!("{shown} is {ty} here; `{whole}` needs {wanted}: use {fixed}"))
    }
}

fn operator(expr: &Expr) -> &str {
    match expr {
        Expr::Call(call) => call.func_name.trim_matches('_'),
        _ => "",
    }
}

fn is_literal(expr: &IdedExpr) -> bool {
    matches!(expr.expr, Expr::Literal(_))
}

/// The conversion that makes `wanted` of `shown`, if there is one.
pub(crate) fn convert(shown: &str, ty: &Type, wanted: &Type) -> Option<String> {
    let function = match (ty, wanted) {
        (Type::String | Type::Double, Type::Int) => "int",
        (Type::String | Type::Int, Type::Double) => "double",
        (Type::Int | Type::Double | Type::Bool | Type::Bytes, Type::String) => "string",
        (Type::List(_) | Type::Map(_), Type::String) => "toJson",
        (Type::String, Type::Bool) => "bool",
        (Type::String, Type::Bytes) => "bytes",
        _ => return None,
    };
    Some(format!("{function}({shown})"))
}

/// The leftmost character of `expr`: an operator's node is placed at its sign, not at its first operand.
fn start_of(info: &SourceInfo, expr: &IdedExpr) -> Option<u32> {
    let own = info.offset_for(expr.id).map(|(start, _)| start);
    let first = match &expr.expr {
        Expr::Call(call) => call.target.as_deref().or_else(|| call.args.first()),
        Expr::Select(select) => Some(&*select.operand),
        _ => None,
    };
    match (own, first.and_then(|first| start_of(info, first))) {
        (Some(own), Some(first)) => Some(own.min(first)),
        (own, first) => own.or(first),
    }
}

/// The name that was probably meant.
pub(crate) fn closest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    /// Typing errors that still count as the same name.
    const MAX_TYPOS: usize = 2;
    known
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(typos, candidate)| *typos <= MAX_TYPOS && *typos * 2 < candidate.len())
        .min_by_key(|(typos, _)| *typos)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
