//! Connect's schemas: what type a value has, and what it means.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::value::Value;

/// The twelve types of Connect's data model (`org.apache.kafka.connect.data.Schema.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    Int8,
    Int16,
    Int32,
    Int64,
    Float32,
    Float64,
    Boolean,
    String,
    Bytes,
    Array,
    Map,
    Struct,
}

impl Type {
    /// The name used in messages and by `SchemaAndValue` tools: `int8` … `float32`, `float64` … `struct`.
    pub fn name(self) -> &'static str {
        match self {
            Type::Int8 => "int8",
            Type::Int16 => "int16",
            Type::Int32 => "int32",
            Type::Int64 => "int64",
            Type::Float32 => "float32",
            Type::Float64 => "float64",
            Type::Boolean => "boolean",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Array => "array",
            Type::Map => "map",
            Type::Struct => "struct",
        }
    }

    /// Array, map and struct hold further schemas; all others are primitive.
    pub fn is_primitive(self) -> bool {
        !matches!(self, Type::Array | Type::Map | Type::Struct)
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One field of a struct schema. Its index is its position in [`Schema::fields`].
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: String,
    pub schema: Schema,
}

/// A schema. Cloning shares it; comparing two clones of one schema costs a pointer comparison.
#[derive(Clone, Debug)]
pub struct Schema(Arc<Definition>);

#[derive(Clone, Debug, PartialEq)]
struct Definition {
    type_: Type,
    optional: bool,
    name: Option<String>,
    version: Option<i32>,
    doc: Option<String>,
    parameters: BTreeMap<String, String>,
    default: Option<Value>,
    fields: Vec<Field>,
    key: Option<Schema>,
    /// Value schema of a map, item schema of an array.
    item: Option<Schema>,
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

macro_rules! shared {
    ($name:ident, $optional:ident, $type:expr) => {
        #[doc = concat!("The required ", stringify!($name), " schema without name, version or default.")]
        pub fn $name() -> Schema {
            static SCHEMA: OnceLock<Schema> = OnceLock::new();
            SCHEMA.get_or_init(|| SchemaBuilder::new($type).build()).clone()
        }

        #[doc = concat!("The optional ", stringify!($name), " schema without name, version or default.")]
        pub fn $optional() -> Schema {
            static SCHEMA: OnceLock<Schema> = OnceLock::new();
            SCHEMA.get_or_init(|| SchemaBuilder::new($type).optional().build()).clone()
        }
    };
}

impl Schema {
    shared!(int8, optional_int8, Type::Int8);
    shared!(int16, optional_int16, Type::Int16);
    shared!(int32, optional_int32, Type::Int32);
    shared!(int64, optional_int64, Type::Int64);
    shared!(float32, optional_float32, Type::Float32);
    shared!(float64, optional_float64, Type::Float64);
    shared!(boolean, optional_boolean, Type::Boolean);
    shared!(string, optional_string, Type::String);
    shared!(bytes, optional_bytes, Type::Bytes);

    pub fn type_(&self) -> Type {
        self.0.type_
    }

    /// Whether null is a legal value.
    pub fn is_optional(&self) -> bool {
        self.0.optional
    }

    /// The logical name, for example `org.apache.kafka.connect.data.Timestamp`.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    pub fn version(&self) -> Option<i32> {
        self.0.version
    }

    pub fn doc(&self) -> Option<&str> {
        self.0.doc.as_deref()
    }

    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.0.parameters
    }

    pub fn default_value(&self) -> Option<&Value> {
        self.0.default.as_ref()
    }

    /// The fields of a struct in order; empty for every other type.
    pub fn fields(&self) -> &[Field] {
        &self.0.fields
    }

    /// The index and schema of a struct's field.
    pub fn field(&self, name: &str) -> Option<(usize, &Schema)> {
        let index = self.0.fields.iter().position(|field| field.name == name)?;
        Some((index, &self.0.fields[index].schema))
    }

    /// The key schema of a map.
    pub fn key_schema(&self) -> Option<&Schema> {
        self.0.key.as_ref()
    }

    /// The item schema of an array or the value schema of a map.
    pub fn value_schema(&self) -> Option<&Schema> {
        self.0.item.as_ref()
    }
}

/// Builds a [`Schema`]. Arrays, maps and structs have constructors that take what they are made of.
#[derive(Clone, Debug)]
pub struct SchemaBuilder(Definition);

impl SchemaBuilder {
    /// A primitive type, or a struct without fields yet.
    pub fn new(type_: Type) -> SchemaBuilder {
        SchemaBuilder(Definition {
            type_,
            optional: false,
            name: None,
            version: None,
            doc: None,
            parameters: BTreeMap::new(),
            default: None,
            fields: Vec::new(),
            key: None,
            item: None,
        })
    }

    pub fn array(items: Schema) -> SchemaBuilder {
        let mut builder = SchemaBuilder::new(Type::Array);
        builder.0.item = Some(items);
        builder
    }

    pub fn map(keys: Schema, values: Schema) -> SchemaBuilder {
        let mut builder = SchemaBuilder::new(Type::Map);
        builder.0.key = Some(keys);
        builder.0.item = Some(values);
        builder
    }

    pub fn structure() -> SchemaBuilder {
        SchemaBuilder::new(Type::Struct)
    }

    /// Adds a field. A second field of the same name is ignored by [`Schema::field`].
    pub fn field(mut self, name: impl Into<String>, schema: Schema) -> SchemaBuilder {
        self.0.fields.push(Field { name: name.into(), schema });
        self
    }

    pub fn optional(mut self) -> SchemaBuilder {
        self.0.optional = true;
        self
    }

    pub fn name(mut self, name: impl Into<String>) -> SchemaBuilder {
        self.0.name = Some(name.into());
        self
    }

    pub fn version(mut self, version: i32) -> SchemaBuilder {
        self.0.version = Some(version);
        self
    }

    pub fn doc(mut self, doc: impl Into<String>) -> SchemaBuilder {
        self.0.doc = Some(doc.into());
        self
    }

    pub fn parameter(mut self, key: impl Into<String>, value: impl Into<String>) -> SchemaBuilder {
        self.0.parameters.insert(key.into(), value.into());
        self
    }

    pub fn default_value(mut self, value: Value) -> SchemaBuilder {
        self.0.default = Some(value);
        self
    }

    pub fn build(self) -> Schema {
        Schema(Arc::new(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_schemas_are_equal_without_being_the_same() {
        let make = || {
            SchemaBuilder::structure()
                .name("user")
                .version(2)
                .field("id", Schema::int64())
                .field("tags", SchemaBuilder::array(Schema::optional_string()).build())
                .build()
        };
        assert_eq!(make(), make());
        assert_ne!(make(), Schema::int64());
        assert_eq!(make().field("tags").map(|(index, _)| index), Some(1));
        assert!(make().field("absent").is_none());
    }

    #[test]
    fn shared_schemas_differ_in_optionality_only() {
        assert!(Schema::optional_string().is_optional());
        assert!(!Schema::string().is_optional());
        assert_eq!(Schema::string().type_(), Schema::optional_string().type_());
    }
}
