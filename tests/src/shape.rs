//! Books of any size, the same in every run: parts with chapters in them, and folders of media.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// About how many bytes each file has.
const FILE_BYTES: usize = 1_000;

/// How large a book is. Each file has content of its own, and each folder files of its own, so
/// that a version has as many blobs and trees.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many files, at least as many as folders.
    pub files: usize,
    /// How many folders, the book's own included.
    pub folders: usize,
}

impl Shape {
    /// How many levels of folders a book of more than a few folders has.
    pub const DEPTH: usize = 3;

    /// Every folder, the book's own (the empty path) first. Of 80, 14 are parts, 54 are chapters in
    /// the parts, and the rest is `static` with what is in it.
    fn folder_paths(self) -> Vec<String> {
        let rest = self.folders.saturating_sub(1);
        let (parts, media) = ((rest * 14).div_ceil(79), rest * 11 / 79);
        let part = |nth: usize| format!("part-{:02}", nth % parts + 1);
        let mut all = vec![String::new()];
        all.extend((0..parts).map(part));
        let chapters = 0..rest - parts - media;
        all.extend(chapters.map(|nth| format!("{}/chapter-{:02}", part(nth), nth / parts + 1)));
        let media = (0..media).map(|nth| match nth {
            0 => "static".to_owned(),
            _ => format!("static/media-{nth:02}"),
        });
        all.extend(media);
        all
    }

    /// The path of every file. One of each folder comes before the second of any.
    pub fn paths(self) -> Vec<String> {
        let folders = self.folder_paths();
        let path = |nth: usize| {
            let (folder, name) = (&folders[nth % folders.len()], nth / folders.len() + 1);
            if folder.is_empty() {
                format!("page-{name:03}.md")
            } else {
                format!("{folder}/page-{name:03}.md")
            }
        };
        (0..self.files).map(path).collect()
    }

    /// Writes the book into the folder `at`.
    pub fn write(self, at: &Path) -> io::Result<()> {
        for folder in self.folder_paths() {
            std::fs::create_dir_all(at.join(folder))?;
        }
        edit(at, &self.paths(), 1)
    }

    /// One file of a hundred, at least one, and no two in one folder if there are folders enough.
    pub fn one_in_a_hundred(self) -> Vec<String> {
        let count = (self.files / 100).max(1);
        self.paths().into_iter().step_by(self.files / count + 1).take(count).collect()
    }
}

/// Gives the files at `paths` below `at` the content that they have in an edition.
pub fn edit(at: &Path, paths: &[String], edition: u32) -> io::Result<()> {
    for path in paths {
        let line = format!("{path}, edition {edition}: one of many lines.\n");
        std::fs::write(at.join(path), line.repeat(FILE_BYTES.div_ceil(line.len())))?;
    }
    Ok(())
}

/// The folders that hold `paths`, directly or not; the book's own is the empty path.
pub fn folders_of(paths: &[String]) -> BTreeSet<&str> {
    let mut all = BTreeSet::from([""]);
    for path in paths {
        let ends = path.match_indices('/').map(|(end, _)| &path[..end]);
        all.extend(ends);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_has_as_many_files_and_folders_as_asked_for() {
        for (files, folders) in [(1, 1), (30, 10), (2_000, 80)] {
            let shape = Shape { files, folders };
            let paths = shape.paths();
            assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), files);
            assert_eq!(folders_of(&paths).len(), folders);
        }
        let edited = Shape { files: 2_000, folders: 80 }.one_in_a_hundred();
        assert_eq!(edited.len(), 20);
        let own = |path: &String| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        assert_eq!(edited.iter().map(own).collect::<BTreeSet<_>>().len(), 20);
    }
}
