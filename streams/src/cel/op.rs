//! A checked expression, and its evaluation.

use super::scope::{Bindings, Var};
use super::{MAX_STEPS, MAX_TEXT_BYTES};
use crate::Value;
use crate::value::Map;
use protocol::Str;
use regex::Regex;
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

/// Why an expression has no value for this record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    message: String,
}

impl EvalError {
    pub(crate) fn new(message: impl Into<String>) -> EvalError {
        EvalError { message: message.into() }
    }
}

pub(super) type Result<T> = std::result::Result<T, EvalError>;
/// A function of the library: its arguments (the receiver first) and its compiled pattern, if it takes one.
pub(super) type Run = fn(&[Cow<'_, Value>], Option<&Regex>) -> Result<Value>;

/// An expression without names. Operators are checked again here, since operands may come out of JSON.
#[derive(Debug)]
pub(super) enum Op {
    Const(Value),
    Var(Var),
    /// A loop's variable: 0 is the innermost loop's.
    Local(usize),
    Not(Box<Op>),
    Negate(Box<Op>),
    Arithmetic(Arithmetic, Box<(Op, Op)>),
    Equal {
        negated: bool,
        sides: Box<(Op, Op)>,
    },
    Compare(Compare, Box<(Op, Op)>),
    And(Box<(Op, Op)>),
    Or(Box<(Op, Op)>),
    If(Box<(Op, Op, Op)>),
    In(Box<(Op, Op)>),
    Index(Box<(Op, Op)>),
    Field(Box<Op>, Str),
    Has(Box<Op>, Str),
    List(Box<[Op]>),
    Map(Box<[(Op, Op)]>),
    Call {
        run: Run,
        args: Box<[Op]>,
        pattern: Option<Box<Regex>>,
    },
    Loop {
        kind: Loop,
        parts: Box<LoopParts>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loop {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Debug)]
pub(super) struct LoopParts {
    pub range: Op,
    /// The condition; always true for `map` with two arguments.
    pub condition: Option<Op>,
    /// What `map` yields for each element.
    pub yields: Option<Op>,
}

struct Frame<'a> {
    local: &'a Value,
    outer: Option<&'a Frame<'a>>,
}

struct Evaluation<'a> {
    bindings: &'a Bindings<'a>,
    steps: Cell<u32>,
}

pub(super) fn eval<'a>(op: &'a Op, bindings: &'a Bindings<'a>) -> Result<Cow<'a, Value>> {
    match op {
        Op::Const(value) => Ok(Cow::Borrowed(value)),
        Op::Var(var) => Ok(variable(*var, bindings)),
        op => {
            let evaluation = Evaluation { bindings, steps: Cell::new(0) };
            evaluation.eval(op, None).map(|value| Cow::Owned(value.into_owned()))
        }
    }
}

fn variable<'a>(var: Var, bindings: &Bindings<'a>) -> Cow<'a, Value> {
    Cow::Owned(match var {
        Var::Key => return Cow::Borrowed(bindings.key),
        Var::Value => return Cow::Borrowed(bindings.value),
        Var::Agg => return Cow::Borrowed(bindings.agg),
        Var::Timestamp => Value::Int(bindings.timestamp_ms),
        Var::Topic => Value::String(bindings.topic.clone()),
        Var::Partition => Value::Int(i64::from(bindings.partition)),
        Var::Offset => Value::Int(bindings.offset),
        Var::Headers => Value::Map(Arc::new(
            bindings
                .headers
                .iter()
                .map(|(name, value)| {
                    (name.clone(), value.clone().map_or(Value::Null, Value::Bytes))
                })
                .collect(),
        )),
    })
}

impl<'a> Evaluation<'a> {
    fn eval<'f>(&'f self, op: &'f Op, frame: Option<&'f Frame<'f>>) -> Result<Cow<'f, Value>>
    where
        'a: 'f,
    {
        Ok(match op {
            Op::Const(value) => Cow::Borrowed(value),
            Op::Var(var) => variable(*var, self.bindings),
            Op::Local(depth) => Cow::Borrowed(local(*depth, frame)?),
            Op::Not(inner) => Cow::Owned(Value::Bool(!self.truth(inner, frame)?)),
            Op::Negate(inner) => Cow::Owned(negate(&*self.eval(inner, frame)?)?),
            Op::Arithmetic(which, sides) => {
                let (a, b) = (self.eval(&sides.0, frame)?, self.eval(&sides.1, frame)?);
                Cow::Owned(arithmetic(*which, &a, &b)?)
            }
            Op::Equal { negated, sides } => {
                let (a, b) = (self.eval(&sides.0, frame)?, self.eval(&sides.1, frame)?);
                Cow::Owned(Value::Bool(a.equals(&b) != *negated))
            }
            Op::Compare(which, sides) => {
                let (a, b) = (self.eval(&sides.0, frame)?, self.eval(&sides.1, frame)?);
                Cow::Owned(Value::Bool(compare(*which, &a, &b)?))
            }
            Op::And(sides) => Cow::Owned(Value::Bool(self.logic(sides, frame, false)?)),
            Op::Or(sides) => Cow::Owned(Value::Bool(self.logic(sides, frame, true)?)),
            Op::If(parts) => {
                if self.truth(&parts.0, frame)? {
                    self.eval(&parts.1, frame)?
                } else {
                    self.eval(&parts.2, frame)?
                }
            }
            Op::In(sides) => {
                let (a, b) = (self.eval(&sides.0, frame)?, self.eval(&sides.1, frame)?);
                Cow::Owned(Value::Bool(is_in(&a, &b)?))
            }
            Op::Index(sides) => {
                let (a, b) = (self.eval(&sides.0, frame)?, self.eval(&sides.1, frame)?);
                Cow::Owned(index(&a, &b)?)
            }
            Op::Field(inner, name) => match self.eval(inner, frame)? {
                Cow::Borrowed(value) => Cow::Borrowed(field(value, name)?),
                Cow::Owned(value) => Cow::Owned(field(&value, name)?.clone()),
            },
            Op::Has(inner, name) => {
                let found = match &*self.eval(inner, frame)? {
                    Value::Map(map) => map.contains_key(name.as_str()),
                    _ => false,
                };
                Cow::Owned(Value::Bool(found))
            }
            Op::List(elements) => Cow::Owned(self.list(elements, frame)?),
            Op::Map(entries) => Cow::Owned(self.map(entries, frame)?),
            Op::Call { run, args, pattern } => {
                Cow::Owned(self.call(*run, args, pattern.as_deref(), frame)?)
            }
            Op::Loop { kind, parts } => Cow::Owned(self.run_loop(*kind, parts, frame)?),
        })
    }

    fn truth<'f>(&'f self, op: &'f Op, frame: Option<&'f Frame<'f>>) -> Result<bool> {
        match &*self.eval(op, frame)? {
            Value::Bool(truth) => Ok(*truth),
            other => Err(EvalError::new(format!("{} is not true or false", other.type_of()))),
        }
    }

    /// `&&` and `||`: as CEL has it, one side that decides makes up for an error of the other.
    fn logic<'f>(
        &'f self,
        sides: &'f (Op, Op),
        frame: Option<&'f Frame<'f>>,
        decisive: bool,
    ) -> Result<bool> {
        match self.truth(&sides.0, frame) {
            Ok(first) if first == decisive => Ok(decisive),
            Ok(_) => self.truth(&sides.1, frame),
            Err(error) => match self.truth(&sides.1, frame) {
                Ok(second) if second == decisive => Ok(decisive),
                _ => Err(error),
            },
        }
    }

    fn list<'f>(&'f self, elements: &'f [Op], frame: Option<&'f Frame<'f>>) -> Result<Value> {
        let elements: Result<Vec<Value>> =
            elements.iter().map(|op| self.eval(op, frame).map(Cow::into_owned)).collect();
        Ok(Value::list(elements?))
    }

    fn map<'f>(&'f self, entries: &'f [(Op, Op)], frame: Option<&'f Frame<'f>>) -> Result<Value> {
        let mut map = Map::new();
        for (key, value) in entries {
            let Value::String(key) = self.eval(key, frame)?.into_owned() else {
                return Err(EvalError::new("a map's key is not a string"));
            };
            map.insert(key, self.eval(value, frame)?.into_owned());
        }
        Ok(Value::Map(Arc::new(map)))
    }

    /// The library's functions take at most three arguments: no vector is made for them.
    fn call<'f>(
        &'f self,
        run: Run,
        args: &'f [Op],
        pattern: Option<&Regex>,
        frame: Option<&'f Frame<'f>>,
    ) -> Result<Value> {
        match args {
            [a] => run(&[self.eval(a, frame)?], pattern),
            [a, b] => run(&[self.eval(a, frame)?, self.eval(b, frame)?], pattern),
            [a, b, c] => {
                run(&[self.eval(a, frame)?, self.eval(b, frame)?, self.eval(c, frame)?], pattern)
            }
            _ => Err(EvalError::new("a function was called without arguments")),
        }
    }

    fn run_loop<'f>(
        &'f self,
        kind: Loop,
        parts: &'f LoopParts,
        frame: Option<&'f Frame<'f>>,
    ) -> Result<Value> {
        let range = self.eval(&parts.range, frame)?;
        let mut fold = Fold::new(kind);
        match &*range {
            Value::List(elements) => {
                for element in elements.iter() {
                    if !self.step(parts, element, frame, &mut fold)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for key in map.keys() {
                    if !self.step(parts, &Value::String(key.clone()), frame, &mut fold)? {
                        break;
                    }
                }
            }
            other => {
                return Err(EvalError::new(format!("{} has no elements", other.type_of())));
            }
        }
        Ok(fold.finish())
    }

    /// One element; false when the rest cannot change the result.
    fn step(
        &self,
        parts: &LoopParts,
        element: &Value,
        outer: Option<&Frame<'_>>,
        fold: &mut Fold,
    ) -> Result<bool> {
        let steps = self.steps.get() + 1;
        if steps > MAX_STEPS {
            return Err(EvalError::new(format!("it takes more than {MAX_STEPS} steps")));
        }
        self.steps.set(steps);
        let frame = Frame { local: element, outer };
        let holds = match &parts.condition {
            Some(condition) => self.truth(condition, Some(&frame))?,
            None => true,
        };
        let yields = match &parts.yields {
            Some(yields) if holds => Some(self.eval(yields, Some(&frame))?.into_owned()),
            _ => None,
        };
        Ok(fold.add(holds, element, yields))
    }
}

struct Fold {
    kind: Loop,
    decided: bool,
    hits: u32,
    out: Vec<Value>,
}

impl Fold {
    fn new(kind: Loop) -> Fold {
        Fold { kind, decided: false, hits: 0, out: Vec::new() }
    }

    fn add(&mut self, holds: bool, element: &Value, yields: Option<Value>) -> bool {
        match self.kind {
            Loop::All => self.decided = !holds,
            Loop::Exists => self.decided = holds,
            Loop::ExistsOne => self.hits += u32::from(holds),
            Loop::Filter if holds => self.out.push(element.clone()),
            Loop::Filter => {}
            Loop::Map => self.out.extend(yields),
        }
        !self.decided
    }

    fn finish(self) -> Value {
        match self.kind {
            Loop::All => Value::Bool(!self.decided),
            Loop::Exists => Value::Bool(self.decided),
            Loop::ExistsOne => Value::Bool(self.hits == 1),
            Loop::Filter | Loop::Map => Value::list(self.out),
        }
    }
}

fn local<'f>(depth: usize, frame: Option<&'f Frame<'f>>) -> Result<&'f Value> {
    let mut frame = frame;
    for _ in 0..depth {
        frame = frame.and_then(|f| f.outer);
    }
    frame.map(|f| f.local).ok_or_else(|| EvalError::new("a loop's variable is out of scope"))
}

fn field<'v>(value: &'v Value, name: &Str) -> Result<&'v Value> {
    match value {
        Value::Map(map) => map
            .get(name.as_str())
            .ok_or_else(|| EvalError::new(format!("there is no field `{name}`"))),
        other => Err(EvalError::new(format!("{} has no field `{name}`", other.type_of()))),
    }
}

fn index(value: &Value, at: &Value) -> Result<Value> {
    match (value, at) {
        (Value::List(elements), Value::Int(i)) => {
            usize::try_from(*i).ok().and_then(|i| elements.get(i)).cloned().ok_or_else(|| {
                EvalError::new(format!("index {i} is out of a list of {}", elements.len()))
            })
        }
        (Value::Map(_), Value::String(name)) => field(value, name).cloned(),
        (value, at) => {
            Err(EvalError::new(format!("{}[{}] is not possible", value.type_of(), at.type_of())))
        }
    }
}

fn is_in(element: &Value, range: &Value) -> Result<bool> {
    match (element, range) {
        (element, Value::List(elements)) => Ok(elements.iter().any(|e| e.equals(element))),
        (Value::String(key), Value::Map(map)) => Ok(map.contains_key(key.as_str())),
        (_, Value::Map(_)) => Ok(false),
        (_, other) => Err(EvalError::new(format!("{} has no elements", other.type_of()))),
    }
}

fn negate(value: &Value) -> Result<Value> {
    match value {
        Value::Int(value) => {
            value.checked_neg().map(Value::Int).ok_or_else(|| overflow("-", *value, 0))
        }
        Value::Double(value) => Ok(Value::Double(-value)),
        other => Err(EvalError::new(format!("-{} is not possible", other.type_of()))),
    }
}

fn overflow(operator: &str, a: i64, b: i64) -> EvalError {
    EvalError::new(format!("{a} {operator} {b} is out of an int's range"))
}

fn arithmetic(which: Arithmetic, a: &Value, b: &Value) -> Result<Value> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => int_arithmetic(which, *a, *b),
        (Value::Double(a), Value::Double(b)) => double_arithmetic(which, *a, *b),
        (Value::Int(a), Value::Double(b)) => double_arithmetic(which, *a as f64, *b),
        (Value::Double(a), Value::Int(b)) => double_arithmetic(which, *a, *b as f64),
        _ if which == Arithmetic::Add => concatenate(a, b),
        _ => Err(mismatch(which.symbol(), a, b)),
    }
}

impl Arithmetic {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Modulo => "%",
        }
    }
}

fn mismatch(operator: &str, a: &Value, b: &Value) -> EvalError {
    EvalError::new(format!("{} {operator} {} is not possible", a.type_of(), b.type_of()))
}

fn int_arithmetic(which: Arithmetic, a: i64, b: i64) -> Result<Value> {
    let result = match which {
        Arithmetic::Add => a.checked_add(b),
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide | Arithmetic::Modulo if b == 0 => {
            return Err(EvalError::new(format!("{a} {} 0: division by zero", which.symbol())));
        }
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Modulo => a.checked_rem(b),
    };
    result.map(Value::Int).ok_or_else(|| overflow(which.symbol(), a, b))
}

fn double_arithmetic(which: Arithmetic, a: f64, b: f64) -> Result<Value> {
    Ok(Value::Double(match which {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Modulo => return Err(EvalError::new("% is for ints: use int(…) on both")),
    }))
}

fn concatenate(a: &Value, b: &Value) -> Result<Value> {
    let fits = |a: usize, b: usize| {
        if a + b > MAX_TEXT_BYTES {
            return Err(EvalError::new(format!("the result exceeds {MAX_TEXT_BYTES} bytes")));
        }
        Ok(())
    };
    match (a, b) {
        (Value::String(a), Value::String(b)) => {
            fits(a.len(), b.len())?;
            Ok(Value::from([a.as_str(), b.as_str()].concat()))
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            fits(a.len(), b.len())?;
            Ok(Value::Bytes([a.as_ref(), b.as_ref()].concat().into()))
        }
        (Value::List(a), Value::List(b)) => {
            fits(a.len(), b.len())?;
            Ok(Value::list(a.iter().chain(b.iter()).cloned().collect()))
        }
        (a, b) => Err(mismatch("+", a, b)),
    }
}

/// The order of two values of one kind, `None` for others and for NaN.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Int(a), Value::Double(b)) => (*a as f64).partial_cmp(b),
        (Value::Double(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn compare(which: Compare, a: &Value, b: &Value) -> Result<bool> {
    let nan = |v: &Value| matches!(v, Value::Double(d) if d.is_nan());
    if nan(a) || nan(b) {
        return Ok(false);
    }
    let order = order(a, b).ok_or_else(|| mismatch("<", a, b))?;
    Ok(match which {
        Compare::Less => order.is_lt(),
        Compare::LessOrEqual => order.is_le(),
        Compare::Greater => order.is_gt(),
        Compare::GreaterOrEqual => order.is_ge(),
    })
}
