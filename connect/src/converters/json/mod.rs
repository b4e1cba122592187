//! `org.apache.kafka.connect.json.JsonConverter`: JSON, alone or in an envelope `{"schema":…,"payload":…}`.

mod decode;
mod encode;
mod schema;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value as Json;

use crate::api::{
    Converter, ConverterPlugin, DataError, HeaderConverter, Role, Schema, SchemaAndValue,
};
use crate::config::{Config, ConfigDef, ConfigKey, ConfigType, Importance, Validator};

const SCHEMAS_ENABLE: &str = "schemas.enable";
const CACHE_SIZE: &str = "schemas.cache.size";
const DECIMAL_FORMAT: &str = "decimal.format";
const REPLACE_NULL: &str = "replace.null.with.default";

const SCHEMA: &str = "schema";
const PAYLOAD: &str = "payload";

/// How a decimal is written; both forms are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalFormat {
    /// A string: the unscaled value's bytes in base64.
    Base64,
    /// A JSON number.
    Numeric,
}

/// JSON in Kafka Connect's form.
#[derive(Debug)]
pub struct JsonConverter {
    schemas: bool,
    decimals: DecimalFormat,
    replace_null: bool,
    /// The last schema that was written, with its JSON: one task's records mostly share one.
    written: Mutex<Option<(Schema, String)>>,
    /// The last schema that was read, with its JSON.
    read: Mutex<Option<(Json, Schema)>>,
}

impl JsonConverter {
    pub fn new(schemas: bool, decimals: DecimalFormat, replace_null: bool) -> JsonConverter {
        let (written, read) = (Mutex::new(None), Mutex::new(None));
        JsonConverter { schemas, decimals, replace_null, written, read }
    }

    fn schema_json(&self, schema: &Schema) -> String {
        let mut last = self.written.lock();
        match &*last {
            Some((known, json)) if known == schema => json.clone(),
            _ => {
                let json = schema::to_json(schema, self.decimals).to_string();
                *last = Some((schema.clone(), json.clone()));
                json
            }
        }
    }

    fn schema_of(&self, json: Json) -> Result<Schema, DataError> {
        let mut last = self.read.lock();
        match &*last {
            Some((known, schema)) if *known == json => Ok(schema.clone()),
            _ => {
                let schema = schema::from_json(&json)?;
                *last = Some((json, schema.clone()));
                Ok(schema)
            }
        }
    }

    fn write(&self, value: &SchemaAndValue) -> Result<Option<Bytes>, DataError> {
        if value.schema.is_none() && value.value.is_null() {
            return Ok(None);
        }
        let encoder = encode::Encoder { decimals: self.decimals, replace_null: self.replace_null };
        let mut out = Vec::new();
        if self.schemas {
            let schema = value.schema.as_ref().map(|schema| self.schema_json(schema));
            out.extend_from_slice(b"{\"schema\":");
            out.extend_from_slice(schema.as_deref().unwrap_or("null").as_bytes());
            out.extend_from_slice(b",\"payload\":");
        }
        encoder.write(&mut out, value.schema.as_ref(), &value.value)?;
        if self.schemas {
            out.push(b'}');
        }
        Ok(Some(Bytes::from(out)))
    }

    fn read(&self, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        // Some senders write nothing at all where a tombstone is meant.
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            return Ok(SchemaAndValue::NULL);
        };
        let json: Json = serde_json::from_slice(bytes)
            .map_err(|e| DataError::new(format!("the bytes are no JSON: {e}")))?;
        let (schema, payload) = if self.schemas { open_envelope(json)? } else { (None, json) };
        let schema = schema.map(|json| self.schema_of(json)).transpose()?;
        let value = decode::value(schema.as_ref(), &payload, self.replace_null)?;
        Ok(SchemaAndValue { schema, value })
    }
}

fn open_envelope(json: Json) -> Result<(Option<Json>, Json), DataError> {
    match json {
        Json::Null => Ok((None, Json::Null)),
        Json::Object(mut fields) if fields.len() == 2 => {
            match (fields.remove(SCHEMA), fields.remove(PAYLOAD)) {
                (Some(schema), Some(payload)) => {
                    Ok((Some(schema).filter(|schema| !schema.is_null()), payload))
                }
                _ => Err(no_envelope()),
            }
        }
        _ => Err(no_envelope()),
    }
}

fn no_envelope() -> DataError {
    DataError::new(
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
         fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter \
         configuration.",
    )
}

impl Converter for JsonConverter {
    fn from_connect(
        &self,
        _topic: &str,
        value: &SchemaAndValue,
    ) -> Result<Option<Bytes>, DataError> {
        self.write(value)
    }

    fn to_connect(&self, _topic: &str, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        self.read(bytes)
    }
}

impl HeaderConverter for JsonConverter {
    fn from_connect(&self, value: &SchemaAndValue) -> Result<Option<Bytes>, DataError> {
        self.write(value)
    }

    fn to_connect(&self, bytes: Option<&Bytes>) -> Result<SchemaAndValue, DataError> {
        self.read(bytes)
    }
}

/// `JsonConverter` as a plugin.
#[derive(Clone, Copy, Debug)]
pub struct JsonPlugin;

impl JsonPlugin {
    /// Makes the converter itself, for use as a header converter too.
    ///
    /// # Errors
    /// When a value of the configuration does not work.
    pub fn converter(config: &Config) -> Result<JsonConverter, DataError> {
        let (parsed, problems) = JsonPlugin.config_def().parse(config);
        if let Some(problem) = problems.into_iter().next() {
            return Err(DataError::new(problem.message));
        }
        let numeric =
            parsed.text(DECIMAL_FORMAT).is_some_and(|f| f.eq_ignore_ascii_case("NUMERIC"));
        let decimals = if numeric { DecimalFormat::Numeric } else { DecimalFormat::Base64 };
        Ok(JsonConverter::new(
            parsed.is_true(SCHEMAS_ENABLE),
            decimals,
            parsed.is_true(REPLACE_NULL),
        ))
    }
}

impl ConverterPlugin for JsonPlugin {
    fn config_def(&self) -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::with_default(SCHEMAS_ENABLE, ConfigType::Boolean, "true").doc(
                Importance::High,
                "Whether each record carries its schema: {\"schema\":…,\"payload\":…}.",
            ))
            .define(ConfigKey::with_default(CACHE_SIZE, ConfigType::Int, "1000").doc(
                Importance::High,
                "Kafka's size of the schema cache. Known for compatibility: the last schema is kept, which is what \
                 records of one topic share.",
            ))
            .define(
                ConfigKey::with_default(DECIMAL_FORMAT, ConfigType::String, "BASE64")
                    .doc(Importance::Low, "How decimals are written: BASE64 or NUMERIC.")
                    .check(Validator::Custom(|text| {
                        let known = ["BASE64", "NUMERIC"];
                        if known.iter().any(|name| name.eq_ignore_ascii_case(text)) {
                            Ok(())
                        } else {
                            Err("String must be one of: BASE64, NUMERIC".to_owned())
                        }
                    })),
            )
            .define(ConfigKey::with_default(REPLACE_NULL, ConfigType::Boolean, "true").doc(
                Importance::Low,
                "Whether a null in a field with a default becomes that default.",
            ))
    }

    fn make(&self, _role: Role, config: &Config) -> Result<Box<dyn Converter>, DataError> {
        Ok(Box::new(JsonPlugin::converter(config)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SchemaBuilder, Struct, Value, logical};

    fn plain() -> JsonConverter {
        JsonConverter::new(false, DecimalFormat::Base64, true)
    }

    fn enveloped() -> JsonConverter {
        JsonConverter::new(true, DecimalFormat::Base64, true)
    }

    fn text(converter: &JsonConverter, value: &SchemaAndValue) -> String {
        let bytes = converter.write(value).unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn read(converter: &JsonConverter, text: &str) -> Result<SchemaAndValue, DataError> {
        converter.read(Some(&Bytes::copy_from_slice(text.as_bytes())))
    }

    #[test]
    fn a_line_in_an_envelope_is_what_kafka_writes() {
        let value = SchemaAndValue::new(Schema::string(), Value::string("foo \"bar\""));
        assert_eq!(
            text(&enveloped(), &value),
            r#"{"schema":{"type":"string","optional":false},"payload":"foo \"bar\""}"#
        );
        assert_eq!(text(&plain(), &value), r#""foo \"bar\"""#);
    }

    #[test]
    fn a_struct_of_everything_comes_back() {
        let schema = SchemaBuilder::structure()
            .name("all")
            .version(3)
            .doc("everything")
            .field("i8", Schema::int8())
            .field("i64", Schema::optional_int64())
            .field("f32", Schema::float32())
            .field("f64", Schema::float64())
            .field("on", Schema::boolean())
            .field("raw", Schema::bytes())
            .field("list", SchemaBuilder::array(Schema::int16()).build())
            .field("map", SchemaBuilder::map(Schema::string(), Schema::int32()).build())
            .field("pairs", SchemaBuilder::map(Schema::int32(), Schema::string()).build())
            .field("price", logical::decimal(2).build())
            .build();
        let inner = Struct::new(
            schema.clone(),
            vec![
                Value::Int8(-1),
                Value::Null,
                Value::Float32(0.1),
                Value::Float64(f64::NAN),
                Value::Boolean(true),
                Value::Bytes(Bytes::from_static(b"foo")),
                Value::Array(vec![Value::Int16(1), Value::Int16(2)]),
                Value::Map(vec![(Value::string("a"), Value::Int32(1))]),
                Value::Map(vec![(Value::Int32(1), Value::string("a"))]),
                Value::Bytes(Bytes::from_static(&[0x04, 0xd2])),
            ],
        )
        .unwrap();
        let value = SchemaAndValue::new(schema, Value::Struct(inner));
        let json = text(&enveloped(), &value);
        let payload = json.split_once("\"payload\":").unwrap().1;
        assert_eq!(
            payload,
            concat!(
                r#"{"i8":-1,"i64":null,"f32":0.1,"f64":"NaN","on":true,"raw":"Zm9v","list":[1,2],"#,
                r#""map":{"a":1},"pairs":[[1,"a"]],"price":"BNI="}}"#
            )
        );
        let back = read(&enveloped(), &json).unwrap();
        assert_eq!(back.schema, value.schema);
        assert_eq!(text(&enveloped(), &back), json);
    }

    #[test]
    fn numeric_decimals_keep_every_digit() {
        let numeric = JsonConverter::new(false, DecimalFormat::Numeric, true);
        let digits = "123456789012345678901234567890.12";
        let unscaled = logical::decimal_from_str(digits, 2).unwrap();
        let value = SchemaAndValue::new(logical::decimal(2).build(), Value::Bytes(unscaled.into()));
        assert_eq!(text(&numeric, &value), digits);

        let envelope = r#"{"schema":{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}},"payload":12.34}"#;
        let back = read(&enveloped(), envelope).unwrap();
        assert_eq!(back.value, Value::Bytes(Bytes::from_static(&[0x04, 0xd2])));
    }

    #[test]
    fn without_a_schema_types_are_jsons() {
        let back = read(&plain(), r#"{"a":1,"b":[true,null,1.5,"x"]}"#).unwrap();
        assert_eq!(back.schema, None);
        assert_eq!(
            back.value,
            Value::Map(vec![
                (Value::string("a"), Value::Int64(1)),
                (
                    Value::string("b"),
                    Value::Array(vec![
                        Value::Boolean(true),
                        Value::Null,
                        Value::Float64(1.5),
                        Value::string("x")
                    ])
                ),
            ])
        );
        assert_eq!(text(&plain(), &back), r#"{"a":1,"b":[true,null,1.5,"x"]}"#);
    }

    #[test]
    fn nulls_are_tombstones_unless_a_schema_says_otherwise() {
        assert_eq!(enveloped().write(&SchemaAndValue::NULL), Ok(None));
        assert_eq!(enveloped().read(None), Ok(SchemaAndValue::NULL));
        let null = SchemaAndValue::new(Schema::optional_int8(), Value::Null);
        assert_eq!(
            text(&enveloped(), &null),
            r#"{"schema":{"type":"int8","optional":true},"payload":null}"#
        );
        let required = SchemaAndValue::new(Schema::int8(), Value::Null);
        assert!(enveloped().write(&required).is_err());
        let schema = SchemaBuilder::new(crate::api::Type::Int8).default_value(Value::Int8(7));
        let with_default = SchemaAndValue::new(schema.build(), Value::Null);
        assert_eq!(text(&plain(), &with_default), "7");
    }

    #[test]
    fn broken_records_are_errors_not_panics() {
        for bad in [
            "{",
            "[]",
            "1",
            r#"{"payload":1}"#,
            r#"{"schema":{},"payload":1}"#,
            r#"{"schema":{"type":"int"},"payload":1}"#,
            r#"{"schema":{"type":"int8"},"payload":300}"#,
            r#"{"schema":{"type":"int8"},"payload":null}"#,
            r#"{"schema":{"type":"bytes"},"payload":"?"}"#,
            r#"{"schema":{"type":"array"},"payload":[]}"#,
            r#"{"schema":{"type":"struct","fields":[{"type":"int8"}]},"payload":{}}"#,
            r#"{"schema":{"type":"map","keys":{"type":"int8"},"values":{"type":"int8"}},"payload":[[1]]}"#,
            r#"{"schema":1,"payload":1}"#,
            r#"{"schema":null,"payload":1,"more":1}"#,
        ] {
            assert!(read(&enveloped(), bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&plain(), &deep).is_err());
    }
}
