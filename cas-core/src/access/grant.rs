//! Grants: who somebody is and everything that they may do.

use super::{Scope, Verb};
use crate::name::{Actor, BookId, BookPath, RefName};

/// Who somebody is and what they may do: what a token gives to whoever shows it.
///
/// Something is allowed if one scope allows all of it; scopes never add up. A token that may read
/// two halves of a book by two scopes may read each half, and not the book as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    actor: Actor,
    scopes: Vec<Scope>,
}

impl Grant {
    /// What `scopes` allow to `actor`.
    pub const fn new(actor: Actor, scopes: Vec<Scope>) -> Self {
        Self { actor, scopes }
    }

    /// Everything, in `actor`'s name.
    pub fn everything(actor: Actor) -> Self {
        Self::new(actor, vec![Scope::everything(Verb::Admin)])
    }

    /// In whose name changes are made.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The scopes.
    pub fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Whether `verb` is allowed over the whole store, also on what no ref names.
    pub fn may_all(&self, verb: Verb) -> bool {
        self.allowing(verb).any(|scope| {
            scope.is_about_all_books() && scope.refs.covers_below("") && scope.path.covers_below("")
        })
    }

    /// Whether `verb` is allowed on the whole of this ref: each of its paths, and the ref itself.
    pub fn may_ref(&self, verb: Verb, book: &BookId, name: &RefName) -> bool {
        self.may_below(verb, book, name, &BookPath::root())
    }

    /// Whether `verb` is allowed on this path. For the root that is [`may_ref`](Self::may_ref).
    pub fn may(&self, verb: Verb, book: &BookId, name: &RefName, path: &BookPath) -> bool {
        if path.is_root() {
            return self.may_ref(verb, book, name);
        }
        self.allowing(verb)
            .any(|scope| scope.is_about(book, name) && scope.path.matches(path.as_str()))
    }

    /// Whether `verb` is allowed on `path` and everything below it, also on what is not there yet.
    pub fn may_below(&self, verb: Verb, book: &BookId, name: &RefName, path: &BookPath) -> bool {
        self.allowing(verb)
            .any(|scope| scope.is_about(book, name) && scope.path.covers_below(path.as_str()))
    }

    /// Whether `verb` is allowed on something below the folder `path`, were it there. Who may
    /// see nothing below a folder is not told whether there is one.
    pub fn may_reach(&self, verb: Verb, book: &BookId, name: &RefName, path: &BookPath) -> bool {
        self.allowing(verb)
            .any(|scope| scope.is_about(book, name) && scope.path.reaches_below(path.as_str()))
    }

    /// Whether any scope is about this book: lists of books are filtered by it.
    pub fn sees_book(&self, book: &BookId) -> bool {
        self.scopes.iter().any(|scope| scope.is_about_book(book))
    }

    /// Whether any scope is about this ref: lists of refs are filtered by it, and a ref that is
    /// not seen is answered like one that is not there.
    pub fn sees_ref(&self, book: &BookId, name: &RefName) -> bool {
        self.scopes.iter().any(|scope| scope.is_about(book, name))
    }

    fn allowing(&self, verb: Verb) -> impl Iterator<Item = &Scope> {
        self.scopes.iter().filter(move |scope| scope.allows(verb))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOOKS: [&str; 3] = ["a", "b", "guide"];
    const REFS: [&str; 4] = ["main", "users/1", "users/2/draft", "tags/v1"];
    const PATHS: [&str; 6] = ["a.md", "docs/a.md", "docs/x/b.md", "static/i.png", "docs", "static"];

    fn grant(scopes: &[&str]) -> Grant {
        let scopes = scopes.iter().map(|scope| Scope::parse(scope).unwrap()).collect();
        Grant::new(Actor::parse("ada").unwrap(), scopes)
    }

    fn book(text: &str) -> BookId {
        BookId::parse(text).unwrap()
    }

    fn name(text: &str) -> RefName {
        RefName::parse(text).unwrap()
    }

    fn path(text: &str) -> BookPath {
        BookPath::parse(text).unwrap()
    }

    #[test]
    fn no_scope_allows_nothing_and_everything_all() {
        let (none, all) = (grant(&[]), Grant::everything(Actor::parse("ada").unwrap()));
        for verb in Verb::ALL {
            assert!(!none.may_all(verb) && all.may_all(verb));
            for (b, r, p) in things() {
                assert!(!none.may(verb, &b, &r, &p) && all.may(verb, &b, &r, &p));
                assert!(!none.may_ref(verb, &b, &r) && all.may_ref(verb, &b, &r));
                assert!(!none.sees_ref(&b, &r) && all.sees_ref(&b, &r));
            }
        }
    }

    #[test]
    fn only_a_scope_without_bounds_is_about_the_whole_store() {
        for (scope, all) in [
            ("read", true),
            ("read:*", true),
            ("read:**:**:**", true),
            ("read:*:*", false),
            ("read:guide", false),
            ("read:*:main", false),
            ("read:**:**:docs/**", false),
            ("read:**:**:*/**", false),
        ] {
            assert_eq!(grant(&[scope]).may_all(Verb::Read), all, "{scope}");
        }
        assert!(!grant(&["read"]).may_all(Verb::Write));
        assert!(grant(&["admin"]).may_all(Verb::Read));
        // Halves do not make a whole.
        assert!(!grant(&["read:guide", "read:*:main"]).may_all(Verb::Read));
    }

    #[test]
    fn a_path_scope_reaches_its_folders_and_covers_its_own() {
        let grant = grant(&["write:guide:main:docs/**"]);
        let (b, r) = (book("guide"), name("main"));
        assert!(grant.may(Verb::Write, &b, &r, &path("docs/new.md")));
        assert!(grant.may(Verb::Write, &b, &r, &path("docs")));
        assert!(grant.may_below(Verb::Write, &b, &r, &path("docs")));
        assert!(!grant.may_below(Verb::Read, &b, &r, &BookPath::root()));
        assert!(!grant.may_ref(Verb::Read, &b, &r));
        assert!(grant.may_reach(Verb::Read, &b, &r, &BookPath::root()));
        assert!(!grant.may_reach(Verb::Read, &b, &r, &path("static")));
        assert!(grant.sees_book(&b) && !grant.sees_book(&book("a")));
        assert!(grant.sees_ref(&b, &r) && !grant.sees_ref(&b, &name("users/1")));
    }

    fn things() -> Vec<(BookId, RefName, BookPath)> {
        let mut things = Vec::new();
        for b in BOOKS {
            for r in REFS {
                things.extend(PATHS.map(|p| (book(b), name(r), path(p))));
            }
        }
        things
    }

    /// One part of a naive scope: which of the small names it is about.
    fn naive(pattern: &str, text: &str) -> bool {
        match pattern {
            "**" => true,
            "*" => !text.contains('/'),
            _ => match pattern.strip_suffix("/**") {
                Some(folder) => text == folder || text.starts_with(&format!("{folder}/")),
                None => match pattern.strip_suffix("/*") {
                    Some(folder) => text
                        .strip_prefix(&format!("{folder}/"))
                        .is_some_and(|rest| !rest.contains('/')),
                    None => pattern == text,
                },
            },
        }
    }

    proptest! {
        #[test]
        fn answers_as_a_naive_model_does(
            scopes in proptest::collection::vec((
                0..3_usize,
                prop_oneof![Just("**"), Just("*"), Just("a"), Just("guide")],
                prop_oneof![Just("**"), Just("*"), Just("main"), Just("users/*"), Just("users/**")],
                prop_oneof![Just("**"), Just("*"), Just("docs/**"), Just("docs/*"), Just("docs/a.md")],
            ), 0..4)
        ) {
            let texts: Vec<String> = scopes.iter()
                .map(|(verb, b, r, p)| format!("{}:{b}:{r}:{p}", Verb::ALL[*verb]))
                .collect();
            let grant = grant(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            for (at, verb) in Verb::ALL.into_iter().enumerate() {
                let able = || scopes.iter().filter(move |scope| scope.0 >= at);
                let all = able().any(|(_, b, r, p)| ["*", "**"].contains(b) && [r, p] == [&"**", &"**"]);
                prop_assert_eq!(grant.may_all(verb), all);
                for (b, r, p) in things() {
                    let about = |scope: &(usize, &str, &str, &str)| {
                        naive(scope.1, b.as_str()) && naive(scope.2, r.as_str())
                    };
                    let here = able().any(|scope| about(scope) && naive(scope.3, p.as_str()));
                    prop_assert_eq!(grant.may(verb, &b, &r, &p), here, "{:?} {} {} {}", texts, b, r, p);
                    let whole = able().any(|scope| about(scope) && scope.3 == "**");
                    prop_assert_eq!(grant.may_ref(verb, &b, &r), whole);
                    prop_assert_eq!(grant.sees_ref(&b, &r), scopes.iter().any(about));
                    prop_assert_eq!(
                        grant.sees_book(&b),
                        scopes.iter().any(|scope| naive(scope.1, b.as_str()))
                    );
                }
            }
        }
    }
}
