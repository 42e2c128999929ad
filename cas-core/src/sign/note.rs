//! Signed notes: a text, and who stands behind it.

use std::fmt;

use super::{KeySignature, SigningKey, VerifierKey};
use crate::error::ErrorKind;
use crate::name::NameError;

/// What a line with a signature begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Most signatures of one note: what others add to it must not make its reading dear.
const SIGNATURES: usize = 100;

/// A text with signatures.
///
/// Its form is the text, whose last line ends; an empty line; and a line for each signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<KeySignature>,
}

/// Why a note is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// It is no note.
    #[error("this is no signed note: {rule}")]
    Malformed {
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// A line that should be a signature is none.
    #[error("a line of the note is no signature")]
    BadSignature {
        /// What is wrong.
        source: NameError,
    },
    /// A signature by a key that is trusted does not fit the text.
    #[error("the signature of {signer} is not of this text: the note was changed")]
    Forged {
        /// The key.
        signer: String,
    },
    /// Nobody who is trusted signed it.
    #[error("none of the keys given signed the note; it is signed by {signers}")]
    Untrusted {
        /// Those who did.
        signers: String,
    },
}

impl NoteError {
    /// What the caller should do.
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed { .. } | Self::BadSignature { .. } => ErrorKind::Invalid,
            Self::Forged { .. } | Self::Untrusted { .. } => ErrorKind::Corrupt,
        }
    }
}

impl Note {
    /// Signs a text, of which every line ends with a line feed.
    pub fn sign(text: impl Into<String>, key: &SigningKey) -> Result<Self, NoteError> {
        let text = text.into();
        check_text(&text)?;
        let signatures = vec![key.sign(text.as_bytes())];
        Ok(Self { text, signatures })
    }

    /// Reads a note. Nothing in it is true before [`verify`](Self::verify) says so.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let malformed = |rule| Err(NoteError::Malformed { rule });
        let Some(at) = note.rfind("\n\n") else {
            return malformed("no empty line stands before its signatures");
        };
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        check_text(text)?;
        if !lines.ends_with('\n') {
            return malformed("its last line does not end");
        }
        // `lines` would take it for a part of the end of a line.
        if lines.contains('\r') {
            return malformed("a line ends with a line feed, and with nothing else");
        }
        if lines.lines().count() > SIGNATURES {
            return malformed("it has more than 100 signatures");
        }
        let mut signatures = Vec::new();
        for line in lines.lines() {
            let Some(signature) = line.strip_prefix(DASH) else {
                return malformed("a line behind the empty one is no signature");
            };
            let signature = KeySignature::parse(signature);
            signatures.push(signature.map_err(|source| NoteError::BadSignature { source })?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, if one of `keys` signed it, with the key that did. Signatures by other keys say
    /// nothing; one by any of these that does not fit is an error, whatever the others are.
    pub fn verify<'k>(
        &self,
        keys: &'k [VerifierKey],
    ) -> Result<(&str, &'k VerifierKey), NoteError> {
        let mut good = None;
        for signature in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.is_named_by(signature)) else {
                continue;
            };
            if !key.verifies(self.text.as_bytes(), signature) {
                return Err(NoteError::Forged { signer: signature.signer() });
            }
            good = good.or(Some(key));
        }
        match good {
            Some(key) => Ok((&self.text, key)),
            None => {
                let signers: Vec<_> = self.signatures.iter().map(KeySignature::signer).collect();
                Err(NoteError::Untrusted { signers: signers.join(", ") })
            }
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{DASH}{signature}"))
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    let rule = if text.is_empty() || !text.ends_with('\n') {
        "the last line of its text does not end"
    } else if text.chars().any(|c| c.is_ascii_control() && c != '\n') {
        "its text has a control character"
    } else {
        return Ok(());
    };
    Err(NoteError::Malformed { rule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::KeyName;

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse(name).unwrap(), [seed; 32])
    }

    #[test]
    fn reads_back_what_it_signed_and_keeps_empty_lines_of_the_text() {
        let ada = key("ada", 1);
        let note = Note::sign("one\n\ntwo\n", &ada).unwrap();
        let text = note.to_string();
        assert!(text.starts_with("one\n\ntwo\n\n\u{2014} ada "), "{text}");
        let read = Note::parse(&text).unwrap();
        assert_eq!(read, note);
        let keys = [key("bob", 2).verifier(), ada.verifier()];
        let (text, signer) = read.verify(&keys).unwrap();
        assert_eq!((text, signer.name().as_str()), ("one\n\ntwo\n", "ada"));
    }

    #[test]
    fn a_changed_text_is_forged_and_a_stranger_is_not_trusted() {
        let ada = key("ada", 1);
        let note = Note::sign("10\n", &ada).unwrap().to_string();
        let changed = Note::parse(&note.replacen("10", "11", 1)).unwrap();
        assert!(matches!(changed.verify(&[ada.verifier()]), Err(NoteError::Forged { .. })));
        let stranger = key("ada", 3).verifier();
        let read = Note::parse(&note).unwrap();
        assert!(matches!(read.verify(&[stranger]), Err(NoteError::Untrusted { .. })));
    }

    #[test]
    fn refuses_what_is_no_note() {
        let good = Note::sign("text\n", &key("ada", 1)).unwrap().to_string();
        for bad in [
            "",
            "text\n",
            "text\n\n",
            "text\n\nada x\n",
            "text\n\n\u{2014} ada !\n",
            &good.replace("text", "te\txt"),
            good.trim_end(),
            &format!("{}\r\n", good.trim_end()),
            &format!("{good}more\n"),
        ] {
            // Signatures may be none at all, which nobody trusts.
            let trusted = [key("ada", 1).verifier()];
            let read = Note::parse(bad).and_then(|note| note.verify(&trusted).map(|_| ()));
            assert!(read.is_err(), "{bad}");
        }
        assert!(Note::sign("no end", &key("ada", 1)).is_err());
    }
}
