//! Who is asking, and what they may do.
//!
//! Every handler takes a [`Caller`] and asks it before it does anything: `may_all` for what
//! concerns the whole store (objects by id), `may_ref` for everything of a ref, `may` for one path
//! of a ref and `may_below` for a path and all below it. Lists show only what `sees_book` and
//! `sees_ref` say; what is not seen is answered as if it were not there.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use cas_core::name::{Actor, BookId, BookPath, RefName};

use crate::app::App;
use crate::problem::Problem;

/// The header by which a client of an open server says who it is.
const ACTOR: &str = "cas-actor";

/// What a caller wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Look at something.
    Read,
    /// Change something, leaving its history.
    Write,
}

/// Whoever sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    actor: Actor,
}

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "open to everybody so far")]
impl Caller {
    /// In whose name changes are recorded.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether caches shared between users may keep what this caller is shown.
    pub(crate) const fn is_public(&self) -> bool {
        true
    }

    /// Refuses unless the caller may do `verb` to everything in the store.
    pub(crate) fn may_all(&self, _verb: Verb) -> Result<(), Problem> {
        Ok(())
    }

    /// Refuses unless the caller may do `verb` to every path of a ref, and to the ref itself.
    pub(crate) fn may_ref(
        &self,
        _verb: Verb,
        _book: &BookId,
        _name: &RefName,
    ) -> Result<(), Problem> {
        Ok(())
    }

    /// Refuses unless the caller may do `verb` to one path of a ref.
    pub(crate) fn may(
        &self,
        _verb: Verb,
        _book: &BookId,
        _name: &RefName,
        _path: &BookPath,
    ) -> Result<(), Problem> {
        Ok(())
    }

    /// Refuses unless the caller may do `verb` to a path of a ref and to everything below it.
    pub(crate) fn may_below(
        &self,
        _verb: Verb,
        _book: &BookId,
        _name: &RefName,
        _path: &BookPath,
    ) -> Result<(), Problem> {
        Ok(())
    }

    /// Whether the caller may know that a book exists.
    pub(crate) fn sees_book(&self, _book: &BookId) -> bool {
        true
    }

    /// Whether the caller may know that a ref exists.
    pub(crate) fn sees_ref(&self, _book: &BookId, _name: &RefName) -> bool {
        true
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let said = parts.headers.get(ACTOR).and_then(|value| value.to_str().ok());
        let actor = Actor::parse(said.unwrap_or("anonymous"))?;
        Ok(Self { actor })
    }
}
