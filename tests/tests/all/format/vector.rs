//! The files of `tests/vectors`, as `tests/vectors/README.md` describes them.

use std::path::{Path, PathBuf};

use cas_core::access::{Revocation, Token};
use cas_core::object::{Commit, DecodeError, Tree};
use cas_core::refs::RefEntry;
use cas_core::store::Marker;

/// One file of `golden/` or `rejected/`.
pub(super) struct Vector {
    /// The file's name without its ending.
    pub(super) name: String,
    /// What the comment `# id:` says.
    pub(super) id: Option<String>,
    /// What the comments `# value:` say.
    pub(super) values: Vec<String>,
    /// What the comment `# error:` says.
    pub(super) error: Option<String>,
    /// The bytes.
    pub(super) bytes: Vec<u8>,
}

/// A value of a kind that has an encoding.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A format marker.
    Marker(Marker),
    /// A tree.
    Tree(Tree),
    /// A commit.
    Commit(Commit),
    /// A ref log entry as stored.
    Entry(RefEntry),
    /// A token as stored.
    Token(Token),
    /// A revocation as stored.
    Revocation(Revocation),
}

impl Value {
    /// Reads bytes of the kind that the vector's name begins with.
    pub(super) fn decode(name: &str, bytes: &[u8]) -> Result<Self, DecodeError> {
        match name.split('_').next().unwrap() {
            "marker" => Marker::decode(bytes).map(Self::Marker),
            "tree" => Tree::decode(bytes).map(Self::Tree),
            "commit" => Commit::decode(bytes).map(Self::Commit),
            "entry" => RefEntry::from_stored(bytes).map(|found| Self::Entry(found.entry)),
            "token" => Token::from_stored(bytes).map(Self::Token),
            "revocation" => Revocation::from_stored(bytes).map(Self::Revocation),
            kind => panic!("{name}: no kind is called {kind}"),
        }
    }

    /// The bytes as stored.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Marker(marker) => marker.encode(),
            Self::Tree(tree) => tree.encode(),
            Self::Commit(commit) => commit.encode(),
            Self::Entry(entry) => entry.to_stored().1,
            Self::Token(token) => token.to_stored(),
            Self::Revocation(revocation) => revocation.to_stored(),
        }
    }
}

/// All vectors in a folder of `tests/vectors`, by name.
pub(super) fn vectors(folder: &str) -> Vec<Vector> {
    let folder = path(folder);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| parse(file)).collect()
}

/// A file or folder of `tests/vectors`.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name)
}

/// The bytes that `digits` stand for; white space counts for nothing.
pub(super) fn from_hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty(), "an odd number of hex digits");
    pairs
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn parse(file: &Path) -> Vector {
    let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(file).unwrap();
    assert_eq!(file.extension().unwrap(), "hex", "{name}");
    let (comments, digits): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with('#'));
    let said = |what: &str| {
        let lines = comments.iter().filter_map(|line| line.strip_prefix(what));
        lines.map(|said| said.trim().to_owned()).collect::<Vec<_>>()
    };
    let title = comments[0].trim_start_matches('#').trim();
    assert!(title.ends_with('.'), "{name}: the first line says what it is");
    Vector {
        id: said("# id:").pop(),
        values: said("# value:"),
        error: said("# error:").pop(),
        bytes: from_hex(&digits.concat()),
        name,
    }
}
