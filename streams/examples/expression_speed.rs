//! How long an expression takes for one record, in ns.
//!
//! `cargo run --release -p streams --example expression_speed`
#![allow(clippy::print_stdout, reason = "it prints its figures")]

use std::hint::black_box;
use std::time::Instant;
use streams::cel::{Bindings, Expression, Scope};
use streams::record::Headers;
use streams::{Type, Value};

const ROUNDS: u32 = 500_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let line = Value::from("All streams lead to Kafka, and Kafka leads to the sea");
    let order = serde_json::from_str::<Value>(r#"{"user": {"name": "alice"}, "amount": 12.5}"#)?;
    let cases = [
        ("value", &line, Type::String),
        ("value != ''", &line, Type::String),
        ("value.size() > 10 && value.contains('Kafka')", &line, Type::String),
        (r"value.lower().split(r'\W+')", &line, Type::String),
        ("value.user.name", &order, Type::Dyn),
        ("value.amount > 10.0 && value.user.name != 'bob'", &order, Type::Dyn),
        ("{'user': value.user.name, 'double': value.amount * 2.0}", &order, Type::Dyn),
        ("[1, 2, 3, 4, 5].filter(x, x > 2).map(x, x * 2)", &order, Type::Dyn),
    ];
    let (key, headers, topic) = (Value::Null, Headers::default(), "topic".into());
    for (source, value, ty) in cases {
        let expression = Expression::compile(source, &Scope::record(Type::String, ty))?;
        let bindings = Bindings {
            key: &key,
            value,
            agg: &Value::Null,
            timestamp_ms: 0,
            headers: &headers,
            topic: &topic,
            partition: 0,
            offset: 0,
        };
        let began = Instant::now();
        for _ in 0..ROUNDS {
            black_box(expression.eval(black_box(&bindings))?);
        }
        let nanos = began.elapsed().as_nanos() / u128::from(ROUNDS);
        println!("{nanos:>6} ns  {source}");
    }
    Ok(())
}
