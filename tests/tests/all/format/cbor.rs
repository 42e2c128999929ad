//! CBOR as a second, maintained crate reads it: generic values without any knowledge of ours.

use ciborium::Value;

/// An array.
pub(crate) fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// An unsigned integer.
pub(crate) fn int(number: u64) -> Value {
    Value::Integer(number.into())
}

/// A text string.
pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A byte string.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

/// Reads a CBOR sequence to its end.
pub(crate) fn read_sequence(mut bytes: &[u8]) -> Vec<Value> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        items.push(ciborium::from_reader(&mut bytes).expect("the second crate reads it too"));
    }
    items
}

/// Writes a CBOR sequence.
pub(crate) fn write_sequence(items: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        ciborium::into_writer(item, &mut bytes).unwrap();
    }
    bytes
}

/// Fails if there is anything in `value` but arrays, unsigned integers, texts, bytes and null.
pub(crate) fn assert_plain(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(assert_plain),
        Value::Integer(number) => assert!(u64::try_from(*number).is_ok(), "{number:?}"),
        Value::Text(_) | Value::Bytes(_) | Value::Null => {}
        other => panic!("the format has nothing like {other:?}"),
    }
}

/// Compares field by field, so that a failure names the field.
pub(crate) fn assert_same(place: &str, found: &Value, expected: &Value) {
    if let (Value::Array(found), Value::Array(expected)) = (found, expected) {
        assert_eq!(found.len(), expected.len(), "number of fields at {place}");
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_same(&format!("{place}[{at}]"), found, expected);
        }
    } else {
        assert_eq!(found, expected, "at {place}");
    }
}

/// The diagnostic notation of RFC 8949 section 8.
pub(crate) fn diagnostic(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(diagnostic).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Text(text) => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            format!("\"{}\"", text.replace('\n', "\\n"))
        }
        Value::Bytes(bytes) => {
            let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("h'{}'", digits.concat())
        }
        Value::Null => "null".to_owned(),
        other => panic!("the format has nothing like {other:?}"),
    }
}
