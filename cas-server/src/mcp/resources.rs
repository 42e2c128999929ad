//! Files as resources: `book://BOOK/REF/PATH`, the slashes of a ref as `%2F`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use rmcp::ErrorData;
use rmcp::model::{
    ListResourcesResult, ReadResourceResult, Resource, ResourceContents, ResourceTemplate,
};

use super::door::{Ask, Door};

const SCHEME: &str = "book://";

/// How the resources are named.
pub(super) fn template() -> ResourceTemplate {
    ResourceTemplate::new("book://{book}/{ref}/{+path}", "file")
        .with_title("A file of a book")
        .with_description(
            "A file at a branch or tag; the slashes of a ref are written %2F, as in \
             book://guide/users%2Fada/ch1/intro.md. A folder answers with what is in it, as JSON.",
        )
}

/// The books, each as its `main`, a page at a time.
pub(super) async fn list(
    door: &Door,
    cursor: Option<String>,
) -> Result<ListResourcesResult, ErrorData> {
    let page = match door.json(Ask::get(&["books"]).with_some("cursor", cursor)).await {
        Ok(page) => page,
        Err(failure) => {
            let told = serde_json::to_value(&failure).ok();
            return Err(ErrorData::invalid_params("cannot list the books", told));
        }
    };
    let books = page["books"].as_array().into_iter().flatten();
    let books = books.filter(|book| !book["main"].is_null());
    let books = books.filter_map(|book| book["book"].as_str());
    let resources = books.map(|book| {
        Resource::new(format!("{SCHEME}{book}/main/"), book)
            .with_description("What is in the book at main, as JSON.")
            .with_mime_type("application/json")
    });
    let mut listed = ListResourcesResult::with_all_items(resources.collect());
    listed.next_cursor = page["next"].as_str().map(str::to_owned);
    Ok(listed)
}

/// What is at `uri`.
pub(super) async fn read(door: &Door, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let Some((book, name, path)) = parts(uri) else {
        let detail = format!("{uri:?} is not book://BOOK/REF/PATH");
        return Err(ErrorData::invalid_params(detail, None));
    };
    let ask = Ask::get(&["books", &book, "refs", &name, "files"]).at(&path);
    let answer = match door.ask(ask).await {
        Ok(answer) => answer,
        Err(failure) => {
            let told = serde_json::to_value(&failure).ok();
            return Err(ErrorData::resource_not_found(format!("cannot read {uri}"), told));
        }
    };
    let mime = answer.header("content-type").unwrap_or("application/octet-stream").to_owned();
    let contents = match String::from_utf8(answer.body.to_vec()) {
        Ok(text) => ResourceContents::text(text, uri),
        Err(bytes) => ResourceContents::blob(STANDARD.encode(bytes.as_bytes()), uri),
    };
    Ok(ReadResourceResult::new(vec![contents.with_mime_type(mime)]))
}

/// Book, ref and path.
fn parts(uri: &str) -> Option<(String, String, String)> {
    let mut segments = uri.strip_prefix(SCHEME)?.splitn(3, '/');
    let mut decoded =
        || Some(percent_decode_str(segments.next()?).decode_utf8().ok()?.into_owned());
    Some((decoded()?, decoded()?, decoded().unwrap_or_default()))
}
