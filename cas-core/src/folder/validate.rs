//! The rules of a book, held against a folder of the disk. Nothing is written.

use std::io::Read;
use std::path::Path;

use super::FolderError;
use super::handle::Handle;
use super::ignored::Rules;
use super::scan::scan;
use crate::name::BookPath;
use crate::object::collisions;
use crate::repo::RepoError;
use crate::schema::{
    BOOK_FILE, BOOK_FILE_BYTES, BookFile, BookFileError, Preset, SchemaFile, Violation,
};

/// Every rule that the folder at `path` breaks, as an import would take it, sorted by path: names
/// that no book can hold, and those of its `book.toml`; with `preset`, as if that named it.
pub fn validate(path: &Path, preset: Option<Preset>) -> Result<Vec<Violation>, FolderError> {
    let io =
        |action: &'static str| move |source| FolderError::Io { action, path: path.into(), source };
    let rules =
        Rules::new(&[]).map_err(|(pattern, reason)| RepoError::Pattern { pattern, reason })?;
    let scan = scan(path, &rules, None, &|_, _| Vec::new()).map_err(io("list"))?;
    let fault = |path: String, reason: String| Violation::error(path, "name-not-portable", reason);
    let mut violations: Vec<_> =
        scan.faults.into_iter().map(|found| fault(found.path, found.reason)).collect();
    let mut files = Vec::new();
    let mut book_file = None;
    for folder in &scan.folders {
        for (first, second) in collisions(folder.files.iter().map(|file| &file.name)) {
            let reason = format!("it meets {first} on a disk that ignores case or normalisation");
            violations.push(fault(folder.join(second.as_str()), reason));
        }
        for file in &folder.files {
            let at = folder.join(file.name.as_str());
            let size = file.stat.size;
            match BookPath::parse(&at) {
                Ok(path) => files.push(SchemaFile { path, kind: file.kind, size }),
                Err(error) => violations.push(fault(at.clone(), error.to_string())),
            }
            if at == BOOK_FILE {
                book_file = Some(match BookFileError::of_entry(file.kind, size) {
                    Some(error) => Err(error),
                    None => {
                        BookFile::parse(&read_book_file(path).map_err(io("read book.toml in"))?)
                    }
                });
            } else if at.split('/').next() == Some(BOOK_FILE) && book_file.is_none() {
                let kind = crate::object::EntryKind::Tree;
                book_file = BookFileError::of_entry(kind, 0).map(Err);
            }
        }
    }
    let file = match (book_file, preset) {
        (None, None) => None,
        (None, Some(preset)) => Some(BookFile::of_preset(preset)),
        (Some(Ok(file)), None) => Some(file),
        (Some(Ok(file)), Some(preset)) => Some(file.with_preset(preset)),
        (Some(Err(error)), _) => {
            violations.push(error.violation());
            None
        }
    };
    violations.extend(file.map(|file| file.check(&files)).unwrap_or_default());
    violations.sort_unstable();
    Ok(violations)
}

/// The folder's `book.toml`, or as much of it as shows that it is too large.
pub(super) fn read_book_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = Handle::open(path)?.read(c"book.toml")?;
    let mut bytes = Vec::new();
    file.take(BOOK_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
