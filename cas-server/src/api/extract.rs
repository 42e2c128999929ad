//! What is taken out of requests: axum's extractors, with problems where they fail.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use cas_core::name::{BookPath, NameError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::app::App;
use crate::problem::Problem;

/// The parts of a route's path that are in braces.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

/// What comes after the `?`.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

/// A body in JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// Which part of a long list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Where to go on: `next` of the page before.
    pub(crate) cursor: Option<String>,
    /// Most entries to answer with.
    pub(crate) limit: Option<usize>,
}

impl Page {
    /// How many entries are answered with: what was asked for, within what the server allows.
    pub(crate) fn size(&self, app: &App) -> usize {
        self.limit.unwrap_or(100).clamp(1, app.settings().page_limit)
    }

    /// Cuts this page out of things that are ordered by their names: those after the cursor, and
    /// the cursor of the next page.
    pub(crate) fn cut<T>(
        &self,
        app: &App,
        mut all: Vec<T>,
        name: impl Fn(&T) -> &str,
    ) -> (Vec<T>, Option<String>) {
        if let Some(cursor) = &self.cursor {
            all.retain(|item| name(item) > cursor.as_str());
        }
        let more = all.len() > self.size(app);
        all.truncate(self.size(app));
        let next = all.last().filter(|_| more).map(|item| name(item).to_owned());
        (all, next)
    }

    /// The cursor is none that a page before gave.
    pub(crate) fn bad_cursor() -> Problem {
        Problem::bad_request("bad_cursor", "the cursor is not the `next` of a page before")
    }
}

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Path::from_request_parts(parts, state).await;
        let axum::extract::Path(value) = found.map_err(|error: PathRejection| {
            // What comes from our own types says the rule; the text around it is axum's.
            Problem::bad_request("bad_name", error.body_text())
        })?;
        Ok(Self(value))
    }
}

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = axum::extract::Query::from_request_parts(parts, state).await;
        let axum::extract::Query(value) = found.map_err(|error: QueryRejection| {
            Problem::bad_request("bad_query", error.body_text())
        })?;
        Ok(Self(value))
    }
}

impl<T> FromRequest<App> for Json<T>
where
    T: DeserializeOwned,
{
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let found = <axum::Json<T> as FromRequest<App>>::from_request(request, app).await;
        let axum::Json(value) = found.map_err(|error: JsonRejection| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(error.body_text()),
            status => Problem::new(status, "bad_body", error.body_text()),
        })?;
        Ok(Self(value))
    }
}

impl<T> OptionalFromRequest<App> for Json<T>
where
    T: DeserializeOwned,
{
    type Rejection = Problem;

    /// Nothing, if no body of JSON is announced.
    async fn from_request(request: Request, app: &App) -> Result<Option<Self>, Problem> {
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Ok(None);
        }
        <Self as FromRequest<App>>::from_request(request, app).await.map(Some)
    }
}

/// A path as it stands in a URL: a folder's may end with a slash.
pub(crate) fn path_of(text: &str) -> Result<BookPath, NameError> {
    match text.strip_suffix('/').unwrap_or(text) {
        "" => Ok(BookPath::root()),
        text => BookPath::parse(text),
    }
}

/// A header that may be given once, as text.
pub(crate) fn header_text<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bad = |why: &str| Problem::bad_request("bad_header", format!("the header {name} {why}"));
    if values.next().is_some() {
        return Err(bad("is given more than once"));
    }
    value.to_str().map(Some).map_err(|_| bad("is no plain text"))
}
