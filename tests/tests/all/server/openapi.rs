//! The description of the API: OpenAPI 3.1, as a third-party validator reads it.

use std::collections::BTreeSet;
use std::process::Command;

use cas_tests::skip_loudly;
use serde_json::Value;

use super::Served;

/// The program that is given the file of a description and says whether it is valid; by default
/// Python's `openapi-spec-validator`, if it is installed.
const VALIDATOR: &str = "CAS_OPENAPI_VALIDATOR";

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_and_describes_every_operation() {
    let served = Served::start().await;
    let answer = served.client().get("/openapi.json").await.expect(200);
    let document = answer.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap_or_default();
            assert!(ids.insert(id.to_owned()), "{method} {path}: {id} is there twice");
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            let declared: BTreeSet<_> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .filter_map(|parameter| parameter["name"].as_str())
                .collect();
            let in_path: BTreeSet<_> =
                path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
            assert_eq!(declared, in_path, "{method} {path}");
        }
    }
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[test]
fn a_third_party_validator_accepts_the_description() {
    let document = cas_server::openapi().to_json().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("openapi.json");
    std::fs::write(&file, document).unwrap();
    let validator = std::env::var(VALIDATOR).unwrap_or("openapi-spec-validator".to_owned());
    match Command::new(&validator).arg(&file).output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => skip_loudly(&format!("{validator} cannot be run ({error}): see {VALIDATOR}")),
    }
}

fn collect_references(value: &Value, into: &mut Vec<String>) {
    let mut queue = vec![value];
    while let Some(value) = queue.pop() {
        match value {
            Value::Object(members) => {
                into.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                queue.extend(members.values());
            }
            Value::Array(items) => queue.extend(items),
            _ => {}
        }
    }
}
