//! Static types: what a topic's key and value are, and what an expression yields.
//!
//! Every type also admits null: a record's key or value may be absent on the wire.

use std::fmt;

/// The type of a [`crate::Value`] as far as it is known before the app starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    Null,
    Bool,
    /// 64-bit signed.
    Int,
    Double,
    String,
    Bytes,
    List(Box<Type>),
    /// Keys are strings.
    Map(Box<Type>),
    /// Known only when the record is there: JSON, and whatever is computed from it.
    Dyn,
}

impl Type {
    pub fn list(element: Type) -> Type {
        Type::List(Box::new(element))
    }

    pub fn map(value: Type) -> Type {
        Type::Map(Box::new(value))
    }

    /// Whether a value of type `self` may stand where `wanted` is asked for. `Dyn` on either side
    /// is checked when the record is there.
    pub fn fits(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (Type::Dyn | Type::Null, _) | (_, Type::Dyn) => true,
            (Type::List(a), Type::List(b)) | (Type::Map(a), Type::Map(b)) => a.fits(b),
            (a, b) => a == b,
        }
    }

    /// The type that holds values of both, `None` if only `Dyn` would.
    pub fn join(&self, other: &Type) -> Option<Type> {
        match (self, other) {
            (a, b) if a == b => Some(a.clone()),
            (Type::Null, t) | (t, Type::Null) => Some(t.clone()),
            (Type::Dyn, _) | (_, Type::Dyn) => Some(Type::Dyn),
            (Type::List(a), Type::List(b)) => a.join(b).map(Type::list),
            (Type::Map(a), Type::Map(b)) => a.join(b).map(Type::map),
            _ => None,
        }
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::Double)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Map(value) => write!(f, "map(string, {value})"),
            Type::Dyn => f.write_str("dyn"),
        }
    }
}
