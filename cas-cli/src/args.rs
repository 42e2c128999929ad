//! Arguments that are more than one name: `BOOK[@BRANCH]`, `BOOK@REF`, folders of a book.

use std::str::FromStr;

use cas_core::name::{BookId, BookPath, NameError, RefName};

/// `BOOK[@BRANCH]`; the branch defaults to `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BranchArg {
    pub(crate) book: BookId,
    pub(crate) branch: RefName,
}

/// `BOOK@REF`; the ref must be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefArg {
    pub(crate) book: BookId,
    pub(crate) name: RefName,
}

/// `BOOK@NAME` of a tag, without its `tags/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TagArg {
    pub(crate) book: BookId,
    pub(crate) name: RefName,
}

/// A folder of a book: a path, perhaps with a `/` at its end; `.` or nothing for the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderArg(pub(crate) BookPath);

impl FromStr for BranchArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('@') {
            None => Ok(Self { book: BookId::parse(text)?, branch: RefName::main() }),
            Some((book, branch)) => {
                Ok(Self { book: BookId::parse(book)?, branch: RefName::parse(branch)? })
            }
        }
    }
}

impl FromStr for RefArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((book, name)) = text.split_once('@') else {
            return Err(NameError::new("ref", text, "a ref is written BOOK@REF, as in guide@main"));
        };
        Ok(Self { book: BookId::parse(book)?, name: RefName::parse(name)? })
    }
}

impl FromStr for TagArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((book, name)) = text.split_once('@') else {
            return Err(NameError::new("tag", text, "a tag is written BOOK@NAME, as in guide@v1"));
        };
        Ok(Self { book: BookId::parse(book)?, name: RefName::tag(name)? })
    }
}

impl FromStr for FolderArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(text) {
            "" | "." => Ok(Self(BookPath::root())),
            path => Ok(Self(BookPath::parse(path)?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_refs_and_folders() {
        let arg: BranchArg = "b@users/x@y".parse().unwrap();
        assert_eq!((arg.book.as_str(), arg.branch.as_str()), ("b", "users/x@y"));
        assert_eq!("b".parse::<BranchArg>().unwrap().branch, RefName::main());
        assert!("b".parse::<RefArg>().is_err());
        assert_eq!("b@v1".parse::<TagArg>().unwrap().name.as_str(), "tags/v1");
        assert!("b@tags/v1".parse::<TagArg>().is_err());
        assert_eq!("a/b/".parse::<FolderArg>().unwrap().0.as_str(), "a/b");
        assert!(".".parse::<FolderArg>().unwrap().0.is_root());
        assert!("/".parse::<FolderArg>().is_err());
    }
}
