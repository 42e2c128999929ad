//! Names of directory entries, restricted to what every file system can hold.
//!
//! A book is checked out on Linux, macOS and Windows, so a name that one of them cannot hold, or
//! would take for another name, is refused everywhere. git has had a CVE for each of these rules:
//! CVE-2014-9390 (`.GIT`, ignorable code points), CVE-2019-1352 (NTFS streams), CVE-2019-1353
//! (short names), CVE-2021-21300 (names meeting under case folding).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::NameError;
use crate::limits;

/// The name of one entry of a tree: one segment of a path.
///
/// 1 to 255 bytes of UTF-8 in Unicode normal form C, without control characters or any of
/// `/ \ : * ? " < > |`, not ending with a dot or space, no device name of Windows, and neither
/// `.git` nor `.cas` in any disguise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(Box<str>);

impl EntryName {
    const WHAT: &'static str = "name";

    /// Checks the rules of the type.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match broken_rule(text) {
            None => Ok(Self(text.into())),
            Some(rule) => Err(NameError::new(Self::WHAT, text, rule)),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for EntryName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl Borrow<str> for EntryName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Two names of one folder with equal keys are one file on a disk that ignores case or
/// normalisation: Unicode's canonical caseless match (The Unicode Standard, D145), without the
/// code points that HFS+ does not look at.
pub fn collision_key(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let decomposed: String = name.chars().filter(|c| !is_ignorable(*c)).nfd().collect();
    unicase::UniCase::unicode(decomposed).to_folded_case().nfd().collect()
}

/// The first rule that `name` breaks, if any.
fn broken_rule(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("a name is not empty");
    }
    if name.len() > limits::NAME_BYTES {
        return Some("a name has at most 255 bytes");
    }
    if name == "." || name == ".." {
        return Some("`.` and `..` are not names");
    }
    for c in name.chars() {
        if c.is_control() {
            return Some("a name has no control characters");
        }
        if matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|') {
            return Some("a name has none of / \\ : * ? \" < > |");
        }
    }
    if name.ends_with(['.', ' ']) {
        return Some("a name does not end with a dot or a space");
    }
    if !name.is_ascii() && !is_nfc(name) {
        return Some("a name is in Unicode normal form C");
    }
    if is_device_name(name) {
        return Some("the name is a device on Windows");
    }
    if is_reserved(name) {
        return Some("`.git` and `.cas`, in any disguise, hold no content");
    }
    None
}

/// Whether Windows takes `name` for a device, with or without an ending.
pub(super) fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ');
    let begins = |first: u8| matches!(first.to_ascii_lowercase(), b'c' | b'p' | b'a' | b'n' | b'l');
    if !(3..=8).contains(&stem.len()) || !stem.bytes().next().is_some_and(begins) {
        return false;
    }
    let stem = stem.to_lowercase();
    if matches!(stem.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$") {
        return true;
    }
    let Some(number) = stem.strip_prefix("com").or_else(|| stem.strip_prefix("lpt")) else {
        return false;
    };
    matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
}

/// Whether some file system takes `name` for `.git` or `.cas`.
fn is_reserved(name: &str) -> bool {
    let ascii = name.is_ascii();
    if ascii && !name.starts_with(['.', 'g', 'G', 'c', 'C']) {
        return false;
    }
    let visible: String = name.chars().filter(|c| !is_ignorable(*c)).collect();
    // Some upper-case tables map ı to I and ſ to S, which folding does not.
    let raised = visible.to_uppercase().to_ascii_lowercase();
    [collision_key(&visible), raised].iter().any(|form| {
        let short = form.strip_prefix("git~").or_else(|| form.strip_prefix("cas~"));
        let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        matches!(form.as_str(), ".git" | ".cas") || short.is_some_and(is_number)
    })
}

/// Unicode's `Default_Ignorable_Code_Point`: HFS+ and some tools read names without them.
pub(super) fn is_ignorable(c: char) -> bool {
    matches!(u32::from(c),
        0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
        | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F
        | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFF8 | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_books_hold() {
        let long = "x".repeat(255);
        for good in [
            "README.md",
            "ch01-02.md",
            "_category_.json",
            ".gitignore",
            ".casignore",
            "日本語.md",
            "é.png",
            "a b",
            "console.md",
            "com10",
            ".github",
            "git~x",
            "cas",
            "git",
            " x",
            &long,
        ] {
            assert!(EntryName::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn rejects_what_no_disk_or_not_every_disk_can_hold() {
        let long = "x".repeat(256);
        for bad in [
            "", ".", "..", "a/b", "a\\b", "c:", "a*", "a?", "a\"", "a<", "a>", "a|", "a\0", "a\n",
            "a\u{7f}", "a\u{85}", "a.", "a ", "e\u{301}", &long,
        ] {
            assert!(EntryName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rejects_devices_of_windows() {
        for bad in
            ["con", "CON", "Con.txt", "nul.tar.gz", "com1", "LPT9.md", "com¹", "aux .x", "CONIN$"]
        {
            assert!(EntryName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn rejects_git_and_cas_in_any_disguise() {
        for bad in [
            ".git",
            ".GIT",
            ".Git",
            ".cas",
            ".CaS",
            "git~1",
            "GIT~12",
            "cas~1",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".gi\u{200d}t",
            ".g\u{131}t",
            ".ca\u{17f}",
            "gi\u{ad}t~1",
            "g\u{131}t~1",
        ] {
            assert!(EntryName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_meet_under_case_folding_and_normalisation() {
        assert_eq!(collision_key("README.md"), collision_key("readme.MD"));
        assert_eq!(collision_key("Straße"), collision_key("STRASSE"));
        assert_eq!(collision_key("É"), collision_key("e\u{301}"));
        assert_eq!(collision_key("a\u{200d}b"), collision_key("AB"));
        assert_ne!(collision_key("a"), collision_key("b"));
    }
}
