//! What tools take and give, as JSON Schema.

use std::sync::LazyLock;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

/// Where the description of the HTTP API keeps its types, and where a schema keeps those it needs.
const COMPONENTS: &str = "#/components/schemas/";
const DEFINITIONS: &str = "#/$defs/";

/// The types of the HTTP API, by name.
static TYPES: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let description = serde_json::to_value(crate::api::openapi()).unwrap_or_default();
    match description.pointer("/components/schemas") {
        Some(Value::Object(types)) => types.clone(),
        _ => Map::new(),
    }
});

/// What a type of arguments or answers is.
pub(super) fn of<T: JsonSchema>() -> JsonObject {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    match generator.root_schema_for::<T>().to_value() {
        Value::Object(mut schema) => {
            schema.remove("title");
            schema.remove("description");
            schema
        }
        _ => Map::new(),
    }
}

/// What an operation of the HTTP API answers with, by the name of its type there.
pub(super) fn answer(name: &str) -> JsonObject {
    let mut needed = Vec::new();
    let mut schema = resolved(name, &mut needed);
    let mut definitions = Map::new();
    while let Some(name) = needed.pop() {
        if !definitions.contains_key(&name) {
            let definition = resolved(&name, &mut needed);
            definitions.insert(name, Value::Object(definition));
        }
    }
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema
}

/// A type whose references go to definitions beside it; their names are added to `needed`.
fn resolved(name: &str, needed: &mut Vec<String>) -> JsonObject {
    let mut schema = TYPES.get(name).cloned().unwrap_or_else(|| json!({ "type": "object" }));
    point_beside(&mut schema, needed);
    match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    }
}

fn point_beside(schema: &mut Value, needed: &mut Vec<String>) {
    match schema {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(target) if name == "$ref" => {
                        if let Some(name) = target.strip_prefix(COMPONENTS) {
                            needed.push(name.to_owned());
                            *target = format!("{DEFINITIONS}{name}");
                        }
                    }
                    _ => point_beside(value, needed),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| point_beside(item, needed)),
        _ => {}
    }
}
