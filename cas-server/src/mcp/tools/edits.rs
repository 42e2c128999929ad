//! Changes of files.

use axum::http::Method;
use axum::http::header::IF_MATCH;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Effect, Place, Told, Tool};
use crate::mcp::door::Door;
use crate::mcp::schema;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "write_content",
            Effect::Replaces,
            "Writes a text file. Without expected_hash it creates, and is refused with HASH_REQUIRED if \
             something is there; with expected_hash, the id that you read, it updates, and is refused \
             with CONFLICT if it is another by now.",
            schema::answer("EditReport"),
            write_content,
        ),
        Tool::new(
            "delete_content",
            Effect::Settles,
            "Deletes a file, or with recursive a folder. What is not there is no error: existed is \
             false. Versions before keep it.",
            schema::of::<Deleted>(),
            delete_content,
        ),
        Tool::new(
            "upload_asset",
            Effect::Replaces,
            "Writes a file of any kind from base64. Without content it tells where a large one can be \
             sent directly.",
            schema::of::<Uploaded>(),
            upload_asset,
        ),
        Tool::new(
            "edit_many",
            Effect::Replaces,
            "Several edits as one version: all are done, or none.",
            schema::answer("EditReport"),
            edit_many,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Write {
    #[serde(flatten)]
    place: Place,
    /// Where.
    path: String,
    /// The whole new content.
    content: String,
    /// The id of the file that is there, as it was read; none creates.
    expected_hash: Option<String>,
    /// Why, for the record.
    message: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Delete {
    #[serde(flatten)]
    place: Place,
    /// What.
    path: String,
    /// Only if the file still has this id.
    expected_hash: Option<String>,
    /// Also a folder, with everything in it.
    #[serde(default)]
    recursive: bool,
    /// Why, for the record.
    message: Option<String>,
}

/// What a deletion did.
#[derive(Debug, Serialize, JsonSchema)]
struct Deleted {
    /// Whether something was there.
    existed: bool,
    /// What the branch points at now.
    commit: Value,
    /// The id of the file before.
    old: Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Upload {
    #[serde(flatten)]
    place: Place,
    /// Where.
    path: String,
    /// The content in base64; without it the answer tells where to send it.
    base64: Option<String>,
    /// The id of the file that is there; none creates.
    expected_hash: Option<String>,
    /// Why, for the record.
    message: Option<String>,
}

/// What became of an asset, or where it is to be sent.
#[derive(Debug, Serialize, JsonSchema)]
struct Uploaded {
    /// created, updated or unchanged; upload: send the content as `upload` says.
    outcome: Value,
    /// The file's id.
    id: Value,
    /// What the branch points at now.
    commit: Value,
    /// How the content is sent.
    upload: Option<Direct>,
}

/// A request by which content is sent: its body, with the token of this conversation.
#[derive(Debug, Serialize, JsonSchema)]
struct Direct {
    method: &'static str,
    /// Relative to the server.
    url: String,
    /// The header that says what is there now, and its value.
    header: &'static str,
    value: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Commit {
    #[serde(flatten)]
    place: Place,
    /// Why, for the record.
    message: String,
    /// In this order, 1 to 10,000 of them.
    edits: Vec<Edit>,
}

/// One edit.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Edit {
    /// Write a file; its content is given in one of three ways.
    Put {
        path: String,
        /// The content, as text.
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The content, in base64.
        #[serde(skip_serializing_if = "Option::is_none")]
        base64: Option<String>,
        /// The content, by the id of a blob that is in the store.
        #[serde(skip_serializing_if = "Option::is_none")]
        blob: Option<String>,
        /// What is there: absent, or the id of the file.
        #[serde(alias = "expected_hash", skip_serializing_if = "Option::is_none")]
        expect: Option<String>,
    },
    /// Delete what is there.
    Delete {
        path: String,
        /// Also a folder, with everything in it.
        #[serde(default)]
        recursive: bool,
        /// The id of the file that is there.
        #[serde(alias = "expected_hash", skip_serializing_if = "Option::is_none")]
        expect: Option<String>,
    },
    /// Move a file or folder to where nothing is.
    Move {
        path: String,
        to: String,
        /// The id of the file that is there.
        #[serde(alias = "expected_hash", skip_serializing_if = "Option::is_none")]
        expect: Option<String>,
    },
}

async fn write_content(door: Door, write: Write) -> Told {
    let Write { place, path, content, expected_hash, message } = write;
    put(&door, &place, path, Some(content), None, expected_hash, message).await
}

async fn delete_content(door: Door, delete: Delete) -> Told {
    let Delete { place, path, expected_hash, recursive, message } = delete;
    let mut ask = place
        .ask(Method::DELETE, "files")?
        .at(&path)
        .with("recursive", recursive)
        .with_some("message", message);
    if let Some(id) = expected_hash {
        ask = ask.header(IF_MATCH, &format!("\"{id}\""))?;
    }
    let report = door.json(ask).await?;
    let at = |pointer| report.pointer(pointer).cloned().unwrap_or_default();
    let existed = at("/results/0/existed") == Value::Bool(true);
    Ok(json!(Deleted { existed, commit: at("/commit"), old: at("/results/0/old") }))
}

async fn upload_asset(door: Door, upload: Upload) -> Told {
    let Upload { place, path, base64, expected_hash, message } = upload;
    let Some(base64) = base64 else {
        return direct(&place, &path, expected_hash, message);
    };
    let report = put(&door, &place, path, None, Some(base64), expected_hash, message).await?;
    let at = |pointer| report.pointer(pointer).cloned().unwrap_or_default();
    let (outcome, id, commit) = (at("/results/0/outcome"), at("/results/0/new"), at("/commit"));
    Ok(json!(Uploaded { outcome, id, commit, upload: None }))
}

/// Where content is sent that is too large for a message.
fn direct(
    place: &Place,
    path: &str,
    expected_hash: Option<String>,
    message: Option<String>,
) -> Told {
    let url = place.ask(Method::PUT, "files")?.at(path).with_some("message", message).target();
    let (header, value) = match expected_hash {
        Some(id) => ("If-Match", format!("\"{id}\"")),
        None => ("If-None-Match", "*".to_owned()),
    };
    let upload = Some(Direct { method: "PUT", url, header, value });
    let nothing = Value::Null;
    let told = Uploaded { outcome: json!("upload"), id: nothing.clone(), commit: nothing, upload };
    Ok(json!(told))
}

async fn edit_many(door: Door, commit: Commit) -> Told {
    let Commit { place, message, edits } = commit;
    make_commit(&door, &place, &message, &edits).await
}

/// Writes one file: creates it where no id is expected, updates what has the expected one.
async fn put(
    door: &Door,
    place: &Place,
    path: String,
    text: Option<String>,
    base64: Option<String>,
    expected_hash: Option<String>,
    message: Option<String>,
) -> Told {
    let message = message.unwrap_or_else(|| format!("put {path}"));
    let creates = expected_hash.is_none();
    let expect = expected_hash.or_else(|| Some("absent".to_owned()));
    let edit = Edit::Put { path, text, base64, blob: None, expect };
    let done = make_commit(door, place, &message, &[edit]).await;
    match done {
        Err(failure) if creates && failure.code() == "exists" => Err(failure.asking_for_hash()),
        done => done,
    }
}

/// Does edits as one version.
async fn make_commit(door: &Door, place: &Place, message: &str, edits: &[Edit]) -> Told {
    let body = json!({ "message": message, "edits": edits });
    door.json(place.ask(Method::POST, "commits")?.body(&body)?).await
}
