//! `book.toml`, parsed and checked.

use serde::Deserialize;
use toml::Spanned;

use super::pattern::Pattern;
use super::{BOOK_FILE, BOOK_FILE_BYTES, Violation};
use crate::name::{BookPath, RefName};
use crate::object::EntryKind;
use crate::refs::Follow;

/// Most entries of one list.
const ENTRIES: usize = 200;

/// Longest title or message, in bytes.
const TEXT_BYTES: usize = 1024;

/// What a book says about itself.
#[derive(Debug, Clone)]
pub struct BookFile {
    pub(super) title: Option<String>,
    pub(super) default_branch: RefName,
    pub(super) preset: Preset,
    pub(super) required: Vec<BookPath>,
    pub(super) allow: Vec<Rule>,
    pub(super) refuse: Vec<Rule>,
    pub(super) size: Vec<SizeRule>,
    personal: Vec<Personal>,
}

/// A set of rules by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// No rules.
    #[default]
    None,
    /// What breaks a Docusaurus build is refused, house rules are warned about.
    Docusaurus,
    /// The same with warnings as errors, and every document a numbered lesson.
    StrictLessons,
}

/// Which branches are personal, and what they follow.
#[derive(Debug, Clone)]
pub struct Personal {
    pattern: Pattern,
    upstream: RefName,
    follow: Follow,
}

/// Paths, and what to say of them.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) message: Option<String>,
}

/// Paths, and how large they may be.
#[derive(Debug, Clone)]
pub(super) struct SizeRule {
    pub(super) pattern: Pattern,
    pub(super) max_bytes: u64,
}

/// Why a `book.toml` is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct BookFileError {
    /// The line, from 1; none if it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong there, with the key that it is about.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    title: Option<Spanned<String>>,
    default_branch: Option<Spanned<String>>,
    #[serde(default)]
    schema: WireSchema,
    #[serde(default)]
    personal: Vec<WirePersonal>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSchema {
    #[serde(default)]
    preset: Preset,
    #[serde(default)]
    required: Vec<Spanned<String>>,
    #[serde(default)]
    allow: Vec<WireRule>,
    #[serde(default)]
    refuse: Vec<WireRule>,
    #[serde(default)]
    size: Vec<WireSize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRule {
    pattern: Spanned<String>,
    message: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSize {
    pattern: Spanned<String>,
    max_bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WirePersonal {
    pattern: Spanned<String>,
    upstream: Option<Spanned<String>>,
    #[serde(default)]
    follow: Follow,
}

impl BookFile {
    /// Reads the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BookFileError> {
        if bytes.len() as u64 > BOOK_FILE_BYTES {
            return Err(whole(format!("it has at most {BOOK_FILE_BYTES} bytes")));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole("it is not UTF-8".to_owned()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let wire: Wire = toml::from_str(text).map_err(|error| wrong(text, &error))?;
        let reader = Reader { text };
        let Wire { title, default_branch, schema, personal } = wire;
        let WireSchema { preset, required, allow, refuse, size } = schema;
        Ok(Self {
            title: title.map(|title| reader.line_of_text("title", title)).transpose()?,
            default_branch: reader.ref_name("default_branch", default_branch)?,
            preset,
            required: all("schema.required", &required, |key, path| {
                let refused = |error: String| reader.error(path.span().start, key, &error);
                match BookPath::parse(path.as_ref()) {
                    Ok(path) if path.is_root() => Err(refused("a path is not empty".to_owned())),
                    found => found.map_err(|error| refused(error.to_string())),
                }
            })?,
            allow: reader.rules("schema.allow", &allow)?,
            refuse: reader.rules("schema.refuse", &refuse)?,
            size: all("schema.size", &size, |key, rule| {
                let pattern = reader.pattern(key, &rule.pattern)?;
                Ok(SizeRule { pattern, max_bytes: rule.max_bytes })
            })?,
            personal: all("personal", &personal, |key, wire| {
                Ok(Personal {
                    pattern: reader.pattern(key, &wire.pattern)?,
                    upstream: reader.ref_name("personal.upstream", wire.upstream.clone())?,
                    follow: wire.follow,
                })
            })?,
        })
    }

    /// A book that says nothing but which preset it keeps.
    pub fn of_preset(preset: Preset) -> Self {
        Self {
            title: None,
            default_branch: RefName::main(),
            preset,
            required: Vec::new(),
            allow: Vec::new(),
            refuse: Vec::new(),
            size: Vec::new(),
            personal: Vec::new(),
        }
    }

    /// The same file with another preset.
    #[must_use]
    pub fn with_preset(self, preset: Preset) -> Self {
        Self { preset, ..self }
    }

    /// What people call the book.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// The branch that is meant where none is said.
    pub const fn default_branch(&self) -> &RefName {
        &self.default_branch
    }

    /// The rules that it names.
    pub const fn preset(&self) -> Preset {
        self.preset
    }

    /// The files that every version must have.
    pub fn required(&self) -> &[BookPath] {
        &self.required
    }

    /// What holds of a branch with this name, if it is personal: the first pattern that matches.
    pub fn personal_for(&self, name: &RefName) -> Option<&Personal> {
        self.personal.iter().find(|personal| personal.pattern.is_match(name.as_str()))
    }
}

impl Personal {
    /// The pattern of the branches' names.
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// The branch that they follow.
    pub const fn upstream(&self) -> &RefName {
        &self.upstream
    }

    /// How they follow it.
    pub const fn follow(&self) -> Follow {
        self.follow
    }
}

impl Preset {
    /// `none`, `docusaurus` or `strict-lessons`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Docusaurus => "docusaurus",
            Self::StrictLessons => "strict-lessons",
        }
    }
}

impl std::str::FromStr for Preset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::None, Self::Docusaurus, Self::StrictLessons]
            .into_iter()
            .find(|preset| preset.as_str() == text)
            .ok_or_else(|| "one of none, docusaurus and strict-lessons".to_owned())
    }
}

impl BookFileError {
    /// What is wrong with a `book.toml` that is such an entry, if something is.
    pub(crate) fn of_entry(kind: EntryKind, size: u64) -> Option<Self> {
        match kind {
            EntryKind::Symlink => Some(whole("it is a symlink, not a file".to_owned())),
            EntryKind::Tree => Some(whole("it is a folder, not a file".to_owned())),
            EntryKind::File | EntryKind::Executable => (size > BOOK_FILE_BYTES)
                .then(|| whole(format!("it has at most {BOOK_FILE_BYTES} bytes"))),
        }
    }

    /// The violation that it is.
    pub fn violation(&self) -> Violation {
        Violation::error(BOOK_FILE, "book-file", self.to_string())
    }
}

/// Checks values, and knows on which line they stand.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, at: usize, key: &str, reason: &str) -> BookFileError {
        BookFileError { line: Some(line_at(self.text, at)), reason: format!("{key}: {reason}") }
    }

    fn rules(&self, key: &str, wire: &[WireRule]) -> Result<Vec<Rule>, BookFileError> {
        all(key, wire, |key, rule| {
            let message = rule.message.clone();
            Ok(Rule {
                pattern: self.pattern(key, &rule.pattern)?,
                message: message
                    .map(|message| self.line_of_text(&format!("{key}.message"), message))
                    .transpose()?,
            })
        })
    }

    fn pattern(&self, key: &str, wire: &Spanned<String>) -> Result<Pattern, BookFileError> {
        let key = format!("{key}.pattern");
        Pattern::parse(wire.as_ref()).map_err(|reason| self.error(wire.span().start, &key, &reason))
    }

    fn ref_name(&self, key: &str, wire: Option<Spanned<String>>) -> Result<RefName, BookFileError> {
        let Some(wire) = wire else { return Ok(RefName::main()) };
        let wrong = |reason: &str| self.error(wire.span().start, key, reason);
        match RefName::parse(wire.as_ref()) {
            Ok(name) if name.is_tag() => Err(wrong("a branch is named here, not a tag")),
            found => found.map_err(|error| wrong(&error.to_string())),
        }
    }

    /// Text that is shown in one line.
    fn line_of_text(&self, key: &str, wire: Spanned<String>) -> Result<String, BookFileError> {
        let at = wire.span().start;
        let text = wire.into_inner();
        if text.len() > TEXT_BYTES || text.chars().any(char::is_control) {
            let reason = format!("one line of at most {TEXT_BYTES} bytes");
            return Err(self.error(at, key, &reason));
        }
        Ok(text)
    }
}

/// Every entry of a list, if there are not too many.
fn all<W, T>(
    key: &str,
    wire: &[W],
    read: impl Fn(&str, &W) -> Result<T, BookFileError>,
) -> Result<Vec<T>, BookFileError> {
    if wire.len() > ENTRIES {
        return Err(whole(format!("{key}: there are at most {ENTRIES} entries")));
    }
    wire.iter().map(|wire| read(key, wire)).collect()
}

fn whole(reason: String) -> BookFileError {
    BookFileError { line: None, reason }
}

/// What the parser says, with the line that it is about, which names the key.
fn wrong(text: &str, error: &toml::de::Error) -> BookFileError {
    const SHOWN: usize = 100;
    let said = error.message().replace('\n', ", ");
    let Some(span) = error.span() else { return whole(said) };
    let line = line_at(text, span.start);
    let source: String =
        text.lines().nth(line - 1).unwrap_or_default().trim().chars().take(SHOWN).collect();
    BookFileError { line: Some(line), reason: format!("{said}, in `{source}`") }
}

/// The line, from 1, of the byte at `at`.
fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"
title = "A guide"
default_branch = "draft"

[schema]
preset = "docusaurus"
required = ["README.md", "content/intro.md"]

[[schema.allow]]
pattern = "content/**"
message = "pages live below content/"

[[schema.refuse]]
pattern = "**/*.exe"

[[schema.size]]
pattern = "static/**"
max_bytes = 1000

[[personal]]
pattern = "users/*"
follow = "live"

[[personal]]
pattern = "**"
upstream = "draft"
"#;

    #[test]
    fn reads_every_key() {
        let file = BookFile::parse(FULL.as_bytes()).unwrap();
        assert_eq!((file.title(), file.default_branch().as_str()), (Some("A guide"), "draft"));
        assert_eq!((file.preset(), file.required().len()), (Preset::Docusaurus, 2));
        let of = |name: &str| {
            let personal = file.personal_for(&RefName::parse(name).unwrap()).unwrap();
            (personal.pattern(), personal.upstream().as_str(), personal.follow())
        };
        assert_eq!(of("users/7"), ("users/*", "main", Follow::Live));
        assert_eq!(of("users/7/draft"), ("**", "draft", Follow::Pinned));
        let empty = BookFile::parse(b"").unwrap();
        assert_eq!((empty.preset(), empty.default_branch().as_str()), (Preset::None, "main"));
        assert!(empty.personal_for(&RefName::main()).is_none());
    }

    #[test]
    fn a_bad_file_is_told_by_key_and_line() {
        for (text, line, said) in [
            ("titel = \"x\"", Some(1), "titel"),
            ("\n\ntitle = 3", Some(3), "title = 3"),
            ("[schema]\npreset = \"strict\"", Some(2), "preset"),
            ("[schema]\nrequired = [\n\"../x\"]", Some(3), "schema.required"),
            ("[schema]\nrequired = [\"\"]", Some(2), "schema.required"),
            ("[[schema.allow]]\npattern = \"[a\"", Some(2), "schema.allow.pattern"),
            ("[[schema.refuse]]\npattern = \"\"", Some(2), "schema.refuse.pattern"),
            ("[[schema.size]]\npattern = \"*\"\nmax_bytes = -1", Some(3), "max_bytes"),
            ("[[schema.size]]\npattern = \"*\"", Some(1), "max_bytes"),
            ("[[personal]]\npattern = \"*\"\nupstream = \"a b\"", Some(3), "personal.upstream"),
            ("default_branch = \"tags/v1\"", Some(1), "default_branch"),
            ("title = \"a\\nb\"", Some(1), "title"),
            ("not toml", Some(1), "not toml"),
        ] {
            let error = BookFile::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.to_string().contains(said), "{text:?}: {error}");
        }
        assert!(BookFile::parse(b"\xff").is_err());
        let large = vec![b'#'; usize::try_from(BOOK_FILE_BYTES).unwrap() + 1];
        assert!(BookFile::parse(&large).is_err());
        assert!(BookFile::parse(&large[1..]).is_ok());
    }
}
