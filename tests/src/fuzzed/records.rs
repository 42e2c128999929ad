//! What is stored with a hash behind it: tokens, the record of garbage collection, the index of a
//! folder. Each is tried as it is, and with the right hash in place of whatever stands there.

use cas_core::access::{Revocation, Token};
use cas_core::fuzzing;
use cas_core::limits;

use super::with_hash;

pub(super) fn token(bytes: &[u8]) {
    for stored in [bytes, &with_hash(bytes)] {
        if let Ok(token) = Token::from_stored(stored) {
            assert_eq!(token.to_stored(), stored);
            token.check().expect("what is read keeps the rules of what is written");
            assert!(token.scopes.len() <= limits::SCOPES);
            assert!(token.grant().scopes() == token.scopes && stored.len() <= limits::TOKEN_BYTES);
            for scope in &token.scopes {
                assert_eq!(scope.to_string().parse().as_ref(), Ok(scope));
            }
        }
        if let Ok(revocation) = Revocation::from_stored(stored) {
            assert_eq!(revocation.to_stored(), stored);
            assert!(Token::from_stored(stored).is_err(), "both a token and a revocation");
        }
    }
}

pub(super) fn gc_entry(bytes: &[u8]) {
    for stored in [bytes, &with_hash(bytes)] {
        if let Some((again, _)) = fuzzing::gc_entry(stored) {
            assert_eq!(again, stored);
            assert!(stored.len() <= limits::GC_ENTRY_BYTES + 34);
        }
    }
}

/// The first byte says how many records its entry promises.
pub(super) fn gc_part(bytes: &[u8]) {
    const RECORD_BYTES: usize = 33;
    let Some((count, part)) = bytes.split_first() else { return };
    let fits = part.len() == usize::from(*count) * RECORD_BYTES;
    match fuzzing::gc_part(part, u64::from(*count)) {
        Some(records) => assert!(fits && records == part),
        None => assert!(!fits, "{} bytes are {count} records", part.len()),
    }
}

pub(super) fn folder_index(bytes: &[u8]) {
    let mut whole = bytes.to_vec();
    whole.extend(blake3::hash(bytes).as_bytes());
    for stored in [bytes, &whole] {
        if let Some((again, trees)) = fuzzing::folder_index(stored) {
            // Postcard writes what it read, if not always in the same bytes: what it writes it
            // reads and writes the same for ever.
            assert_eq!(fuzzing::folder_index(&again), Some((again, trees)));
        }
    }
}
