//! Typed objects from a [`Node`], strictly: a field that the type does not have is refused, as the API server of
//! Kubernetes refuses it with `--validate=strict`, and every refusal points at the line that is wrong.

use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::node::{Entry, Node, Position, Value};
use super::suggest::nearest;

/// Why a document is not an object of the type that it says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ShapeError {
    /// `None` until the value that was being read is known.
    pub(crate) at: Option<Position>,
    pub(crate) message: String,
}

impl ShapeError {
    fn at(mut self, position: Position) -> Self {
        self.at.get_or_insert(position);
        self
    }
}

/// Reads a `T` from `node`.
pub(crate) fn from_node<T: DeserializeOwned>(node: &Node) -> Result<T, ShapeError> {
    T::deserialize(Reader { node, key: None })
}

impl de::Error for ShapeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { at: None, message: message.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let hint = match (&found, expected.to_string().contains("string")) {
            (
                Unexpected::Bool(_)
                | Unexpected::Signed(_)
                | Unexpected::Unsigned(_)
                | Unexpected::Float(_),
                true,
            ) => "; put it in quotes",
            _ => "",
        };
        Self::custom(format_args!("expected {expected}, found {}{hint}", plain(&found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("expected {expected}, found {}", plain(&found)))
    }

    fn unknown_field(field: &str, fields: &'static [&'static str]) -> Self {
        Self::custom(unknown("field", field, fields))
    }

    fn unknown_variant(variant: &str, variants: &'static [&'static str]) -> Self {
        Self::custom(unknown("value", variant, variants))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("field '{field}' is missing; add it"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format_args!("field '{field}' is given twice; keep one"))
    }
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    match (nearest(word, known.iter().copied()), known) {
        (Some(near), _) => format!("unknown {what} '{word}'; did you mean '{near}'?"),
        (None, []) => format!("unknown {what} '{word}'; remove it"),
        (None, _) => format!("unknown {what} '{word}'; use one of: {}", known.join(", ")),
    }
}

fn plain(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("the boolean {value}"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(value) => format!("the text '{value}'"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// A deserializer over one node; `key` is where the key of this value stands, which is the better place to point at
/// when the value is a mapping that lacks something.
#[derive(Clone, Copy)]
struct Reader<'n> {
    node: &'n Node,
    key: Option<Position>,
}

impl Reader<'_> {
    fn position(&self) -> Position {
        match self.node.value {
            Value::Map(_) | Value::List(_) | Value::Null => self.key.unwrap_or(self.node.at),
            _ => self.node.at,
        }
    }

    fn unexpected(&self) -> Unexpected<'_> {
        match &self.node.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Integer(value) => Unexpected::Signed(*value),
            Value::Unsigned(value) => Unexpected::Unsigned(*value),
            Value::Float(value) => Unexpected::Float(*value),
            Value::String(value) => Unexpected::Str(value),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        }
    }
}

impl<'de, 'n> Deserializer<'de> for Reader<'n> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        let position = self.position();
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None, fields: None })
            }
        }
        .map_err(|error: ShapeError| error.at(position))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let position = self.position();
        visitor.visit_newtype_struct(self).map_err(|error| error.at(position))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let position = self.position();
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter(),
                value: None,
                fields: Some(fields),
            }),
            _ => Err(de::Error::invalid_type(self.unexpected(), &"a mapping")),
        }
        .map_err(|error: ShapeError| error.at(position))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let position = self.position();
        match &self.node.value {
            Value::String(name) if !variants.contains(&name.as_str()) => {
                Err(de::Error::unknown_variant(name, variants))
            }
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(de::Error::invalid_type(
                self.unexpected(),
                &format!("one of {}", variants.join(", ")).as_str(),
            )),
        }
        .map_err(|error: ShapeError| error.at(position))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ShapeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ShapeError> {
        self.0.next().map(|node| seed.deserialize(Reader { node, key: None })).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'n> {
    entries: std::slice::Iter<'n, Entry>,
    value: Option<&'n Entry>,
    /// The fields of the struct that is read; `None` for a map, whose keys are free.
    fields: Option<&'static [&'static str]>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ShapeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ShapeError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        if let Some(fields) = self.fields
            && !fields.contains(&entry.key.as_str())
        {
            return Err(
                <ShapeError as de::Error>::unknown_field(&entry.key, fields).at(entry.key_at)
            );
        }
        seed.deserialize(entry.key.as_str().into_deserializer())
            .map(Some)
            .map_err(|error: ShapeError| error.at(entry.key_at))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ShapeError> {
        let entry = self.value.take().ok_or_else(|| de::Error::custom("a value without a key"))?;
        let reader = Reader { node: &entry.node, key: Some(entry.key_at) };
        let position = reader.position();
        seed.deserialize(reader).map_err(|error| error.at(position))
    }
}

struct Variant<'n>(&'n Entry);

impl<'de, 'n> EnumAccess<'de> for Variant<'n> {
    type Error = ShapeError;
    type Variant = Reader<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Reader<'n>), ShapeError> {
        let name = seed
            .deserialize(self.0.key.as_str().into_deserializer())
            .map_err(|error: ShapeError| error.at(self.0.key_at))?;
        Ok((name, Reader { node: &self.0.node, key: Some(self.0.key_at) }))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        match self.node.value {
            Value::Null => Ok(()),
            _ => Err(ShapeError::at(
                de::Error::invalid_type(self.unexpected(), &"nothing"),
                self.position(),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ShapeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        self.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::super::documents;
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        partitions: i32,
        #[serde(default)]
        topic_name: Option<String>,
        #[serde(default)]
        config: BTreeMap<String, String>,
        #[serde(default)]
        state: Option<State>,
        #[serde(default)]
        steps: Vec<Step>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum State {
        Running,
        Paused,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    enum Step {
        Filter { r#where: String },
        Count {},
    }

    fn read(text: &str) -> Result<Spec, ShapeError> {
        from_node(&documents(text).remove(0).expect("valid YAML").root)
    }

    fn refusal(text: &str) -> (u32, String) {
        let error = read(text).expect_err("refused");
        (error.at.expect("a position").line, error.message)
    }

    #[test]
    fn reads_what_is_right() {
        let spec = read(
            "partitions: 3\ntopicName: t\nconfig: {a.b: \"1\"}\nstate: paused\nsteps:\n- filter: {where: x}\n- count: {}\n",
        );
        let expected = Spec {
            partitions: 3,
            topic_name: Some("t".into()),
            config: BTreeMap::from([("a.b".into(), "1".into())]),
            state: Some(State::Paused),
            steps: vec![Step::Filter { r#where: "x".into() }, Step::Count {}],
        };
        assert_eq!(spec, Ok(expected));
    }

    #[test]
    fn refuses_with_the_line_and_what_to_do() {
        let cases = [
            (
                "partitions: 3\npartitons: 4\n",
                2,
                "unknown field 'partitons'; did you mean 'partitions'?",
            ),
            (
                "partitions: 3\nzone: a\n",
                2,
                "unknown field 'zone'; use one of: partitions, topicName, config, state, steps",
            ),
            ("# c\ntopicName: t\n", 2, "field 'partitions' is missing; add it"),
            ("partitions: many\n", 1, "expected i32, found the text 'many'"),
            (
                "partitions: 3\nconfig:\n  retention.ms: 1000\n",
                3,
                "expected a string, found the number 1000; put it in quotes",
            ),
            (
                "partitions: 3\nstate: runing\n",
                2,
                "unknown value 'runing'; did you mean 'running'?",
            ),
            (
                "partitions: 3\nsteps:\n- filter:\n    were: x\n",
                4,
                "unknown field 'were'; did you mean 'where'?",
            ),
            (
                "partitions: 3\nsteps:\n- count: {}\n- filter: {}\n",
                4,
                "field 'where' is missing; add it",
            ),
            ("partitions: 99999999999\n", 1, "expected i32, found the number 99999999999"),
        ];
        for (text, line, message) in cases {
            assert_eq!(refusal(text), (line, message.to_owned()), "{text}");
        }
    }
}
