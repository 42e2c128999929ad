//! Which part of a version: `?path=…&glob=…&glob=…`.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cas_core::name::{BookId, BookPath, RefName, Revision, TreeId};
use cas_core::object::Kind;
use cas_core::repo::{Globs, Reading};
use url::form_urlencoded;
use utoipa::IntoParams;

use super::extract::path_of;
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::Problem;

/// What is at a path or below it, as far as any of a few patterns chooses it.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) path: BookPath,
    pub(crate) globs: Globs,
}

/// How a choice is written.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what is read by hand: no crate here reads repeated names")]
pub(crate) struct ChoiceQuery {
    /// Only what is at this path or below it.
    path: Option<String>,
    /// Only files whose path in the book one of these patterns matches: `*` within a segment, `**`
    /// across segments. May be given several times.
    glob: Option<Vec<String>>,
}

impl FromRequestParts<App> for Choice {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let (mut path, mut globs) = (None, Vec::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "path" if path.is_none() => path = Some(path_of(&value)?),
                "path" => return Err(Problem::bad_request("bad_query", "two paths are given")),
                "glob" => globs.push(value.into_owned()),
                _ => {}
            }
        }
        Ok(Self { path: path.unwrap_or(BookPath::root()), globs: Globs::parse(globs)? })
    }
}

/// The tree that an id names, which is there; of callers who may read the whole store.
pub(crate) async fn tree_of(app: &App, caller: &Caller, id: &str) -> Result<TreeId, Problem> {
    let id: TreeId = id.parse()?;
    caller.may_all(Verb::Read)?;
    match app.store().size(Kind::Tree, id.hash()).await? {
        Some(_) => Ok(id),
        None => Err(Problem::no_object(Kind::Tree, id.hash())),
    }
}

/// What a reader of a ref sees, of which the caller may read everything at `path` and below.
///
/// It is enough to be allowed to read the branch that is named: what stands in for one that is not
/// there is said by the book itself.
pub(crate) async fn version_at(
    app: &App,
    caller: &Caller,
    book: BookId,
    name: RefName,
    path: &BookPath,
) -> Result<Reading, Problem> {
    caller.may_below(Verb::Read, &book, &name, path)?;
    Ok(app.repo(caller).open(&Revision::head(book, name)).await?)
}
