//! Files of a version against the rules of its book.

use std::collections::{BTreeMap, BTreeSet};

use super::preset::{PresetCheck, Root};
use super::{BOOK_FILE, BookFile, Violation};
use crate::name::BookPath;
use crate::object::EntryKind;

/// Most messages of allow rules that one violation repeats.
const MESSAGES: usize = 5;

/// A file of a version, as far as rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFile {
    /// Where it is.
    pub path: BookPath,
    /// What it is; never a tree.
    pub kind: EntryKind,
    /// Its size in bytes.
    pub size: u64,
}

/// One folder of a version: what the rules about neighbours look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Folder {
    /// Its path; empty for the root.
    pub path: String,
    /// The names and sizes of its files.
    pub files: BTreeMap<String, u64>,
    /// The names of its folders.
    pub folders: BTreeSet<String>,
}

impl BookFile {
    /// Every rule that a version with these files breaks, sorted by path.
    pub fn check(&self, files: &[SchemaFile]) -> Vec<Violation> {
        let there: BTreeSet<_> = files.iter().map(|file| &file.path).collect();
        let mut violations: Vec<_> = files.iter().flat_map(|file| self.check_file(file)).collect();
        violations.extend(self.missing(|path| there.contains(path)));
        let folders = folders_of(files);
        let root = folders.get("").map(Folder::content_root).unwrap_or_default();
        violations.extend(folders.values().flat_map(|folder| self.check_folder(&root, folder)));
        sorted(violations)
    }

    /// The rules that one file breaks by itself.
    pub(crate) fn check_file(&self, file: &SchemaFile) -> Vec<Violation> {
        let path = file.path.as_str();
        let mut violations = Vec::new();
        if path == BOOK_FILE {
            return violations;
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|rule| rule.pattern.is_match(path)) {
            let mut message = "the book's schema has no place for it".to_owned();
            let said: Vec<_> = self
                .allow
                .iter()
                .filter_map(|rule| rule.message.as_deref())
                .take(MESSAGES)
                .collect();
            if !said.is_empty() {
                message.push_str(&format!(": {}", said.join("; ")));
            }
            violations.push(Violation::error(path, "not-allowed", message));
        }
        for rule in self.refuse.iter().filter(|rule| rule.pattern.is_match(path)) {
            let message = rule.message.clone();
            let message =
                message.unwrap_or_else(|| format!("the book refuses {:?}", rule.pattern.as_str()));
            violations.push(Violation::error(path, "refused", message));
        }
        let sizes = self.size.iter().filter(|rule| rule.pattern.is_match(path));
        if let Some(max) = sizes.map(|rule| rule.max_bytes).min()
            && file.size > max
        {
            let message = format!("it has {} bytes, and may have {max}", file.size);
            violations.push(Violation::error(path, "too-large", message));
        }
        violations
    }

    /// The required files that are not there.
    pub(crate) fn missing(
        &self,
        is_there: impl Fn(&BookPath) -> bool,
    ) -> impl Iterator<Item = Violation> {
        self.required.iter().filter(move |path| !is_there(path)).map(|path| {
            Violation::error(path.as_str(), "missing", "every version of this book must have it")
        })
    }

    /// The rules of the preset that a folder breaks, its files among each other and each alone.
    pub(crate) fn check_folder(&self, root: &Root, folder: &Folder) -> Vec<Violation> {
        PresetCheck::new(self.preset, root, folder).violations()
    }
}

/// Sorted by path, each once.
pub(crate) fn sorted(mut violations: Vec<Violation>) -> Vec<Violation> {
    violations.sort_unstable();
    violations.dedup();
    violations
}

/// The folders that these files are in, by path.
fn folders_of(files: &[SchemaFile]) -> BTreeMap<String, Folder> {
    let mut folders: BTreeMap<String, Folder> = BTreeMap::new();
    let folder = |path: &str| Folder { path: path.to_owned(), ..Folder::default() };
    for file in files {
        let (parent, name) = split(file.path.as_str());
        let holder = folders.entry(parent.to_owned()).or_insert_with(|| folder(parent));
        holder.files.insert(name.to_owned(), file.size);
        let mut at = parent;
        while !at.is_empty() {
            let (above, name) = split(at);
            let holder = folders.entry(above.to_owned()).or_insert_with(|| folder(above));
            holder.folders.insert(name.to_owned());
            at = above;
        }
    }
    folders
}

/// A path's folder and its last segment.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> Vec<SchemaFile> {
        let file = |path: &&str| SchemaFile {
            path: BookPath::parse(path).unwrap(),
            kind: EntryKind::File,
            size: 10,
        };
        paths.iter().map(file).collect()
    }

    fn broken(schema: &str, paths: &[&str]) -> Vec<(String, &'static str)> {
        let file = BookFile::parse(schema.as_bytes()).unwrap();
        file.check(&files(paths)).into_iter().map(|found| (found.path, found.rule)).collect()
    }

    fn said(path: &str, rule: &'static str) -> (String, &'static str) {
        (path.to_owned(), rule)
    }

    #[test]
    fn without_rules_everything_goes() {
        assert_eq!(broken("", &["x.exe", "a/b/c/d"]), []);
    }

    #[test]
    fn what_no_allow_rule_matches_is_not_allowed() {
        let schema = "[[schema.allow]]\npattern = \"content/**\"\nmessage = \"m\"\n\
                      [[schema.allow]]\npattern = \"*.md\"\n";
        assert_eq!(
            broken(schema, &["book.toml", "README.md", "a/x.md", "content/a/b.md", "z"]),
            [said("a/x.md", "not-allowed"), said("z", "not-allowed")]
        );
    }

    #[test]
    fn refused_too_large_and_missing_are_told_together() {
        let schema = "schema.required = [\"README.md\"]\n\
                      [[schema.refuse]]\npattern = \"**/*.exe\"\n\
                      [[schema.size]]\npattern = \"**\"\nmax_bytes = 10\n\
                      [[schema.size]]\npattern = \"*.svg\"\nmax_bytes = 9\n";
        assert_eq!(
            broken(schema, &["a/x.exe", "b.svg", "c.md"]),
            [said("README.md", "missing"), said("a/x.exe", "refused"), said("b.svg", "too-large")]
        );
    }

    #[test]
    fn no_rule_is_about_book_toml() {
        let schema = "[[schema.allow]]\npattern = \"x\"\n[[schema.refuse]]\npattern = \"**\"\n\
                      [[schema.size]]\npattern = \"**\"\nmax_bytes = 0\n";
        assert_eq!(broken(schema, &["book.toml"]), []);
    }
}
