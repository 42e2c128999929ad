//! Listing in the order of keys' bytes, as every bucket does.

use object_store::path::Path as Key;
use object_store::{Extensions, ListResult, ObjectMeta, Result};
use rustix::fs::FileType;

use super::{LocalStore, TEMP, disk, failed};

/// Walks a folder in key order, holding one level's names for each level of depth.
pub(super) struct Walk {
    store: LocalStore,
    /// Names still to visit, the next one last.
    stack: Vec<String>,
    offset: Option<Key>,
    failed: Option<object_store::Error>,
}

impl Walk {
    /// All keys below `prefix` that sort after `offset`.
    pub(super) fn new(store: LocalStore, prefix: Option<&Key>, offset: Option<Key>) -> Self {
        let mut walk = Self { store, stack: Vec::new(), offset, failed: None };
        walk.failed = walk.push(prefix.map_or("", AsRef::as_ref)).err();
        walk
    }

    /// Puts the names of a folder on the stack.
    fn push(&mut self, folder: &str) -> Result<()> {
        let mut paths = sorted(&self.store, folder)?;
        paths.reverse();
        self.stack.append(&mut paths);
        Ok(())
    }

    fn visit(&mut self, path: &str) -> Result<Option<ObjectMeta>> {
        if let Some(folder) = path.strip_suffix('/') {
            self.push(folder)?;
            return Ok(None);
        }
        let key = Key::parse(path)?;
        if self.offset.as_ref().is_some_and(|offset| key <= *offset) {
            return Ok(None);
        }
        match self.store.inner.disk.stat(path) {
            Ok(stat) => Ok(Some(disk::meta(key, &stat))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&key, error)),
        }
    }
}

impl Iterator for Walk {
    type Item = Result<ObjectMeta>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        while let Some(path) = self.stack.pop() {
            match self.visit(&path) {
                Ok(None) => {}
                Ok(Some(meta)) => return Some(Ok(meta)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

/// The objects and folders right below `prefix`.
pub(super) fn one_level(store: &LocalStore, prefix: Option<&Key>) -> Result<ListResult> {
    let mut result = ListResult {
        common_prefixes: Vec::new(),
        objects: Vec::new(),
        extensions: Extensions::default(),
    };
    for path in sorted(store, prefix.map_or("", AsRef::as_ref))? {
        let key = Key::parse(path.trim_end_matches('/'))?;
        if path.ends_with('/') {
            result.common_prefixes.push(key);
            continue;
        }
        match store.inner.disk.stat(&path) {
            Ok(stat) => result.objects.push(disk::meta(key, &stat)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&key, error)),
        }
    }
    Ok(result)
}

/// The paths right below `folder`, those of folders with a `/` at the end, in key order: a
/// folder sorts by its name and the `/`, as its keys do.
fn sorted(store: &LocalStore, folder: &str) -> Result<Vec<String>> {
    if folder.split('/').next() == Some(TEMP) {
        return Ok(Vec::new());
    }
    let list = || -> std::io::Result<Vec<String>> {
        let mut paths = Vec::new();
        for entry in rustix::fs::Dir::new(store.inner.disk.open_folder(folder)?)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name == "." || name == ".." || (folder.is_empty() && name == TEMP) {
                continue;
            }
            let path =
                if folder.is_empty() { name.into_owned() } else { format!("{folder}/{name}") };
            let kind = match entry.file_type() {
                FileType::Unknown => FileType::from_raw_mode(
                    store.inner.disk.stat(&path).map_or(0, |stat| stat.st_mode),
                ),
                kind => kind,
            };
            match kind {
                FileType::Directory => paths.push(path + "/"),
                FileType::RegularFile => paths.push(path),
                _ => {}
            }
        }
        paths.sort_unstable();
        Ok(paths)
    };
    match list() {
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(Vec::new())
        }
        other => other.map_err(|error| failed(&Key::from(folder), error)),
    }
}
