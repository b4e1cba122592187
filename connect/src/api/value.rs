//! Connect's values.
//!
//! A value is always in its physical form: a `Timestamp` is an `Int64`, a `Decimal` is `Bytes`. What it means is told
//! by the name of its schema ([`super::logical`]).

use bytes::Bytes;
use protocol::Str;

use super::error::DataError;
use super::schema::{Schema, Type};

/// A value of Connect's data model. `Null` is a value of every optional schema and of no schema at all.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    Float32(f32),
    Float64(f64),
    Boolean(bool),
    String(Str),
    Bytes(Bytes),
    Array(Vec<Value>),
    /// Pairs in the order in which they came; keys need not be strings.
    Map(Vec<(Value, Value)>),
    Struct(Struct),
}

/// The values of a struct's fields, in the order of its schema's fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Struct {
    schema: Schema,
    values: Vec<Value>,
}

impl Struct {
    /// One value a field, in the schema's order.
    ///
    /// # Errors
    /// When the schema is no struct, or the number or types of the values differ from its fields.
    pub fn new(schema: Schema, values: Vec<Value>) -> Result<Struct, DataError> {
        if schema.type_() != Type::Struct || schema.fields().len() != values.len() {
            return Err(DataError::new(format!(
                "a struct of {} fields was given {} values",
                schema.fields().len(),
                values.len()
            )));
        }
        for (field, value) in schema.fields().iter().zip(&values) {
            value
                .check(&field.schema)
                .map_err(|e| DataError::new(format!("field \"{}\": {e}", field.name)))?;
        }
        Ok(Struct { schema, values })
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    pub fn values(&self) -> &[Value] {
        &self.values
    }

    pub fn get(&self, field: &str) -> Option<&Value> {
        let (index, _) = self.schema.field(field)?;
        self.values.get(index)
    }
}

impl Value {
    pub fn string(text: &str) -> Value {
        Value::String(Str::copy(text))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The value's own type; none for null.
    pub fn type_(&self) -> Option<Type> {
        Some(match self {
            Value::Null => return None,
            Value::Int8(_) => Type::Int8,
            Value::Int16(_) => Type::Int16,
            Value::Int32(_) => Type::Int32,
            Value::Int64(_) => Type::Int64,
            Value::Float32(_) => Type::Float32,
            Value::Float64(_) => Type::Float64,
            Value::Boolean(_) => Type::Boolean,
            Value::String(_) => Type::String,
            Value::Bytes(_) => Type::Bytes,
            Value::Array(_) => Type::Array,
            Value::Map(_) => Type::Map,
            Value::Struct(_) => Type::Struct,
        })
    }

    /// Checks that this is a value of `schema`, all the way down.
    ///
    /// # Errors
    /// Null where the schema is required, or a value of another type.
    pub fn check(&self, schema: &Schema) -> Result<(), DataError> {
        let Some(type_) = self.type_() else {
            if schema.is_optional() || schema.default_value().is_some() {
                return Ok(());
            }
            return Err(DataError::new(format!(
                "null is no value of a required {}",
                schema.type_()
            )));
        };
        if type_ != schema.type_() {
            return Err(DataError::new(format!(
                "a {type_} is no value of a {} schema",
                schema.type_()
            )));
        }
        match self {
            Value::Array(items) => match schema.value_schema() {
                Some(item) => items.iter().try_for_each(|value| value.check(item)),
                None => Ok(()),
            },
            Value::Map(pairs) => pairs.iter().try_for_each(|(key, value)| {
                if let Some(schema) = schema.key_schema() {
                    key.check(schema)?;
                }
                schema.value_schema().map_or(Ok(()), |schema| value.check(schema))
            }),
            Value::Struct(inner) if inner.schema() != schema => {
                Err(DataError::new("a struct of another schema"))
            }
            _ => Ok(()),
        }
    }
}

/// A value and, when it is known, its schema.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct SchemaAndValue {
    pub schema: Option<Schema>,
    pub value: Value,
}

impl SchemaAndValue {
    /// No schema and no value: what every converter makes of a null.
    pub const NULL: SchemaAndValue = SchemaAndValue { schema: None, value: Value::Null };

    pub fn new(schema: Schema, value: Value) -> SchemaAndValue {
        SchemaAndValue { schema: Some(schema), value }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::SchemaBuilder;
    use super::*;

    #[test]
    fn a_struct_takes_only_values_of_its_fields() {
        let schema = SchemaBuilder::structure()
            .field("name", Schema::string())
            .field("age", Schema::optional_int32())
            .build();
        let bob = Struct::new(schema.clone(), vec![Value::string("bob"), Value::Null]).unwrap();
        assert_eq!(bob.get("name"), Some(&Value::string("bob")));
        assert_eq!(bob.get("height"), None);
        let error = Struct::new(schema.clone(), vec![Value::Null, Value::Null]).unwrap_err();
        assert_eq!(error.to_string(), "field \"name\": null is no value of a required string");
        let error = Struct::new(schema, vec![Value::string("x"), Value::Int64(1)]).unwrap_err();
        assert_eq!(error.to_string(), "field \"age\": a int64 is no value of a int32 schema");
    }

    #[test]
    fn collections_are_checked_all_the_way_down() {
        let schema =
            SchemaBuilder::map(Schema::string(), SchemaBuilder::array(Schema::int8()).build())
                .build();
        let good = Value::Map(vec![(Value::string("a"), Value::Array(vec![Value::Int8(1)]))]);
        assert!(good.check(&schema).is_ok());
        let bad = Value::Map(vec![(Value::string("a"), Value::Array(vec![Value::Int16(1)]))]);
        assert!(bad.check(&schema).is_err());
    }
}
