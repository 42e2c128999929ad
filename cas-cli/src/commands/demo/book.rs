//! The book of the demo: `examples/field-guide`, carried in the binary.

use std::io;
use std::path::Path;

use crate::error::CommandError;

/// One file of the book.
#[derive(Debug)]
pub(super) struct BookFile {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// The bytes, or the target of a symlink.
    pub(super) content: &'static [u8],
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Executable,
    Symlink,
}

macro_rules! file {
    ($kind:ident, $path:literal) => {
        BookFile {
            path: $path,
            kind: Kind::$kind,
            content: include_bytes!(concat!("../../../../examples/field-guide/", $path)),
        }
    };
}

/// Every file of the book.
pub(super) const BOOK: &[BookFile] = &[
    file!(File, "README.md"),
    file!(File, "01-names-from-bytes/_category_.json"),
    file!(File, "01-names-from-bytes/01-a-name-you-can-check.md"),
    file!(File, "01-names-from-bytes/01-a-name-you-can-check.summary.md"),
    file!(File, "01-names-from-bytes/02-folders-have-names-too.md"),
    BookFile {
        path: "01-names-from-bytes/cover.svg",
        kind: Kind::Symlink,
        content: b"../static/cover.svg",
    },
    file!(File, "02-versions/_category_.json"),
    file!(File, "02-versions/01-what-a-version-is.md"),
    file!(File, "02-versions/01-what-a-version-is.summary.md"),
    file!(File, "02-versions/02-what-an-edit-costs.md"),
    file!(File, "03-in-the-field/_category_.json"),
    file!(File, "03-in-the-field/01-writing-with-others.md"),
    file!(File, "03-in-the-field/02-words.md"),
    file!(File, "static/cover.svg"),
    file!(Executable, "tools/count-words.sh"),
];

/// Writes the book into a new folder.
pub(super) fn write(folder: &Path) -> Result<(), CommandError> {
    for file in BOOK {
        let path = folder.join(file.path);
        write_file(&path, file).map_err(CommandError::io(format!("write {}", path.display())))?;
    }
    Ok(())
}

fn write_file(path: &Path, file: &BookFile) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    if file.kind == Kind::Symlink {
        return symlink(std::ffi::OsStr::from_bytes(file.content), path);
    }
    std::fs::write(path, file.content)?;
    if file.kind == Kind::Executable {
        let mut mode = path.metadata()?.permissions();
        mode.set_mode(mode.mode() | 0o111);
        std::fs::set_permissions(path, mode)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_binary_carries_the_whole_book() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/field-guide");
        let mut found: Vec<PathBuf> = Vec::new();
        let mut todo = vec![folder.clone()];
        while let Some(at) = todo.pop() {
            for entry in std::fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                if path.symlink_metadata().unwrap().is_dir() {
                    todo.push(path);
                } else {
                    found.push(path.strip_prefix(&folder).unwrap().to_owned());
                }
            }
        }
        found.sort_unstable();
        let mut carried: Vec<_> = BOOK.iter().map(|file| PathBuf::from(file.path)).collect();
        carried.sort_unstable();
        assert_eq!(carried, found);
    }
}
