use super::*;
use crate::record::Headers;
use crate::value::Map;
use protocol::Str;

fn scope() -> Scope {
    Scope::record(Type::String, Type::String)
}

fn eval_with(source: &str, scope: &Scope, key: Value, value: Value) -> Result<Value, String> {
    let expression = Expression::compile(source, scope).map_err(|e| format!("compile {e}"))?;
    let headers: Headers = vec![(Str::from("h"), Some("x".into()))].into();
    let bindings = Bindings {
        key: &key,
        value: &value,
        agg: &Value::Int(40),
        timestamp_ms: 1_700_000_000_000,
        headers: &headers,
        topic: &Str::from("lines"),
        partition: 3,
        offset: 99,
    };
    expression.eval(&bindings).map_err(|e| e.to_string())
}

fn eval(source: &str, value: impl Into<Value>) -> Result<Value, String> {
    eval_with(source, &scope(), Value::text("k"), value.into())
}

fn eval_json(source: &str, json: &str) -> Result<Value, String> {
    let value = serde_json::from_str(json).unwrap();
    eval_with(source, &Scope::record(Type::String, Type::Dyn), Value::Null, value)
}

fn strings(texts: &[&str]) -> Value {
    Value::list(texts.iter().map(|t| Value::text(t)).collect())
}

#[test]
fn word_count_splits_unicode_text() {
    let split = r"value.lower().split(r'\W+')";
    assert_eq!(eval(split, "Hello Kafka Streams"), Ok(strings(&["hello", "kafka", "streams"])));
    assert_eq!(
        eval(split, "И теперь пошли русские слова"),
        Ok(strings(&["и", "теперь", "пошли", "русские", "слова"]))
    );
    assert_eq!(eval(split, "...Wow!..."), Ok(strings(&["", "wow"])));
    assert_eq!(eval(split, ""), Ok(strings(&[""])));
}

#[test]
fn expressions_have_values() {
    let cases: &[(&str, Value)] = &[
        ("1 + 2 * 3 - 4", Value::Int(3)),
        ("(1 + 2) * 3", Value::Int(9)),
        ("7 / 2", Value::Int(3)),
        ("-7 % 3", Value::Int(-1)),
        ("7.0 / 2.0", Value::Double(3.5)),
        ("-value.size()", Value::Int(-5)),
        ("key + '=' + value", Value::text("k=Hello")),
        ("value == 'Hello' && key != 'x'", Value::Bool(true)),
        ("value == null", Value::Bool(false)),
        ("value > 'Ha' ? 1 : 2", Value::Int(1)),
        ("!(value < 'A') || false", Value::Bool(true)),
        ("1 < 2.5", Value::Bool(true)),
        ("2 == 2.0", Value::Bool(true)),
        ("value in ['a', 'Hello']", Value::Bool(true)),
        ("'a' in {'a': 1}", Value::Bool(true)),
        ("[1, 2, 3][1]", Value::Int(2)),
        ("{'a': 1, 'b': 2}['b']", Value::Int(2)),
        ("{'a': 1}.a", Value::Int(1)),
        ("has({'a': 1}.b)", Value::Bool(false)),
        ("[1, 2, 3].map(x, x * 2)", Value::list(vec![2.into(), 4.into(), 6.into()])),
        ("[1, 2, 3].map(x, x > 1, x * 2)", Value::list(vec![4.into(), 6.into()])),
        ("[1, 2, 3].filter(x, x != 2)", Value::list(vec![1.into(), 3.into()])),
        ("[1, 2].all(x, x > 0)", Value::Bool(true)),
        ("[1, 2].exists(x, x > 1)", Value::Bool(true)),
        ("[1, 2].exists_one(x, x > 0)", Value::Bool(false)),
        ("[[1], [2, 3]].map(l, l.map(x, x + size(l)))[1][0]", Value::Int(4)),
        ("['b', 'a'].map(x, ['c'].exists(y, y > x))", Value::list(vec![true.into(), true.into()])),
        ("value.upper()", Value::text("HELLO")),
        ("' x '.trim()", Value::text("x")),
        ("value.replace('l', 'L')", Value::text("HeLLo")),
        ("value.substring(1)", Value::text("ello")),
        ("'žluť'.substring(1, 3)", Value::text("lu")),
        ("'žluť'.indexOf('ť')", Value::Int(3)),
        ("value.indexOf('z')", Value::Int(-1)),
        ("'žluť'.size() + size('x')", Value::Int(5)),
        ("value.contains('ell')", Value::Bool(true)),
        ("value.startsWith('He') && value.endsWith('lo')", Value::Bool(true)),
        ("value.matches(r'^H.*o$') && matches(value, 'H')", Value::Bool(true)),
        ("'a,b'.split(',').join(';')", Value::text("a;b")),
        ("'%s is %d, %.2f%%'.format([value, 3, 1.5])", Value::text("Hello is 3, 1.50%")),
        ("int('42') + int(2.9)", Value::Int(44)),
        ("double('1.5') + double(1)", Value::Double(2.5)),
        ("string(1) + string(true) + string(1.5) + string(b'x')", Value::text("1true1.5x")),
        ("bool('true')", Value::Bool(true)),
        ("bytes('x') == b'x'", Value::Bool(true)),
        ("string(headers['h']) + topic", Value::text("xlines")),
        ("timestamp + offset + partition", Value::Int(1_700_000_000_102)),
        ("parseJson('{\"a\": [1]}').a[0] + 1", Value::Int(2)),
        ("toJson({'b': 1, 'a': 'x'})", Value::text("{\"a\":\"x\",\"b\":1}")),
        ("min(3, 2) + max(3, 2) + abs(-1)", Value::Int(6)),
        ("{'a': 1}.merge({'b': 2}).omit('a') == {'b': 2}", Value::Bool(true)),
        ("false && 1 / 0 == 1", Value::Bool(false)),
        ("1 / 0 == 1 || true", Value::Bool(true)),
        ("value == 'x' ? null : value", Value::text("Hello")),
        ("[1, 'a', null].size()", Value::Int(3)),
        ("r'\\W' + \"\\u017e\"", Value::text("\\Wž")),
    ];
    for (source, expected) in cases {
        assert_eq!(eval(source, "Hello").as_ref(), Ok(expected), "{source}");
    }
}

#[test]
fn json_is_checked_when_the_record_is_there() {
    let order = r#"{"user": {"name": "alice"}, "items": [{"price": 2}, {"price": 3.5}]}"#;
    assert_eq!(eval_json("value.user.name", order), Ok(Value::text("alice")));
    assert_eq!(eval_json("value['user']['name'].upper()", order), Ok(Value::text("ALICE")));
    assert_eq!(eval_json("value.items.map(i, i.price)[1] * 2", order), Ok(Value::Double(7.0)));
    assert_eq!(eval_json("has(value.user) && !has(value.x)", order), Ok(Value::Bool(true)));
    assert_eq!(eval_json("value.merge({'n': 1}).n", order), Ok(Value::Int(1)));
    for (source, error) in [
        ("value.nobody", "there is no field `nobody`"),
        ("value.user + 1", "map(string, string) + int is not possible"),
        ("value.items[7]", "index 7 is out of a list of 2"),
        ("value.user.name.name", "string has no field `name`"),
        ("value.items.map(i, i.price).join()", "join() does not take int"),
        ("value.user ? 1 : 2", "map(string, string) is not true or false"),
    ] {
        let found = eval_json(source, order).unwrap_err();
        assert!(found.contains(error), "{source}: {found}");
    }
}

#[test]
fn a_record_that_does_not_fit_is_an_error_not_a_crash() {
    for (source, error) in [
        ("int(value)", "int(\"Hello\") is not possible"),
        ("1 / (value.size() - 5)", "division by zero"),
        ("9223372036854775807 + value.size()", "out of an int's range"),
        ("value.split(',')[5]", "index 5 is out of a list of 1"),
        ("value.substring(9)", "position 9 is out of a text of 5 characters"),
        ("'%d'.format([value])", "%d does not take string"),
        ("'%s %s'.format([value])", "fewer values than verbs"),
        ("parseJson(value)", "not JSON"),
    ] {
        let found = eval(source, "Hello").unwrap_err();
        assert!(found.contains(error), "{source}: {found}");
    }
    assert!(eval_with("value.lower()", &scope(), Value::Null, Value::Null).is_err());
}

#[test]
fn what_cannot_work_is_refused_before_it_starts() {
    let cases: &[(&str, &str)] = &[
        ("value + 1", "1:1: value is string here; `value + 1` needs int: use int(value) + 1"),
        ("1 + value", "1:5: value is string here; `1 + value` needs int: use 1 + int(value)"),
        (
            "'n=' + offset",
            "1:8: offset is int here; `'n=' + offset` needs string: use 'n=' + string(offset)",
        ),
        (
            "value + offset",
            "1:9: offset is int here; `value + offset` needs string: use value + string(offset)",
        ),
        (
            "1.5 * offset",
            "1:7: offset is int here; `1.5 * offset` needs double: use 1.5 * double(offset)",
        ),
        ("value * 2", "value is string here; `value * 2` needs a number: use int(value)"),
        ("1.5 % 2.0", "1.5 is double here; `1.5 % 2.0` needs int: use int(1.5)"),
        ("-value", "value is string here; `-value` needs a number: use int(value)"),
        ("value == 1", "value is string here; `value == 1` needs int: use int(value) == 1"),
        ("value > 1", "value is string here; `value > 1` needs int: use int(value) > 1"),
        ("[1] > [2]", "[1] is list(int) here and has no order"),
        ("value == [1]", "use value == toJson([1])"),
        ("value == {'a': [1]}.a", "needs string: use value == toJson"),
        ("true == [1]", "they are never equal"),
        (
            "vlaue",
            "there is no variable `vlaue` here, there are key, value, timestamp, headers, topic, partition, offset; did you mean `value`?",
        ),
        ("agg + 1", "`agg` is known only in aggregate's and reduce's expressions"),
        (
            "value.lowerr()",
            "there is no function `lowerr`; did you mean `lower`, as in text.lower()?",
        ),
        ("timestamp('x')", "there is no function `timestamp`"),
        ("lower(value)", "write text.lower()"),
        ("value.int()", "write int(x)"),
        ("value.lower", "`lower` is a function: write value.lower()"),
        ("value.name", "declare the topic's type as json, or use parseJson(value).name"),
        ("offset.upper()", "offset is int here; `offset.upper()` needs string: use string(offset)"),
        ("value.split(key)", "key must be a literal regular expression"),
        ("value.split('(')", "the regular expression is not valid"),
        ("value.contains(1)", "1 is int here; `value.contains(1)` needs string: use string(1)"),
        (
            "value ? 1 : 2",
            "value is string here and a condition is needed: compare it, for instance value != ''",
        ),
        (
            "true ? 1 : 'a'",
            "the two sides of `?` have different types, 1 is int and 'a' is string: use int('a')",
        ),
        ("value && true", "a condition is needed"),
        ("value[0]", "only lists, maps and json take an index: use value.substring(…)"),
        ("['a']['b']", "'b' is string here; `['a']['b']` needs int"),
        ("'a' in value", "`in` needs a list or a map: use value.contains('a')"),
        ("1 in ['a']", "1 is int here; `1 in ['a']` needs string: use string(1)"),
        ("{1: 2}", "1 is int and a map's keys are strings: use string(1)"),
        ("value.map(x, x)", "value is string here and has no elements"),
        ("[1].map(1, 2)", "the first argument names the element"),
        ("[1].filter(x, x)", "x is int here and a condition is needed"),
        ("[1].map(x, x)[0] + x", "there is no variable `x` here"),
        ("has(value)", "has() takes a field"),
        ("1u", "there are no unsigned numbers here: write 1"),
        ("Foo{a: 1}", "there is no message type `Foo`"),
        ("[1].join()", "[1] is list(int) here; `[1].join()` needs list(string)"),
        ("min(1, 'a')", "'a' is string here; `min(1, 'a')` needs int: use int('a')"),
        ("value +", "syntax error"),
        ("value $ 1", "syntax error"),
        ("value)", "syntax error"),
        ("'open", "syntax error"),
        ("", "the expression is empty"),
    ];
    for (source, message) in cases {
        let problem = Expression::compile(source, &scope()).unwrap_err().to_string();
        assert!(problem.contains(message), "{source}\n  says: {problem}\n  not:  {message}");
    }
}

#[test]
fn a_problem_is_placed_by_line_and_character() {
    let problem = Expression::compile("'žluťoučký' ==\n  'x' + 1", &scope()).unwrap_err();
    assert_eq!((problem.line, problem.column), (2, 9), "{problem}");
    let problem = Expression::compile("'ž' + nobody", &scope()).unwrap_err();
    assert_eq!((problem.line, problem.column), (1, 7), "{problem}");
}

#[test]
fn size_and_depth_are_bounded() {
    let long = format!("'{}'", "x".repeat(MAX_EXPRESSION_BYTES));
    let problem = Expression::compile(&long, &scope()).unwrap_err();
    assert!(problem.message.contains("split it over several steps"), "{problem}");
    for deep in [
        vec!["1"; 1000].join("+"),
        format!("{}1{}", "(".repeat(2000), ")".repeat(2000)),
        format!("{}1{}", "[".repeat(90), "]".repeat(90)),
        "!".repeat(3000) + "true",
    ] {
        let outcome = Expression::compile(&deep, &scope());
        if let Ok(expression) = outcome {
            // Parentheses and pairs of `!` leave nothing behind.
            assert!(matches!(expression.type_of(), Type::Int | Type::Bool));
        }
    }
    let nested = "value.split('').map(a, value.split('').map(b, value.split('').map(c, 1)))";
    let error = eval(nested, "x".repeat(200)).unwrap_err();
    assert!(error.contains("steps"), "{error}");
}

#[test]
fn types_are_known_before_the_first_record() {
    let scope = Scope::record(Type::Dyn, Type::Int).with_agg(Type::map(Type::Int));
    for (source, expected) in [
        ("value", "int"),
        ("key", "dyn"),
        ("key.a + 1", "dyn"),
        ("agg", "map(string, int)"),
        ("agg.x + value", "int"),
        ("[value, null]", "list(int)"),
        ("[value, 'a']", "list(dyn)"),
        ("{'a': value}", "map(string, int)"),
        ("value > 1 ? null : 'x'", "string"),
        ("headers", "map(string, bytes)"),
        ("agg.filter(k, agg[k] > 1)", "list(string)"),
        ("agg.map(k, agg[k] * 2)", "list(int)"),
        ("null", "null"),
        ("[]", "list(dyn)"),
    ] {
        let ty = Expression::compile(source, &scope).unwrap().type_of().to_string();
        assert_eq!(ty, expected, "{source}");
    }
}

#[test]
fn whatever_is_written_is_compiled_or_refused() {
    use proptest::prelude::*;
    let piece = prop::sample::select(vec![
        "value", "key", "1", "'a'", "+", "-", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":",
        "map", "x", " ", "&&", "==", "!", "in", "r'\\W'", "split", "lower()", "\u{17e}", "\\", "'",
        "\"", "0x", "1e9", "null",
    ]);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    runner
        .run(&prop::collection::vec(piece, 0..12), |pieces| {
            let source = pieces.concat();
            let map: Map = Map::new();
            let value = Value::Map(Arc::new(map));
            let _ = eval_with(&source, &scope(), Value::Null, value);
            Ok(())
        })
        .unwrap();
}
