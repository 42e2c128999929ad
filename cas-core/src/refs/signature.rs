//! A signature of an entry, in its metadata.
//!
//! The pair `signature` holds the name of a key and its signature over everything else of the
//! entry. So the encoding of entries stays what it is, and programs that know nothing of signatures
//! read signed entries as any; the entry's id is over the signature too, so that taking one away
//! breaks the chain.
//!
//! Ids chain entries together, but whoever can write to a store can rewrite a whole chain, all ids
//! included. What they cannot make anew are signatures by a key that they do not have.

use super::RefEntry;
use crate::name::NameError;
use crate::object::Metadata;
use crate::sign::{KeySignature, SigningKey, VerifierKey};

/// The metadata key of the signature.
const KEY: &str = "signature";

/// What every message that is signed as an entry begins with. An entry's encoding follows, whose
/// first byte is never one of UTF-8, so no entry can be taken for the text of a note.
const DOMAIN: &[u8] = b"cas ref log entry v1\n";

/// What an entry's signature is worth to whoever trusts some keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed<'k> {
    /// It is by this key, and of this very entry.
    By(&'k VerifierKey),
    /// There is none.
    Not,
    /// It says that it is by a key that is not trusted.
    ByStranger(String),
    /// It says that it is by a key that is trusted, and is not of this entry.
    Forged(String),
    /// It cannot be read.
    Malformed,
}

impl RefEntry {
    /// The same entry signed by `key`, in place of any signature that it has.
    ///
    /// # Errors
    ///
    /// If there is no room for one more pair of metadata.
    pub fn signed(mut self, key: &SigningKey) -> Result<Self, NameError> {
        let signature = key.sign(&self.message_to_sign());
        self.metadata.insert(KEY, &signature.to_string())?;
        Ok(self)
    }

    /// What the entry's signature is worth to whoever trusts `keys`.
    pub fn signed_by<'k>(&self, keys: &'k [VerifierKey]) -> Signed<'k> {
        let Some(text) = self.metadata.get(KEY) else {
            return Signed::Not;
        };
        let Ok(signature) = KeySignature::parse(text) else {
            return Signed::Malformed;
        };
        // Ids of keys are short: of several with the same, any may have signed.
        let mut named = keys.iter().filter(|key| key.is_named_by(&signature)).peekable();
        if named.peek().is_none() {
            return Signed::ByStranger(signature.signer());
        }
        let message = self.message_to_sign();
        match named.find(|key| key.verifies(&message, &signature)) {
            Some(key) => Signed::By(key),
            None => Signed::Forged(signature.signer()),
        }
    }

    /// What is signed: the domain, and the encoding without the signature.
    fn message_to_sign(&self) -> Vec<u8> {
        let mut unsigned = self.clone();
        unsigned.metadata.remove(KEY);
        [DOMAIN, &unsigned.encode()].concat()
    }
}

/// Whether a metadata key is kept for signatures.
pub(super) fn is_signature(key: &str) -> bool {
    key.starts_with(KEY)
}

/// Refuses metadata of an update that would be taken for a signature: an update is a wish, and an
/// entry is signed by whoever writes it.
pub(super) fn check_unsigned(metadata: &Metadata) -> Result<(), NameError> {
    match metadata.iter().find(|(key, _)| is_signature(key)) {
        Some((key, _)) => {
            let rule = "keys that begin with `signature` are set by whoever writes the entry";
            Err(NameError::new("metadata key", key, rule))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Timestamp;
    use crate::limits;
    use crate::name::{Actor, BookId, CommitId, Operation, RefName, RequestId};
    use crate::sign::KeyName;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(KeyName::parse("books.example.org").unwrap(), [seed; 32])
    }

    fn entry() -> RefEntry {
        let mut metadata = Metadata::new();
        metadata.insert("client", "cas").unwrap();
        metadata.insert("zone", "1").unwrap();
        RefEntry {
            book: BookId::parse("book").unwrap(),
            name: RefName::main(),
            seq: 1,
            previous: None,
            target: Some(CommitId::of(b"c")),
            actor: Actor::parse("ada").unwrap(),
            time: Timestamp::from_micros(7),
            operation: Operation::put(),
            message: "why".to_owned(),
            request_id: RequestId::from_bytes([1; 16]),
            metadata,
        }
    }

    #[test]
    fn invariant_attributed_a_signature_is_of_every_field() {
        let keys = [key(1).verifier()];
        let signed = entry().signed(&key(1)).unwrap();
        assert_eq!(signed.signed_by(&keys), Signed::By(&keys[0]));
        let read = RefEntry::from_stored(&signed.to_stored().1).unwrap().entry;
        assert_eq!(read.signed_by(&keys), Signed::By(&keys[0]));
        let mut added = signed.metadata.clone();
        added.insert("more", "").unwrap();
        let s = || signed.clone();
        for (changed, entry) in [
            ("book", RefEntry { book: BookId::parse("other").unwrap(), ..s() }),
            ("name", RefEntry { name: RefName::parse("other").unwrap(), ..s() }),
            ("position", RefEntry { seq: 2, ..s() }),
            ("previous", RefEntry { previous: Some(crate::name::EntryId::of(b"e")), ..s() }),
            ("target", RefEntry { target: None, ..s() }),
            ("actor", RefEntry { actor: Actor::parse("eve").unwrap(), ..s() }),
            ("time", RefEntry { time: Timestamp::from_micros(8), ..s() }),
            ("operation", RefEntry { operation: Operation::reset(), ..s() }),
            ("message", RefEntry { message: String::new(), ..s() }),
            ("request", RefEntry { request_id: RequestId::from_bytes([2; 16]), ..s() }),
            ("metadata", RefEntry { metadata: added, ..s() }),
        ] {
            assert!(matches!(entry.signed_by(&keys), Signed::Forged(_)), "{changed}");
        }
    }

    #[test]
    fn tells_strangers_and_what_cannot_be_read_apart() {
        let keys = [key(1).verifier()];
        assert_eq!(entry().signed_by(&keys), Signed::Not);
        let by_other = entry().signed(&key(2)).unwrap();
        assert!(matches!(by_other.signed_by(&keys), Signed::ByStranger(_)));
        assert!(matches!(by_other.signed_by(&[]), Signed::ByStranger(_)));
        let mut bad = entry();
        bad.metadata.insert(KEY, "books.example.org").unwrap();
        assert_eq!(bad.signed_by(&keys), Signed::Malformed);
        // Signed again, it is as if it had been signed once.
        let again = by_other.signed(&key(1)).unwrap();
        assert_eq!(again, entry().signed(&key(1)).unwrap());
    }

    #[test]
    fn the_longest_signature_fits_and_an_update_cannot_bring_one() {
        let name = KeyName::parse(&"n".repeat(limits::KEY_NAME_BYTES)).unwrap();
        let signed = entry().signed(&SigningKey::from_seed(name, [1; 32])).unwrap();
        assert!(check_unsigned(&entry().metadata).is_ok());
        let error = check_unsigned(&signed.metadata).unwrap_err();
        assert!(error.to_string().contains("\"signature\""), "{error}");
        let mut full = entry();
        for n in 0..limits::METADATA_PAIRS - 2 {
            full.metadata.insert(&format!("k{n}"), "").unwrap();
        }
        assert!(full.signed(&key(1)).is_err());
    }
}
