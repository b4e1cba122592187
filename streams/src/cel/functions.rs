//! The library: which functions there are, what they take and give.

use super::builtins as run;
use super::op::Run;
use crate::Type;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    String,
    Int,
    Number,
    List,
    Strings,
    Map,
    /// Text, bytes, a list or a map.
    Sized,
    TextOrBytes,
    /// A literal regular expression, compiled with the expression.
    Pattern,
    Any,
    /// Of the first parameter's type.
    Same,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `x.f(y)`
    Method,
    /// `f(x, y)`
    Global,
    Both,
}

/// A function of the library. Functions with one name are told apart by their number of arguments.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    /// How to write it, for people.
    pub usage: &'static str,
    pub(super) style: Style,
    /// With the receiver.
    pub(super) params: &'static [Param],
    pub(super) result: fn(&[Type]) -> Type,
    pub(super) run: Run,
}

const fn function(
    name: &'static str,
    usage: &'static str,
    style: Style,
    params: &'static [Param],
    result: fn(&[Type]) -> Type,
    run: Run,
) -> Function {
    Function { name, usage, style, params, result, run }
}

fn bool(_: &[Type]) -> Type {
    Type::Bool
}
fn int(_: &[Type]) -> Type {
    Type::Int
}
fn double(_: &[Type]) -> Type {
    Type::Double
}
fn string(_: &[Type]) -> Type {
    Type::String
}
fn bytes(_: &[Type]) -> Type {
    Type::Bytes
}
fn dynamic(_: &[Type]) -> Type {
    Type::Dyn
}
fn strings(_: &[Type]) -> Type {
    Type::list(Type::String)
}
fn first(args: &[Type]) -> Type {
    args.first().cloned().unwrap_or(Type::Dyn)
}
fn joined(args: &[Type]) -> Type {
    match args {
        [a, b] => a.join(b).unwrap_or_else(|| Type::map(Type::Dyn)),
        _ => Type::Dyn,
    }
}

/// Every function, in the order in which the reference lists them.
pub static FUNCTIONS: &[Function] = &[
    function("lower", "text.lower()", Style::Method, &[Param::String], string, run::lower),
    function("upper", "text.upper()", Style::Method, &[Param::String], string, run::upper),
    function("trim", "text.trim()", Style::Method, &[Param::String], string, run::trim),
    function(
        "split",
        "text.split(r'regex')",
        Style::Method,
        &[Param::String, Param::Pattern],
        strings,
        run::split,
    ),
    function(
        "replace",
        "text.replace('from', 'to')",
        Style::Method,
        &[Param::String, Param::String, Param::String],
        string,
        run::replace,
    ),
    function(
        "substring",
        "text.substring(from)",
        Style::Method,
        &[Param::String, Param::Int],
        string,
        run::substring,
    ),
    function(
        "substring",
        "text.substring(from, to)",
        Style::Method,
        &[Param::String, Param::Int, Param::Int],
        string,
        run::substring,
    ),
    function(
        "indexOf",
        "text.indexOf('part')",
        Style::Method,
        &[Param::String, Param::String],
        int,
        run::index_of,
    ),
    function(
        "contains",
        "text.contains('part')",
        Style::Method,
        &[Param::String, Param::String],
        bool,
        run::contains,
    ),
    function(
        "startsWith",
        "text.startsWith('part')",
        Style::Method,
        &[Param::String, Param::String],
        bool,
        run::starts_with,
    ),
    function(
        "endsWith",
        "text.endsWith('part')",
        Style::Method,
        &[Param::String, Param::String],
        bool,
        run::ends_with,
    ),
    function(
        "matches",
        "text.matches(r'regex')",
        Style::Both,
        &[Param::String, Param::Pattern],
        bool,
        run::matches,
    ),
    function(
        "format",
        "'%s has %d'.format([a, b])",
        Style::Method,
        &[Param::String, Param::List],
        string,
        run::format,
    ),
    function("join", "texts.join()", Style::Method, &[Param::Strings], string, run::join),
    function(
        "join",
        "texts.join(', ')",
        Style::Method,
        &[Param::Strings, Param::String],
        string,
        run::join,
    ),
    function("size", "size(x)", Style::Both, &[Param::Sized], int, run::size),
    function("int", "int(x)", Style::Global, &[Param::Any], int, run::to_int),
    function("double", "double(x)", Style::Global, &[Param::Any], double, run::to_double),
    function("string", "string(x)", Style::Global, &[Param::Any], string, run::to_string),
    function("bool", "bool(x)", Style::Global, &[Param::Any], bool, run::to_bool),
    function("bytes", "bytes(text)", Style::Global, &[Param::TextOrBytes], bytes, run::to_bytes),
    function("dyn", "dyn(x)", Style::Global, &[Param::Any], dynamic, run::to_dyn),
    function(
        "parseJson",
        "parseJson(text)",
        Style::Global,
        &[Param::TextOrBytes],
        dynamic,
        run::parse_json,
    ),
    function("toJson", "toJson(x)", Style::Global, &[Param::Any], string, run::to_json),
    function("abs", "abs(x)", Style::Global, &[Param::Number], first, run::abs),
    function("min", "min(a, b)", Style::Global, &[Param::Any, Param::Same], joined, run::min),
    function("max", "max(a, b)", Style::Global, &[Param::Any, Param::Same], joined, run::max),
    function(
        "merge",
        "map.merge({'field': x})",
        Style::Method,
        &[Param::Map, Param::Map],
        joined,
        run::merge,
    ),
    function(
        "omit",
        "map.omit('field')",
        Style::Method,
        &[Param::Map, Param::String],
        first,
        run::omit,
    ),
];

/// What is written like a function but is part of the language.
pub(super) const MACROS: &[(&str, &str)] = &[
    ("has", "has(map.field)"),
    ("all", "list.all(x, condition)"),
    ("exists", "list.exists(x, condition)"),
    ("exists_one", "list.exists_one(x, condition)"),
    ("filter", "list.filter(x, condition)"),
    ("map", "list.map(x, expression)"),
];

impl Param {
    pub(super) fn takes(self, ty: &Type, first: &Type) -> bool {
        if matches!(ty, Type::Dyn) {
            return self != Param::Pattern;
        }
        match self {
            Param::String | Param::Pattern => *ty == Type::String,
            Param::Int => *ty == Type::Int,
            Param::Number => ty.is_number(),
            Param::List => matches!(ty, Type::List(_)),
            Param::Strings => ty.fits(&Type::list(Type::String)) && *ty != Type::Null,
            Param::Map => matches!(ty, Type::Map(_)),
            Param::Sized => {
                matches!(ty, Type::String | Type::Bytes | Type::List(_) | Type::Map(_))
            }
            Param::TextOrBytes => matches!(ty, Type::String | Type::Bytes),
            Param::Any => true,
            Param::Same => ty.fits(first) && *ty != Type::Null,
        }
    }

    /// What to say that it needs.
    pub(super) fn needs(self, first: &Type) -> String {
        match self {
            Param::String => "string".to_owned(),
            Param::Pattern => "a literal regular expression such as r'\\W+'".to_owned(),
            Param::Int => "int".to_owned(),
            Param::Number => "int or double".to_owned(),
            Param::List => "a list".to_owned(),
            Param::Strings => "list(string)".to_owned(),
            Param::Map => "a map".to_owned(),
            Param::Sized => "a string, bytes, a list or a map".to_owned(),
            Param::TextOrBytes => "string or bytes".to_owned(),
            Param::Any => "any value".to_owned(),
            Param::Same => first.to_string(),
        }
    }

    /// The type that a conversion should make, if one would do.
    pub(super) fn wanted(self, first: &Type) -> Option<Type> {
        match self {
            Param::String | Param::TextOrBytes => Some(Type::String),
            Param::Int | Param::Number => Some(Type::Int),
            Param::Same => Some(first.clone()),
            _ => None,
        }
    }
}
