//! The small world that is searched: two pages, two texts of each, two people, three branches and
//! a tag of one book.
//!
//! No text of one page is a text of the other, so that nothing ever looks like a moved file: what
//! merges make of moves is tested by `merge::cases` and beside git.

use std::time::Duration;

use bytes::Bytes;
use cas_core::name::{Actor, BlobId, BookId, BookPath, RefName};

/// A page of the book; each in a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Page {
    /// `x/one.md`
    One,
    /// `y/two.md`
    Two,
}

/// What a page may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Text {
    /// The one.
    A,
    /// The other.
    B,
}

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// `ada`
    Ada,
    /// `bob`
    Bob,
}

/// A ref of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// `main`
    Main,
    /// `users/a`
    A,
    /// `users/b`
    B,
    /// `tags/t`
    Tag,
}

impl Page {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// The path as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::One => "x/one.md",
            Self::Two => "y/two.md",
        }
    }

    /// The path.
    ///
    /// # Panics
    ///
    /// Never: the name keeps the rules.
    pub fn path(self) -> BookPath {
        BookPath::parse(self.as_str()).expect("the page has a good name")
    }
}

impl Text {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// `A` or `B`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }

    /// The bytes of `page` when it says this.
    pub fn of(self, page: Page) -> Bytes {
        format!("{} says {}\n", page.as_str(), self.as_str()).into()
    }

    /// The id of those bytes.
    pub fn id(self, page: Page) -> BlobId {
        BlobId::of(&self.of(page))
    }
}

impl Who {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Ada, Self::Bob];

    /// `ada` or `bob`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ada => "ada",
            Self::Bob => "bob",
        }
    }

    /// How far their clock is ahead of the store's.
    pub const fn is_ahead(self) -> Duration {
        match self {
            Self::Ada => Duration::ZERO,
            Self::Bob => Duration::from_hours(5),
        }
    }

    /// The actor.
    ///
    /// # Panics
    ///
    /// Never: the name keeps the rules.
    pub fn actor(self) -> Actor {
        Actor::parse(self.as_str()).expect("they have good names")
    }
}

impl Name {
    /// All refs.
    pub const ALL: [Self; 4] = [Self::Main, Self::A, Self::B, Self::Tag];

    /// All branches.
    pub const BRANCHES: [Self; 3] = [Self::Main, Self::A, Self::B];

    /// The name as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::A => "users/a",
            Self::B => "users/b",
            Self::Tag => "tags/t",
        }
    }

    /// The name.
    ///
    /// # Panics
    ///
    /// Never: the names keep the rules.
    pub fn name(self) -> RefName {
        RefName::parse(self.as_str()).expect("the refs have good names")
    }
}

/// The book.
///
/// # Panics
///
/// Never: the name keeps the rules.
pub fn book() -> BookId {
    BookId::parse("book").expect("the book has a good name")
}
