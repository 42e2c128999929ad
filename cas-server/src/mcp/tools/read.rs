//! What is in files.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Effect, Place, Told, Tool};
use crate::mcp::door::{Answer, Door};
use crate::mcp::failure::Failure;
use crate::mcp::schema;

/// How many bytes of files one answer holds where nothing is said, and at most.
const BYTES: u64 = 1024 * 1024;
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// How many files are read at once.
const AT_ONCE: usize = 16;

/// How often a folder is listed anew because its branch moved while its files were read.
const ATTEMPTS: usize = 16;

/// Largest asset that is answered with its content, in bytes; of larger ones the URL is told.
const ASSET_BYTES: u64 = 1024 * 1024;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "read_content",
            Effect::Reads,
            "Reads a file, or all files of a folder (a chapter, a part, the whole book without path), as \
             far as limit_bytes goes; what is left off is named with its size. Give a file's id as \
             expected_hash when you write it.",
            schema::of::<Contents>(),
            read_content,
        ),
        Tool::new(
            "get_asset",
            Effect::Reads,
            "A file of any kind in base64; of one larger than 1 MiB where it can be fetched from.",
            schema::of::<Asset>(),
            get_asset,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Wanted {
    #[serde(flatten)]
    place: Place,
    /// The file or folder; the whole book if it is not given.
    #[serde(default)]
    path: String,
    /// Most bytes of files to answer with: 1 MiB if it is not given, at most 8 MiB.
    limit_bytes: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct WantedFile {
    #[serde(flatten)]
    place: Place,
    /// The file.
    path: String,
}

/// Files with what is in them.
#[derive(Debug, Serialize, JsonSchema)]
struct Contents {
    /// The commit that they were read from.
    commit: Option<String>,
    /// In the order of their paths.
    files: Vec<FileView>,
    /// What did not fit: read it by its path.
    left_off: Vec<LeftOff>,
    /// Of one file: the commit that changed it last.
    last_change: Option<Value>,
}

/// A file with what is in it.
#[derive(Debug, Serialize, JsonSchema)]
struct FileView {
    path: String,
    /// Its id: give it as `expected_hash` to write it.
    id: String,
    /// In bytes.
    size: u64,
    /// file, executable or symlink.
    kind: Option<String>,
    /// Whose it is: own, upstream, merged or conflict.
    source: Option<String>,
    /// Its content, where it is text.
    content: Option<String>,
    /// Its content in base64, where it is not.
    base64: Option<String>,
}

/// A file that was left off.
#[derive(Debug, Serialize, JsonSchema)]
struct LeftOff {
    path: String,
    id: String,
    size: u64,
}

/// A file of any kind.
#[derive(Debug, Serialize, JsonSchema)]
struct Asset {
    path: String,
    id: String,
    /// In bytes.
    size: u64,
    content_type: Option<String>,
    source: Option<String>,
    /// Its content, unless it is large.
    base64: Option<String>,
    /// Where it is fetched from, relative to the server, with the token of this conversation.
    url: String,
}

/// An entry of a folder, as its operation tells it.
#[derive(Debug, Deserialize)]
struct Entry {
    path: String,
    id: String,
    size: u64,
    source: Option<String>,
}

async fn read_content(door: Door, wanted: Wanted) -> Told {
    let Wanted { place, path, limit_bytes } = wanted;
    let limit = limit_bytes.unwrap_or(BYTES).min(MOST_BYTES);
    let found = door.ask(place.ask(Method::HEAD, "files")?.at(&path)).await?;
    if found.header("cas-kind").is_none() {
        return read_folder(&door, &place, &path, limit).await;
    }
    let size = found.size().unwrap_or_default();
    if size > limit {
        let id = found.id().unwrap_or_default().to_owned();
        let commit = found.text("cas-commit");
        let left_off = vec![LeftOff { path, id, size }];
        return Ok(json!(Contents { commit, files: Vec::new(), left_off, last_change: None }));
    }
    let answer = door.ask(place.get("files")?.at(&path)).await?;
    let history = door.json(place.get("history")?.at(&path).with("limit", 1)).await?;
    let contents = Contents {
        commit: answer.text("cas-commit"),
        files: vec![FileView::new(path, &answer, None)],
        left_off: Vec::new(),
        last_change: history.pointer("/commits/0").cloned(),
    };
    Ok(json!(contents))
}

/// Reads a folder as one version has it: if its branch moves meanwhile, all is read again.
async fn read_folder(door: &Door, place: &Place, path: &str, limit: u64) -> Told {
    for _ in 0..ATTEMPTS {
        if let Some(contents) = try_folder(door, place, path, limit).await? {
            return Ok(json!(contents));
        }
    }
    Err(Failure::moving(path))
}

/// The same; `None` if a file is no longer what the listing said.
async fn try_folder(
    door: &Door,
    place: &Place,
    path: &str,
    limit: u64,
) -> Result<Option<Contents>, Failure> {
    let answer = door.ask(place.get("files")?.at(path).with("recursive", true)).await?;
    let entries = answer.json()?.get_mut("entries").map(Value::take).unwrap_or_default();
    let entries: Vec<Entry> =
        serde_json::from_value(entries).map_err(|error| Failure::unreadable(&error))?;
    let (mut read, mut left_off, mut bytes) = (Vec::new(), Vec::new(), 0);
    for entry in entries {
        if bytes + entry.size <= limit {
            bytes += entry.size;
            read.push(entry);
        } else {
            let Entry { path, id, size, .. } = entry;
            left_off.push(LeftOff { path, id, size });
        }
    }
    let files: Option<Vec<FileView>> = stream::iter(read)
        .map(|entry| async move {
            let answer = match door.ask(place.get("files")?.at(&entry.path)).await {
                Err(failure) if failure.is_not_found() => return Ok(None),
                answer => answer?,
            };
            let file = FileView::new(entry.path, &answer, entry.source);
            Ok::<_, Failure>((file.id == entry.id).then_some(file))
        })
        .buffered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?
        .into_iter()
        .collect();
    let commit = answer.text("cas-commit");
    Ok(files.map(|files| Contents { commit, files, left_off, last_change: None }))
}

async fn get_asset(door: Door, wanted: WantedFile) -> Told {
    let WantedFile { place, path } = wanted;
    let head = place.ask(Method::HEAD, "files")?.at(&path);
    let url = head.target();
    let mut answer = door.ask(head).await?;
    if answer.header("cas-kind").is_none() {
        return Err(Failure::bad_argument(format!("{path:?} is a folder")));
    }
    let size = answer.size().unwrap_or_default();
    let mut base64 = None;
    if size <= ASSET_BYTES {
        answer = door.ask(place.get("files")?.at(&path)).await?;
        base64 = Some(STANDARD.encode(&answer.body));
    }
    let asset = Asset {
        id: answer.id().unwrap_or_default().to_owned(),
        size,
        content_type: answer.text("content-type"),
        source: answer.text("cas-source"),
        base64,
        url,
        path,
    };
    Ok(json!(asset))
}

impl FileView {
    fn new(path: String, answer: &Answer, source: Option<String>) -> Self {
        let content = std::str::from_utf8(&answer.body).ok().map(str::to_owned);
        let base64 = content.is_none().then(|| STANDARD.encode(&answer.body));
        Self {
            path,
            id: answer.id().unwrap_or_default().to_owned(),
            size: answer.body.len() as u64,
            kind: answer.text("cas-kind"),
            source: source.or_else(|| answer.text("cas-source")),
            content,
            base64,
        }
    }
}
