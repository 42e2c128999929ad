//! Who is asking, and what they may do.
//!
//! Every request but those about the server's health is let in by [`authenticate`], which finds
//! out who is asking. Every handler takes a [`Caller`] and asks it before it does anything:
//! `may_all` for what concerns the whole store (objects by id), `may_ref` for everything of a ref,
//! `may` for one path of a ref and `may_below` for a path and all below it. Lists show only what
//! `sees_book`, `sees_ref` and `reads_below` say. What is not seen is answered exactly as if it were not there,
//! and without asking the store; what is seen and not allowed is `forbidden`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
pub(crate) use cas_core::access::Verb;
use cas_core::access::{Grant, TokenSecret};
use cas_core::name::{Actor, Base, BookId, BookPath, RefName, Revision};
use cas_core::repo::RepoError;
use cas_core::schema::Violation;

use crate::access::Refused;
use crate::api::extract::header_text;
use crate::app::App;
use crate::problem::Problem;

/// The header by which a client of an open server says who it is.
static ACTOR: HeaderName = HeaderName::from_static("cas-actor");

/// Who a client of an open server is that does not say it.
const ANONYMOUS: &str = "anonymous";

/// What anybody may ask, with or without a token.
const PUBLIC: [&str; 3] = ["/healthz", "/readyz", "/openapi.json"];

/// Whoever sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    grant: Arc<Grant>,
    public: bool,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// In whose name a request was done, for the log.
#[derive(Debug, Clone)]
pub(crate) struct LoggedActor(pub(crate) Actor);

/// Whether anybody may ask for this path.
pub(crate) fn is_public(path: &str) -> bool {
    PUBLIC.contains(&path)
}

/// Finds out who is asking, and lets in who may ask at all.
pub(crate) async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response {
    if is_public(request.uri().path()) {
        return next.run(request).await;
    }
    let peer = request.extensions().get().map(|Peer(address)| address.ip());
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let caller = match Caller::of(&app, request.headers(), peer).await {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let actor = caller.actor().clone();
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(LoggedActor(actor));
    response
}

impl Caller {
    /// Whoever shows these headers.
    async fn of(app: &App, headers: &HeaderMap, peer: IpAddr) -> Result<Self, Problem> {
        if app.access().is_open().await? {
            check_origin(headers)?;
            let actor = match header_text(headers, &ACTOR)? {
                Some(said) => Actor::parse(said)?,
                None => Actor::parse(ANONYMOUS)?,
            };
            return Ok(Self::everything(actor));
        }
        let Some(said) = header_text(headers, &header::AUTHORIZATION)? else {
            return Err(unauthenticated("this store needs a token: Authorization: Bearer cas_…"));
        };
        let (scheme, text) = said.split_once(' ').unwrap_or((said, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthenticated("a token is shown as: Authorization: Bearer cas_…"));
        }
        // The error repeats nothing of the secret.
        let secret =
            TokenSecret::parse(text.trim()).map_err(|error| unauthenticated(&error.rule))?;
        let grant = app.access().grant(&secret, peer).await?;
        Ok(Self { grant, public: false })
    }

    /// Whoever may do everything, in `actor`'s name.
    pub(crate) fn everything(actor: Actor) -> Self {
        Self { grant: Arc::new(Grant::everything(actor)), public: true }
    }

    /// In whose name changes are recorded.
    pub(crate) fn actor(&self) -> &Actor {
        self.grant.actor()
    }

    /// Whether caches shared between users may keep what this caller is shown.
    pub(crate) const fn is_public(&self) -> bool {
        self.public
    }

    /// Refuses unless the caller may do `verb` to everything in the store.
    pub(crate) fn may_all(&self, verb: Verb) -> Result<(), Problem> {
        if self.grant.may_all(verb) { Ok(()) } else { Err(forbidden(verb, "the whole store")) }
    }

    /// Refuses unless the caller may do `verb` to every path of a ref, and to the ref itself.
    pub(crate) fn may_ref(&self, verb: Verb, book: &BookId, name: &RefName) -> Result<(), Problem> {
        let allowed = self.grant.may_ref(verb, book, name);
        self.decide(allowed, book, name, || forbidden(verb, &format!("all of {book}@{name}")))
    }

    /// Refuses unless the caller may do `verb` to one path of a ref.
    pub(crate) fn may(
        &self,
        verb: Verb,
        book: &BookId,
        name: &RefName,
        path: &BookPath,
    ) -> Result<(), Problem> {
        let allowed = self.grant.may(verb, book, name, path);
        self.decide(allowed, book, name, || forbidden(verb, &format!("{path} of {book}@{name}")))
    }

    /// Refuses unless the caller may do `verb` to a path of a ref and to everything below it.
    pub(crate) fn may_below(
        &self,
        verb: Verb,
        book: &BookId,
        name: &RefName,
        path: &BookPath,
    ) -> Result<(), Problem> {
        if path.is_root() {
            return self.may_ref(verb, book, name);
        }
        let allowed = self.grant.may_below(verb, book, name, path);
        self.decide(allowed, book, name, || {
            forbidden(verb, &format!("everything below {path} of {book}@{name}"))
        })
    }

    /// Refuses unless the caller may read a path of a revision and everything below it. A commit
    /// named by its id may belong to any branch: knowing an id opens nothing.
    pub(crate) fn may_read(&self, revision: &Revision, path: &BookPath) -> Result<(), Problem> {
        match &revision.base {
            Base::Ref(name) => self.may_below(Verb::Read, &revision.book, name, path),
            Base::Commit(_) => self.may_all(Verb::Read),
        }
    }

    /// Violations as far as the caller may know what they tell of. A message may name what lies
    /// beside its path: whoever may not read that is told the rule alone, and whoever may not read
    /// the path itself, that there is one.
    pub(crate) fn shown(
        &self,
        book: &BookId,
        name: &RefName,
        violations: Vec<Violation>,
    ) -> Vec<Violation> {
        if self.grant.may_ref(Verb::Read, book, name) {
            return violations;
        }
        let shown = |violation: Violation| {
            let path = BookPath::parse(&violation.path).unwrap_or_else(|_| BookPath::root());
            let folder = path.parent().unwrap_or_else(BookPath::root);
            if self.grant.may_below(Verb::Read, book, name, &folder) {
                violation
            } else if self.grant.may(Verb::Read, book, name, &path) {
                let message = "it breaks this rule of the book".to_owned();
                Violation { message, ..violation }
            } else {
                let message = "a path that this token may not read breaks this rule".to_owned();
                Violation { path: String::new(), message, ..violation }
            }
        };
        violations.into_iter().map(shown).collect()
    }

    /// Refuses unless the caller may delete a ref: a branch whoever may write to all of it, a tag
    /// an administrator.
    pub(crate) fn may_delete(&self, book: &BookId, name: &RefName) -> Result<(), Problem> {
        let verb = if name.is_tag() { Verb::Admin } else { Verb::Write };
        self.may_ref(verb, book, name)
    }

    /// Answers as if a ref were not there unless the caller may know that it is.
    pub(crate) fn must_see(&self, book: &BookId, name: &RefName) -> Result<(), Problem> {
        self.must_see_book(book)?;
        if self.sees_ref(book, name) {
            return Ok(());
        }
        Err(RepoError::NoRef { book: book.clone(), name: name.clone() }.into())
    }

    /// Answers as if a book were not there unless the caller may know that it is.
    pub(crate) fn must_see_book(&self, book: &BookId) -> Result<(), Problem> {
        if self.sees_book(book) {
            return Ok(());
        }
        Err(RepoError::NoBook { book: book.clone() }.into())
    }

    /// Whether the caller may know that there is something at a path of a ref: they may read it, or
    /// something below it.
    pub(crate) fn sees_path(&self, book: &BookId, name: &RefName, path: &BookPath) -> bool {
        self.grant.may(Verb::Read, book, name, path)
            || self.grant.may_reach(Verb::Read, book, name, path)
    }

    /// Whether the caller may read a path of a ref and everything below it; of the root, all of the
    /// ref.
    pub(crate) fn reads_below(&self, book: &BookId, name: &RefName, path: &BookPath) -> bool {
        if path.is_root() {
            return self.grant.may_ref(Verb::Read, book, name);
        }
        self.grant.may_below(Verb::Read, book, name, path)
    }

    /// Whether the caller may know that a book exists.
    pub(crate) fn sees_book(&self, book: &BookId) -> bool {
        self.grant.sees_book(book)
    }

    /// Whether the caller may know that a ref exists.
    pub(crate) fn sees_ref(&self, book: &BookId, name: &RefName) -> bool {
        self.grant.sees_ref(book, name)
    }

    /// What is not seen is not there; what is seen and not allowed is forbidden.
    fn decide(
        &self,
        allowed: bool,
        book: &BookId,
        name: &RefName,
        forbidden: impl FnOnce() -> Problem,
    ) -> Result<(), Problem> {
        if allowed {
            return Ok(());
        }
        self.must_see(book, name)?;
        Err(forbidden())
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| unauthenticated("nobody was asked who they are"))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unauthenticated(detail) => unauthenticated(detail),
            Refused::TooMany(wait) => {
                let detail = "too many requests: wait, and try again";
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(wait)
            }
            Refused::Failed(error) => error.into(),
        }
    }
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
}

fn forbidden(verb: Verb, thing: &str) -> Problem {
    let detail = format!("this token does not allow to {verb} {thing}");
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
        .with("verb", verb.as_str())
        .with("thing", thing)
}

/// Refuses what a web page elsewhere makes a browser ask of an open server on the same machine: it
/// names its own site as the origin, or as the host, if its name was made to lead here.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let foreign = |what: &str| {
        let detail = format!(
            "a server without tokens is for programs of its own machine, and {what} is another: \
             make a token, and show it"
        );
        Err(Problem::new(StatusCode::FORBIDDEN, "foreign_origin", detail))
    };
    if let Some(origin) = header_text(headers, &header::ORIGIN)? {
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        if origin == "null" || !is_here(host) {
            return foreign("the page that asks");
        }
    }
    match header_text(headers, &header::HOST)? {
        Some(host) if !is_here(host) => foreign("the host that is asked for"),
        _ => Ok(()),
    }
}

/// Whether `host`, perhaps with a port, cannot be a name of somebody else's: it is an address,
/// `localhost`, or has no dot in it.
fn is_here(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.contains('.') || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_nobody_can_own_are_here() {
        for here in [
            "localhost",
            "localhost:8080",
            "127.0.0.1:80",
            "[::1]:8080",
            "[::1]",
            "box",
            "a.localhost",
        ] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["example.org", "example.org:8080", "127.0.0.1.example.org", "a.b."] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
