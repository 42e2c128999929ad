//! Books, and a version of one as a whole.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Effect, Page, Place, Told, Tool};
use crate::mcp::door::{Ask, Door};
use crate::mcp::schema;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "list_books",
            Effect::Reads,
            "The books of the store that you may see, a page at a time.",
            schema::answer("Books"),
            list_books,
        ),
        Tool::new(
            "validate_book",
            Effect::Reads,
            "Checks a version against the rules of its book.toml; tells every violation.",
            schema::answer("Validation"),
            validate_book,
        ),
        Tool::new(
            "get_book_archive",
            Effect::Reads,
            "Where a version, or a folder of it, can be fetched as one streamed archive. The URL is \
             relative to the server and takes the same token as this conversation.",
            schema::of::<Archive>(),
            get_book_archive,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Archived {
    #[serde(flatten)]
    place: Place,
    /// tar (the default; can be resumed), tar.zst or zip.
    format: Option<String>,
    /// Only what is at this path or below it.
    path: Option<String>,
}

/// Where an archive is.
#[derive(Debug, Serialize, JsonSchema)]
struct Archive {
    /// Where it is fetched from, relative to the server.
    url: String,
    /// The commit that it is of.
    commit: Option<String>,
    /// own, or upstream where a personal branch is not there yet.
    source: Option<String>,
    /// Changes whenever the archive's bytes do.
    etag: Option<String>,
    /// Its size in bytes, where it is known beforehand.
    size: Option<u64>,
}

async fn list_books(door: Door, page: Page) -> Told {
    door.json(page.of(Ask::get(&["books"]))).await
}

async fn validate_book(door: Door, place: Place) -> Told {
    door.json(place.get("validate")?).await
}

async fn get_book_archive(door: Door, wanted: Archived) -> Told {
    let Archived { place, format, path } = wanted;
    let file = format!("archive.{}", format.as_deref().unwrap_or("tar"));
    let ask = place.ask(Method::HEAD, &file)?.with_some("path", path);
    let url = ask.target();
    let answer = door.ask(ask).await?;
    let archive = Archive {
        url,
        commit: answer.text("cas-commit"),
        source: answer.text("cas-source"),
        etag: answer.text("etag"),
        size: answer.size(),
    };
    Ok(json!(archive))
}
