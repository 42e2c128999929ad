//! The one rule about symlinks: they stay inside the book.

use crate::limits;
use crate::name::{BookPath, EntryName};

/// A symlink that a book may not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("symlink {path} -> {target:?}: {rule}")]
pub struct SymlinkError {
    /// Where the link is.
    pub path: BookPath,
    /// Where it points, as text; bytes that are not UTF-8 are replaced.
    pub target: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// Checks that the link at `path` may point at `target`: a relative path whose `..` all stand at
/// its start and do not climb out of the book.
///
/// `..` after a name is refused because it is not what it seems: `a/..` is the root only if `a`
/// is a directory, and somewhere else if `a` is itself a link. With `..` only at the start, no
/// chain of links can leave the book either.
pub fn check_symlink(path: &BookPath, target: &[u8]) -> Result<(), SymlinkError> {
    let fail = |rule| {
        let target = String::from_utf8_lossy(target).into_owned();
        Err(SymlinkError { path: path.clone(), target, rule })
    };
    let Ok(text) = std::str::from_utf8(target) else {
        return fail("the target is UTF-8");
    };
    if text.is_empty() || text.len() > limits::SYMLINK_BYTES {
        return fail("the target has 1 to 4095 bytes");
    }
    if text.starts_with('/') {
        return fail("the target is relative");
    }
    let depth = path.segments().count().saturating_sub(1);
    let mut up = 0;
    let mut down = false;
    for segment in text.split('/') {
        match segment {
            "." | "" => {}
            ".." if down => return fail("`..` stands only at the start of the target"),
            ".." => up += 1,
            name => {
                if EntryName::parse(name).is_err() {
                    return fail("every segment of the target is a name that a book can hold");
                }
                down = true;
            }
        }
    }
    if up > depth {
        return fail("the target leaves the book");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_links_inside_the_book() {
        let path = BookPath::parse("a/b/link").unwrap();
        for good in ["c", "./c", "../c", "../../c/d", "..", "../..", "c/", "."] {
            assert!(check_symlink(&path, good.as_bytes()).is_ok(), "{good}");
        }
    }

    #[test]
    fn rejects_links_that_leave_the_book_or_may() {
        let path = BookPath::parse("a/b/link").unwrap();
        for bad in [
            "",
            "/etc/passwd",
            "../../../x",
            "../../..",
            "c/../d",
            "../c/../../..",
            "a\0b",
            "c:\\x",
            "\\x",
            ".cas/index",
        ] {
            assert!(check_symlink(&path, bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(check_symlink(&path, &[0xff]).is_err());
    }
}
