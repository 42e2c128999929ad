//! Completions of the template of resources: books, refs and paths that begin as was typed.

use rmcp::model::{CompleteRequestParams, CompletionInfo};
use serde_json::Value;

use super::door::{Ask, Door};
use super::failure::Failure;

/// How many names one question asks for, and how many questions one completion asks at most.
const PAGE: usize = 1_000;
const PAGES: usize = 8;

/// Names, and whether there are more.
type Names = (Vec<String>, bool);

/// What the argument may go on as. Nothing, if it is none of the template's, or what it depends on
/// is not said or not there.
pub(super) async fn complete(door: &Door, request: &CompleteRequestParams) -> CompletionInfo {
    let known = request.context.as_ref().and_then(|context| context.arguments.as_ref());
    let known = |name| known.and_then(|known| known.get(name)).map(String::as_str);
    let typed = request.argument.value.as_str();
    let found = match (request.argument.name.as_str(), known("book"), known("ref")) {
        ("book", ..) => names(door, &["books"], "books", "book", typed).await,
        ("ref", Some(book), _) => names(door, &["books", book, "refs"], "refs", "ref", typed).await,
        ("path", Some(book), Some(name)) => paths(door, book, name, typed).await,
        _ => Ok((Vec::new(), false)),
    };
    let (mut names, mut more) = found.unwrap_or_default();
    more |= names.len() > CompletionInfo::MAX_VALUES;
    names.truncate(CompletionInfo::MAX_VALUES);
    CompletionInfo::with_pagination(names, None, more).unwrap_or_default()
}

/// The names that an operation tells in pages and that begin as was typed.
async fn names(
    door: &Door,
    at: &[&str],
    list: &str,
    name: &str,
    typed: &str,
) -> Result<Names, Failure> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let ask = Ask::get(at).with("limit", PAGE).with_some("cursor", cursor);
        let page = door.json(ask).await?;
        let all = page[list].as_array().into_iter().flatten();
        let all = all.filter_map(|item| item[name].as_str());
        found.extend(all.filter(|name| name.starts_with(typed)).map(str::to_owned));
        cursor = page["next"].as_str().map(str::to_owned);
        if cursor.is_none() || found.len() > CompletionInfo::MAX_VALUES {
            break;
        }
    }
    Ok((found, cursor.is_some()))
}

/// What is in the folder that was typed, and begins as what comes after it; a folder ends with a
/// slash.
async fn paths(door: &Door, book: &str, name: &str, typed: &str) -> Result<Names, Failure> {
    let folder = typed.rsplit_once('/').map_or("", |(folder, _)| folder);
    let ask = Ask::get(&["books", book, "refs", name, "files"]).at(folder);
    let found = door.json(ask).await?;
    let path = |item: &Value| {
        let path = item["path"].as_str().filter(|path| path.starts_with(typed))?;
        Some(if item["kind"] == "tree" { format!("{path}/") } else { path.to_owned() })
    };
    let entries = found["entries"].as_array().into_iter().flatten();
    Ok((entries.filter_map(path).collect(), false))
}
