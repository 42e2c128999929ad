//! Where a store is: a folder, given as a path or a `file://` URL.

use std::path::PathBuf;

use cas_core::store::StoreError;

/// A place for a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// The folder.
    pub(crate) path: PathBuf,
    /// Whether nobody named it: such a store is made when first used.
    pub(crate) is_default: bool,
}

impl Location {
    /// Reads what the user gave.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let bad = |rule| StoreError::BadLocation { location: text.to_owned(), rule };
        if text.is_empty() {
            return Err(bad("a location is not empty"));
        }
        let path = match text.split_once("://") {
            None => text,
            Some(("file", path)) if path.starts_with('/') => path,
            Some(("file", _)) => {
                return Err(bad("a file URL holds an absolute path, as in file:///var/books"));
            }
            Some(_) => return Err(bad("a store is a folder: give a path or a file:// URL")),
        };
        Ok(Self { path: PathBuf::from(path), is_default: false })
    }

    /// The store in the platform's data folder.
    pub(crate) fn default_store() -> Option<Self> {
        use etcetera::BaseStrategy;
        let folders = etcetera::choose_base_strategy().ok()?;
        Some(Self { path: folders.data_dir().join("cas").join("store"), is_default: true })
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.display().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_and_file_urls_and_refuses_other_schemes() {
        assert_eq!(Location::parse("a/b").unwrap().path, PathBuf::from("a/b"));
        assert_eq!(Location::parse("file:///a/b").unwrap().path, PathBuf::from("/a/b"));
        for bad in ["", "file://a", "s3://bucket", "ftp://x/y"] {
            assert!(Location::parse(bad).is_err(), "{bad}");
        }
    }
}
