//! Texts that people and other programs write: `book.toml`, notes, keys, scopes, patterns.

use cas_core::access::{Pattern, Scope};
use cas_core::refs::Checkpoint;
use cas_core::repo::{Globs, LinePattern, PatternOptions};
use cas_core::schema::{BOOK_FILE_BYTES, BookFile};
use cas_core::sign::{KeyName, KeySignature, Note, SigningKey, VerifierKey};
use cas_core::store::Location;

use super::text;

pub(super) fn book_file(bytes: &[u8]) {
    match BookFile::parse(bytes) {
        Ok(file) => {
            assert!(bytes.len() as u64 <= BOOK_FILE_BYTES);
            assert!(file.required().iter().all(|path| !path.is_root()));
            assert!(!file.title().unwrap_or_default().contains('\n'), "a title is one line");
            // The first pattern that matches is the one that counts.
            if let Some(personal) = file.personal_for(file.default_branch()) {
                assert!(!personal.pattern().is_empty());
            }
        }
        Err(error) => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error:?}");
            // The message is one that a person reads, whatever the file holds.
            assert!(!error.reason.is_empty() && error.reason.len() < 16 * 1024, "{error}");
            assert!(error.violation().is_error());
        }
    }
}

pub(super) fn checkpoint(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(checkpoint) = Checkpoint::parse(text) else { return };
    assert_eq!(checkpoint.to_string(), text, "two texts of one checkpoint");
    let positions = checkpoint.positions();
    assert!(positions.is_sorted_by(|a, b| a.name < b.name));
    assert!(positions.iter().all(|position| position.seq > 0));
    for position in positions {
        assert_eq!(checkpoint.position(&position.name), Some(position));
    }
}

pub(super) fn note(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let key = SigningKey::from_seed(KeyName::parse("ada").expect("a name"), [1; 32]);
    let verifier = key.verifier();
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text, "two texts of one note");
        assert!(note.verify(&[]).is_err(), "nobody signed it, and it is believed");
        if let Ok((signed, by)) = note.verify(std::slice::from_ref(&verifier)) {
            assert!(by == &verifier && text.starts_with(signed));
            let again = Note::sign(signed, &key).expect("it was signed before");
            assert!(again.verify(std::slice::from_ref(&verifier)).is_ok());
        }
    }
    // Whatever can be signed is read back, and one character more or less is noticed.
    if let Ok(note) = Note::sign(text, &key) {
        let read = Note::parse(&note.to_string()).expect("what is signed is read");
        assert_eq!(read, note);
        assert_eq!(read.verify(std::slice::from_ref(&verifier)).ok(), Some((text, &verifier)));
        let more = Note::parse(&format!("x{note}")).expect("it is a note still");
        assert!(more.verify(&[verifier]).is_err());
    }
}

pub(super) fn sign_key(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(key) = SigningKey::parse(text) {
        assert_eq!(key.reveal(), text.trim());
        assert!(!format!("{key:?}").contains(&key.reveal()), "the secret is shown");
        let signature = key.sign(b"message");
        assert!(key.verifier().verifies(b"message", &signature));
        assert!(!key.verifier().verifies(b"another", &signature));
        assert!(VerifierKey::parse(text).is_err(), "a secret is taken for what is public");
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
        assert_eq!(KeyName::parse(key.name().as_str()).as_ref(), Ok(key.name()));
    }
    if let Ok(signature) = KeySignature::parse(text) {
        assert_eq!(signature.to_string(), text);
        assert!(!signature.signer().is_empty());
    }
}

pub(super) fn scope(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(scope) = Scope::parse(text) {
        // What is left out is written out: the same scope, not the same text.
        assert_eq!(Scope::parse(&scope.to_string()).as_ref(), Ok(&scope));
    }
    // A pattern, a colon, and a name to try it on.
    let (pattern, name) = text.split_once(':').unwrap_or((text, "a/b"));
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    let printed = pattern.to_string();
    assert_eq!(Pattern::parse(&printed).as_ref(), Ok(&pattern));
    let matches = pattern.matches(name);
    // `walk` passes over empty segments, which no name has.
    let is_name = !name.is_empty() && name.split('/').all(|segment| !segment.is_empty());
    if pattern.is_literal() {
        assert_eq!(is_name && matches, is_name && name == printed);
    }
    if is_name && pattern.covers_below(name) {
        assert!(pattern.matches(name) && pattern.reaches_below(name));
        assert!(pattern.matches(&format!("{name}/x")) && pattern.matches(&format!("{name}/x/y")));
    }
    if let Some((folder, _)) = name.rsplit_once('/')
        && is_name
        && matches
    {
        assert!(pattern.reaches_below(folder), "{printed} matches {name}, which is below {folder}");
    }
}

pub(super) fn glob(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let patterns: Vec<&str> = text.split('\n').collect();
    let Ok(globs) = Globs::parse(patterns.iter().copied()) else { return };
    assert!(globs.patterns().is_sorted_by(|a, b| a < b) && !globs.is_all());
    let one_by_one = |path: &str| {
        patterns.iter().any(|one| Globs::parse([*one]).is_ok_and(|one| one.is_match(path)))
    };
    for path in ["a", "a/b", "README.md", "static/img/x.png"] {
        assert_eq!(globs.is_match(path), one_by_one(path), "{patterns:?} on {path}");
    }
    for pattern in patterns {
        // Without any character of the language, a pattern is a name.
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ' ');
        if pattern.chars().all(plain) {
            assert!(globs.is_match(pattern), "{pattern:?}");
        }
    }
}

/// The first byte says how the expression is read.
pub(super) fn line_pattern(bytes: &[u8]) {
    let Some((how, rest)) = bytes.split_first() else { return };
    let Some(text) = text(rest) else { return };
    let options = PatternOptions { ignore_case: how & 1 != 0, literal: how & 2 != 0 };
    match LinePattern::parse(text, options) {
        Ok(pattern) => assert!(!text.is_empty() && format!("{pattern:?}").len() < 64 * 1024),
        Err(error) => {
            // No literal text is a bad expression: it is empty, too long, or of several lines.
            let said = error.to_string();
            assert!(!said.is_empty() && said.len() < 64 * 1024, "{said}");
        }
    }
}

pub(super) fn location(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    let Ok(location) = Location::parse(text) else { return };
    let printed = location.to_string();
    if let Some(folder) = location.as_folder() {
        assert!(folder.as_os_str().len() <= text.len() && !location.is_remote());
        assert!(location.prefix().as_ref().is_empty());
        return;
    }
    assert!(location.prefix().as_ref().len() <= text.len());
    assert!(!printed.contains(char::is_control), "{printed:?}");
    let again = Location::parse(&printed).expect("what it prints is a location");
    assert_eq!(again, location, "{text} prints as {printed}");
}
