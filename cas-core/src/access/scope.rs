//! Scopes: what may be done where.

use std::fmt;
use std::str::FromStr;

use super::{Pattern, Verb};
use crate::name::{BookId, BookPath, NameError, RefName};

/// What may be done where: a verb, in the books, refs and paths that three patterns match.
///
/// As text `VERBS:BOOK:REF:PATH`, for example `read,write:guide:users/*:docs/**`. What is left out
/// at the end is `**`, so `read` reads everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// What may be done, with all that it implies.
    pub verb: Verb,
    /// In which books.
    pub book: Pattern,
    /// At which refs of them.
    pub refs: Pattern,
    /// To which paths there.
    pub path: Pattern,
}

impl Scope {
    const WHAT: &'static str = "scope";

    /// `verb`, everywhere.
    pub fn everything(verb: Verb) -> Self {
        Self { verb, book: Pattern::all(), refs: Pattern::all(), path: Pattern::all() }
    }

    /// Reads the text form. A pattern without `*` must be a name of its kind: one that is not
    /// would match nothing, which nobody means.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut parts = text.split(':');
        let verb = Verb::parse_list(parts.next().unwrap_or_default())?;
        let mut next = || parts.next().map_or_else(|| Ok(Pattern::all()), Pattern::parse);
        let (book, refs, path) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            let rule = "a scope is VERBS:BOOK:REF:PATH, and nothing follows the path";
            return Err(NameError::new(Self::WHAT, text, rule));
        }
        let scope = Self { verb, book, refs, path };
        scope.check()?;
        Ok(scope)
    }

    /// Checks the rules across the parts, however the scope was made.
    pub(super) fn check(&self) -> Result<(), NameError> {
        let Self { verb: _, book, refs, path } = self;
        if book.to_string().contains('/') {
            return Err(NameError::new(Self::WHAT, &self.to_string(), "a book name has no /"));
        }
        if book.is_literal() {
            BookId::parse(&book.to_string())?;
        }
        if refs.is_literal() {
            RefName::parse(&refs.to_string())?;
        }
        if path.is_literal() {
            BookPath::parse(&path.to_string())?;
        }
        Ok(())
    }

    /// Whether it allows `verb`, somewhere.
    pub(super) fn allows(&self, verb: Verb) -> bool {
        verb <= self.verb
    }

    /// Whether it is about this book.
    pub(super) fn is_about_book(&self, book: &BookId) -> bool {
        self.book.matches(book.as_str())
    }

    /// Whether it is about this ref.
    pub(super) fn is_about(&self, book: &BookId, name: &RefName) -> bool {
        self.is_about_book(book) && self.refs.matches(name.as_str())
    }

    /// Whether it is about every book.
    pub(super) fn is_about_all_books(&self) -> bool {
        // A book name is one segment.
        self.book.covers_below("") || self.book == Pattern::one()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, book, refs, path } = self;
        f.pad(&format!("{}:{book}:{refs}:{path}", verb.list()))
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_text_form_and_writes_it_whole() {
        for (text, whole) in [
            ("read", "read:**:**:**"),
            ("write:guide", "read,write:guide:**:**"),
            ("read,write:guide:users/*", "read,write:guide:users/*:**"),
            ("admin:*:**:docs/**", "read,write,admin:*:**:docs/**"),
        ] {
            let scope = Scope::parse(text).unwrap();
            assert_eq!(scope.to_string(), whole);
            assert_eq!(Scope::parse(whole).unwrap(), scope);
        }
    }

    #[test]
    fn refuses_scopes_that_could_match_nothing() {
        for bad in [
            "",
            "look",
            ":guide",
            "read:",
            "read:Guide",
            "read:a/b",
            "read:a/*",
            "read:guide:tags",
            "read:guide:main:/docs",
            "read:guide:main:docs/",
            "read:guide:main:.git",
            "read:guide:main:**:x",
            "read:guide::docs",
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad:?}");
        }
    }
}
