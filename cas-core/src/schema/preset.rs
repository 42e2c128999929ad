//! The presets: what breaks a Docusaurus site, and the house rules of numbered lessons.
//!
//! What is an error was looked up in Docusaurus' sources: two documents of one id end a build since
//! 3.9. Ids come from names, less their number prefixes, but front matter may say another one, and
//! contents are not read here. So two names that differ only in their number are a warning, and
//! `x.md` beside `x.mdx`, which meet in every version and in every reader's mind, an error. Two
//! category files of one folder are a warning there, and so here.

use std::collections::BTreeMap;

use super::check::Folder;
use super::{Preset, Violation};

/// Folders of a site's root that hold no documents.
const NO_DOCUMENTS: [&str; 7] =
    ["static", "src", "blog", "i18n", "node_modules", "versioned_docs", "versioned_sidebars"];

/// The folder that documents live below: `content`, else `docs`, else the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Root(&'static str);

impl Folder {
    /// Where documents live, if this is the root of a book.
    pub(crate) fn content_root(&self) -> Root {
        Root(
            ["content", "docs"].into_iter().find(|name| self.folders.contains(*name)).unwrap_or(""),
        )
    }
}

/// One folder, being looked at.
pub(super) struct PresetCheck<'a> {
    preset: Preset,
    folder: &'a Folder,
    /// The segments of its path.
    segments: Vec<&'a str>,
    /// Those below the folder of documents; none if it is elsewhere.
    below: Option<Vec<&'a str>>,
    violations: Vec<Violation>,
}

/// A Markdown file.
struct Document<'a> {
    file: &'a str,
    /// The name without its ending.
    stem: &'a str,
    is_mdx: bool,
}

impl<'a> Document<'a> {
    fn of(file: &'a str) -> Option<Self> {
        let (stem, ending) = file.rsplit_once('.')?;
        // What begins so is a part of other pages.
        let is_mdx = ending == "mdx";
        ((is_mdx || ending == "md") && !stem.is_empty() && !stem.starts_with('_')).then_some(Self {
            file,
            stem,
            is_mdx,
        })
    }

    fn is_index(&self) -> bool {
        ["readme", "index"].iter().any(|name| self.stem.eq_ignore_ascii_case(name))
    }

    /// Whether the house rules want a number of it.
    fn is_lesson(&self) -> bool {
        !self.is_mdx && !self.is_index() && !self.stem.to_ascii_lowercase().contains("quiz")
    }

    fn base(&self) -> &'a str {
        self.stem.strip_suffix(".summary").unwrap_or(self.stem)
    }
}

impl<'a> PresetCheck<'a> {
    pub(super) fn new(preset: Preset, root: &Root, folder: &'a Folder) -> Self {
        let segments: Vec<_> =
            folder.path.split('/').filter(|segment| !segment.is_empty()).collect();
        let below = match (root.0, segments.split_first()) {
            ("", _) => Some(segments.clone()),
            (root, Some((first, rest))) if *first == root => Some(rest.to_vec()),
            _ => None,
        };
        Self { preset, folder, segments, below, violations: Vec::new() }
    }

    /// Every rule of the preset that the folder breaks.
    pub(super) fn violations(mut self) -> Vec<Violation> {
        let hidden = |segment: &&str| segment.starts_with(['.', '_']) || *segment == "static";
        if self.preset == Preset::None || self.segments.iter().any(hidden) {
            return Vec::new();
        }
        let documents: Vec<_> =
            self.folder.files.keys().filter_map(|file| Document::of(file)).collect();
        let outside = self.segments.first().is_some_and(|first| NO_DOCUMENTS.contains(first));
        self.same_documents(&documents, outside);
        self.category_files();
        if !outside && let Some(below) = self.below.clone() {
            self.house_rules(&documents, &below);
            if self.preset == Preset::StrictLessons {
                self.lesson_paths(&documents, &below);
            }
        }
        if self.preset == Preset::StrictLessons {
            for violation in &mut self.violations {
                violation.severity = super::Severity::Error;
            }
        }
        self.violations
    }

    fn path(&self, name: &str) -> String {
        if self.folder.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.folder.path)
        }
    }

    fn warn(&mut self, name: &str, rule: &'static str, message: impl Into<String>) {
        self.violations.push(Violation::warning(self.path(name), rule, message));
    }

    /// Documents that make one page.
    fn same_documents(&mut self, documents: &[Document<'_>], outside: bool) {
        let mut by_id: BTreeMap<&str, &Document<'_>> = BTreeMap::new();
        let mut index: Option<&Document<'_>> = None;
        for document in documents {
            let first = *by_id.entry(without_number(document.stem)).or_insert(document);
            if first.stem == document.stem && first.file != document.file {
                let message = format!("it makes the same page as {}", first.file);
                let path = self.path(document.file);
                self.violations.push(if outside {
                    Violation::warning(path, "same-document", message)
                } else {
                    Violation::error(path, "same-document", message)
                });
            } else if first.file != document.file && !outside {
                let message = format!("without its number it is named as {}", first.file);
                self.warn(document.file, "same-id", message);
            }
            if document.is_index() {
                match index {
                    Some(first) if !first.stem.eq(document.stem) => {
                        let message = format!("{} is the folder's page already", first.file);
                        self.warn(document.file, "two-index-pages", message);
                    }
                    _ => index = Some(document),
                }
            }
        }
    }

    fn category_files(&mut self) {
        let files = ["_category_.json", "_category_.yaml", "_category_.yml"];
        let folder = self.folder;
        let there: Vec<_> =
            files.into_iter().filter_map(|name| Some((name, *folder.files.get(name)?))).collect();
        for (name, size) in &there {
            if *size == 0 {
                self.warn(name, "empty-category-file", "it says nothing of its folder");
            }
        }
        if let [(first, _), rest @ ..] = &there[..] {
            for (name, _) in rest {
                let message = format!("{first} is there too; which of them counts is not defined");
                self.warn(name, "two-category-files", message);
            }
        }
    }

    /// Numbers, summaries and depth.
    fn house_rules(&mut self, documents: &[Document<'_>], below: &[&str]) {
        let folder = self.folder;
        let has_parts = folder.folders.iter().any(|name| number(name).is_some());
        if let Some(name) = below.last()
            && number(name).is_none()
            && (!documents.is_empty() || has_parts)
        {
            let message = "a part or chapter begins with its number, as 01-Name";
            let path = folder.path.clone();
            self.violations.push(Violation::warning(path, "number-missing", message));
        }
        let mut numbers: BTreeMap<u64, &str> = BTreeMap::new();
        for document in documents {
            let Document { file, stem, .. } = document;
            if stem.chars().all(|c| c.is_ascii_digit() || "-_. ".contains(c)) {
                self.warn(file, "only-a-number", "its name is nothing but a number");
                continue;
            }
            let is_alone =
                |ending: &str| !folder.files.contains_key(&format!("{}.{ending}", document.base()));
            if document.base() != *stem && is_alone("md") && is_alone("mdx") {
                let message = format!("there is no {}.md that it sums up", document.base());
                self.warn(file, "summary-alone", message);
            }
            if below.is_empty() || !document.is_lesson() {
                continue;
            }
            if below.len() > 2 {
                self.warn(file, "depth", "a lesson lies at most two folders deep: part, chapter");
            }
            match number(stem) {
                None => {
                    let message = "a lesson begins with its number, as 01-name.md";
                    self.warn(file, "number-missing", message);
                }
                Some(found) => {
                    let first = *numbers.entry(found).or_insert(document.base());
                    // Its summary has the number with it.
                    if first != document.base() && document.base() == *stem {
                        let message = format!("{first} has the number {found} already");
                        self.warn(file, "number-twice", message);
                    }
                }
            }
        }
        self.numbered_folders();
    }

    fn numbered_folders(&mut self) {
        let folder = self.folder;
        let (mut numbers, mut names) = (BTreeMap::new(), BTreeMap::new());
        for name in &folder.folders {
            let Some(found) = number(name) else { continue };
            let first: &String = numbers.entry(found).or_insert(name);
            if first != name {
                self.warn(name, "number-twice", format!("{first} has the number {found} already"));
            }
            let first: &String = names.entry(without_number(name)).or_insert(name);
            if first != name {
                let message = format!("without its number it is named as {first}");
                self.warn(name, "same-id", message);
            }
        }
    }

    /// The one shape of `strict-lessons`: `NN-Name/NN-Name/NN-name(.summary).md`.
    fn lesson_paths(&mut self, documents: &[Document<'_>], below: &[&str]) {
        let folders = below.len() == 2 && below.iter().all(|name| is_numbered(name));
        let category = self.folder.files.keys().map(String::as_str);
        let category: Vec<_> = category.filter(|name| name.starts_with("_category_.")).collect();
        let stray = documents.iter().filter(|document| {
            let base = document.base();
            !folders || document.is_mdx || !is_numbered(base) || base.contains('.')
        });
        for name in stray.map(|document| document.file).chain(category) {
            let message = "it is no NN-Name/NN-Name/NN-name.md or NN-name.summary.md";
            self.violations.push(Violation::error(self.path(name), "lesson-path", message));
        }
    }
}

/// Whether a name is two digits or more, a hyphen and something.
fn is_numbered(name: &str) -> bool {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    name.len() - rest.len() >= 2 && rest.strip_prefix('-').is_some_and(|rest| !rest.is_empty())
}

/// The number that a name begins with, and the rest, as Docusaurus takes them apart: dates and
/// versions are no numbers.
fn number_and_rest(name: &str) -> Option<(u64, &str)> {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = name[..name.len() - rest.len()].parse().ok()?;
    let separated = rest.trim_start().strip_prefix(['-', '_', '.'])?;
    if rest.len() == separated.len() + 1 && separated.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let suffix = separated.trim_start_matches(['-', '_', '.']).trim_start();
    (!suffix.is_empty()).then_some((number, suffix))
}

fn number(name: &str) -> Option<u64> {
    number_and_rest(name).map(|(number, _)| number)
}

fn without_number(name: &str) -> &str {
    number_and_rest(name).map_or(name, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::BookPath;
    use crate::object::EntryKind;
    use crate::schema::{BookFile, SchemaFile, Severity};

    fn found(preset: Preset, paths: &[&str]) -> Vec<(String, &'static str, Severity)> {
        let file = |path: &&str| SchemaFile {
            path: BookPath::parse(path).unwrap(),
            kind: EntryKind::File,
            size: u64::from(!path.contains("empty")),
        };
        let files: Vec<_> = paths.iter().map(file).collect();
        let violations = BookFile::of_preset(preset).check(&files);
        violations.into_iter().map(|found| (found.path, found.rule, found.severity)).collect()
    }

    fn warned(paths: &[&str]) -> Vec<(String, &'static str)> {
        let found = found(Preset::Docusaurus, paths);
        assert!(found.iter().all(|found| found.2 == Severity::Warning), "{found:?}");
        found.into_iter().map(|(path, rule, _)| (path, rule)).collect()
    }

    fn rule(path: &str, rule: &'static str) -> (String, &'static str) {
        (path.to_owned(), rule)
    }

    #[test]
    fn numbers_are_taken_as_docusaurus_takes_them() {
        for (name, expected) in [
            ("01-intro", Some((1, "intro"))),
            ("7. Intro", Some((7, "Intro"))),
            ("003 - intro", Some((3, "intro"))),
            ("1__intro", Some((1, "intro"))),
            ("2024-01-02-news", None),
            ("8.0-release", None),
            ("01", None),
            ("01-", None),
            ("intro", None),
            ("1intro", None),
            ("99999999999999999999999-x", None),
        ] {
            assert_eq!(number_and_rest(name), expected, "{name}");
        }
    }

    #[test]
    fn a_page_in_both_formats_is_refused_where_documents_live() {
        assert_eq!(
            found(Preset::Docusaurus, &["docs/a.md", "docs/a.mdx"]),
            [("docs/a.mdx".to_owned(), "same-document", Severity::Error)]
        );
        assert_eq!(
            warned(&["src/pages/a.md", "src/pages/a.mdx"]),
            [rule("src/pages/a.mdx", "same-document")]
        );
        assert_eq!(warned(&["static/a.md", "static/a.mdx", "docs/_a.md", "docs/_a.mdx"]), []);
        assert_eq!(found(Preset::None, &["docs/a.md", "docs/a.mdx"]), []);
    }

    #[test]
    fn house_rules_are_warnings() {
        let tree = [
            "content/01-A/01-B/01-x.md",
            "content/01-A/01-B/01-x.summary.md",
            "content/01-A/01-B/02-x.md",
            "content/01-A/01-B/02-y.md",
            "content/01-A/01-B/03-z.summary.md",
            "content/01-A/01-B/04.md",
            "content/01-A/01-B/05_chapter_01_quiz.md",
            "content/01-A/01-B/README.md",
            "content/01-A/01-B/index.md",
            "content/01-A/01-B/_category_.json",
            "content/01-A/01-B/_category_.yml",
            "content/01-A/01-B/page.mdx",
            "content/01-A/01-B/plain.md",
            "content/01-A/01-B/02-deep/01-x.md",
            "content/01-A/02-B/img/x.png",
            "content/01-A/02-B/_category_.empty.json",
            "content/02-C/_category_.json",
            "content/chapter/01-x.md",
            "content/about.md",
            "README.md",
        ];
        let chapter = |name: &str| format!("content/01-A/01-B/{name}");
        assert_eq!(
            warned(&tree),
            [
                rule(&chapter("02-deep/01-x.md"), "depth"),
                rule(&chapter("02-x.md"), "same-id"),
                rule(&chapter("02-y.md"), "number-twice"),
                rule(&chapter("03-z.summary.md"), "summary-alone"),
                rule(&chapter("04.md"), "only-a-number"),
                rule(&chapter("_category_.yml"), "two-category-files"),
                rule(&chapter("index.md"), "two-index-pages"),
                rule(&chapter("plain.md"), "number-missing"),
                rule("content/01-A/02-B", "same-id"),
                rule("content/chapter", "number-missing"),
            ]
        );
        assert_eq!(
            warned(&["empty/_category_.json"]),
            [rule("empty/_category_.json", "empty-category-file")]
        );
    }

    #[test]
    fn strict_lessons_refuses_whatever_is_no_lesson() {
        let found = found(
            Preset::StrictLessons,
            &[
                "book.toml",
                "README.md",
                "content/01-A/01-B/01-x.md",
                "content/01-A/01-B/01-x.summary.md",
                "content/01-A/01-B/README.md",
                "content/01-A/01-B/_category_.json",
                "content/01-A/01-B/cover.png",
                "content/about.md",
                "static/a/b/c/d.md",
            ],
        );
        let paths: Vec<_> = found
            .iter()
            .map(|(path, rule, severity)| {
                assert_eq!((*rule, *severity), ("lesson-path", Severity::Error));
                path.as_str()
            })
            .collect();
        assert_eq!(
            paths,
            [
                "content/01-A/01-B/README.md",
                "content/01-A/01-B/_category_.json",
                "content/about.md"
            ]
        );
    }
}
