//! Files by their paths, lines by their text.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Effect, Page, Place, Told, Tool};
use crate::mcp::door::Door;
use crate::mcp::schema;

/// The pictures, sounds and papers that `list_assets` lists.
const ASSETS: &str = "**/*.{avif,bmp,csv,gif,ico,jpeg,jpg,json,m4a,mp3,mp4,ogg,otf,pdf,png,svg,ttf,\
                      wav,webm,webp,woff,woff2,zip}";

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "glob_search",
            Effect::Reads,
            "The files whose whole path matches a pattern: * within a segment, ** across segments, \
             {a,b} either.",
            schema::answer("FoundFiles"),
            glob_search,
        ),
        Tool::new(
            "list_assets",
            Effect::Reads,
            "The files that are pictures, sounds, films, fonts, papers or data, a page at a time.",
            schema::answer("FoundFiles"),
            list_assets,
        ),
        Tool::new(
            "grep_search",
            Effect::Reads,
            "The lines that match a regular expression, in time linear in what is searched.",
            schema::answer("FoundLines"),
            grep_search,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Glob {
    /// The pattern of whole paths.
    pattern: String,
    #[serde(flatten)]
    files: Files,
}

/// Which files of a version.
#[derive(Debug, Deserialize, JsonSchema)]
struct Files {
    #[serde(flatten)]
    place: Place,
    /// Only what is at this path or below it.
    path: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Grep {
    #[serde(flatten)]
    place: Place,
    /// The regular expression, in the syntax of the Rust crate regex.
    pattern: String,
    /// Only what is at this path or below it.
    path: Option<String>,
    /// Only files whose path in the book matches this pattern.
    glob: Option<String>,
    /// Letters match in either case.
    #[serde(default)]
    ignore_case: bool,
    /// The pattern is the very text.
    #[serde(default)]
    literal: bool,
    /// Most lines to answer with.
    limit: Option<usize>,
}

async fn glob_search(door: Door, glob: Glob) -> Told {
    find(&door, glob.files, &glob.pattern).await
}

async fn list_assets(door: Door, files: Files) -> Told {
    find(&door, files, ASSETS).await
}

async fn find(door: &Door, files: Files, pattern: &str) -> Told {
    let Files { place, path, page } = files;
    let ask = place.get("glob")?.with("pattern", pattern).with_some("path", path);
    door.json(page.of(ask)).await
}

async fn grep_search(door: Door, grep: Grep) -> Told {
    let Grep { place, pattern, path, glob, ignore_case, literal, limit } = grep;
    let ask = place
        .get("grep")?
        .with("pattern", pattern)
        .with("ignore_case", ignore_case)
        .with("literal", literal)
        .with_some("path", path)
        .with_some("glob", glob)
        .with_some("limit", limit);
    door.json(ask).await
}
