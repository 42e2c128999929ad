//! Deterministic CBOR (RFC 8949 section 4.2.1), and the only file that names the CBOR crate.
//!
//! Values are arrays and scalars: definite lengths, shortest integers, no floats, no tags, no
//! maps. `decode(b)` is an error unless `encode(decode(b)) == b`, so every value has exactly one
//! encoding and one id.

use serde::Serialize;
use serde::de::Deserialize;

use crate::name::NameError;

/// Bytes that are not the canonical encoding of a value of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// More bytes than any value of this type may take.
    #[error("encoding has {len} bytes, over the limit of {limit}")]
    TooLong {
        /// How many there are.
        len: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Not CBOR of the expected shape.
    #[error("not the expected CBOR: {reason}")]
    Malformed {
        /// What the CBOR reader says.
        reason: String,
    },
    /// The right value in the wrong encoding.
    #[error("encoding is not canonical")]
    NotCanonical,
    /// A format version that this program does not know.
    #[error("format version {found} is not known here (known: {known})")]
    UnknownVersion {
        /// The version in the bytes.
        found: u64,
        /// The version that this program reads.
        known: u64,
    },
    /// A field that breaks its rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value that breaks a rule across fields.
    #[error("{0}")]
    Rule(String),
}

/// The canonical bytes of `value`.
///
/// # Panics
///
/// Never for the values of this crate, which are arrays and scalars: those always encode.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_into(Vec::new(), value)
}

/// The same at the end of `bytes`.
fn encode_into<T: Serialize>(mut bytes: Vec<u8>, value: &T) -> Vec<u8> {
    serde_cbor::to_writer(&mut bytes, value).expect("values of arrays and scalars always encode");
    bytes
}

/// Reads `bytes` as a `T`, at most `limit` bytes long, and only in its canonical encoding.
pub fn decode<'a, T: Serialize + Deserialize<'a>>(
    bytes: &'a [u8],
    limit: usize,
) -> Result<T, DecodeError> {
    if bytes.len() > limit {
        return Err(DecodeError::TooLong { len: bytes.len(), limit });
    }
    let value: T = serde_cbor::from_slice(bytes)
        .map_err(|error| DecodeError::Malformed { reason: error.to_string() })?;
    if encode_into(Vec::with_capacity(bytes.len()), &value) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(value)
}

/// Reads `bytes` as a `T` whose first field is the format version `known`.
///
/// Another version is refused by its number alone, whatever follows it, so that the error says
/// what is the matter.
pub fn decode_version<'a, T: Serialize + Deserialize<'a>>(
    bytes: &'a [u8],
    limit: usize,
    known: u64,
) -> Result<T, DecodeError> {
    if let Some(found) = leading_version(bytes) {
        check_version(found, known)?;
    }
    decode(bytes, limit)
}

/// The number at the start of an array, if `bytes` begin so.
pub(crate) fn leading_version(bytes: &[u8]) -> Option<u64> {
    let (array, rest) = head(bytes)?;
    let (number, _) = head(rest)?;
    (array.0 == 4 && number.0 == 0).then_some(number.1)
}

/// Major type and argument of the first CBOR item (RFC 8949 section 3), and what follows them.
fn head(bytes: &[u8]) -> Option<((u8, u64), &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (major, info) = (first >> 5, first & 0x1f);
    let width = match info {
        0..=23 => return Some(((major, u64::from(info)), rest)),
        24..=27 => 1_usize << (info - 24),
        _ => return None,
    };
    let (argument, rest) = rest.split_at_checked(width)?;
    Some(((major, argument.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))), rest))
}

/// Refuses a format version other than the one known here.
fn check_version(found: u64, known: u64) -> Result<(), DecodeError> {
    if found == known { Ok(()) } else { Err(DecodeError::UnknownVersion { found, known }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_arrays_with_shortest_integers() {
        assert_eq!(encode(&(1_u64, "a", Option::<u64>::None)), [0x83, 0x01, 0x61, b'a', 0xf6]);
        assert_eq!(encode(&(23_u64, 24_u64, 256_u64)), [0x83, 0x17, 0x18, 24, 0x19, 1, 0]);
    }

    #[test]
    fn rejects_every_encoding_but_the_canonical_one() {
        type Pair = (u64, String);
        let good = encode(&(1_u64, "a"));
        assert!(decode::<Pair>(&good, 100).is_ok());
        let long_integer = [0x82, 0x18, 0x01, 0x61, b'a'];
        let indefinite_array = [0x9f, 0x01, 0x61, b'a', 0xff];
        let indefinite_text = [0x82, 0x01, 0x7f, 0x61, b'a', 0xff];
        let tagged = [0xc0, 0x82, 0x01, 0x61, b'a'];
        let trailing = [0x82, 0x01, 0x61, b'a', 0x00];
        let short = [0x82, 0x01, 0x61];
        let longer_array = [0x83, 0x01, 0x61, b'a', 0x00];
        for bad in [
            &long_integer[..],
            &indefinite_array,
            &indefinite_text,
            &tagged,
            &trailing,
            &short,
            &longer_array,
            &[],
        ] {
            assert!(decode::<Pair>(bad, 100).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn another_version_is_named_whatever_its_shape() {
        for (version, bytes) in [
            (2, encode(&(2_u64, "other", "shape"))),
            (300, encode(&(300_u64,))),
            (1 << 40, encode(&(1_u64 << 40, 1_u64))),
        ] {
            let error = decode_version::<(u64, String)>(&bytes, 100, 1).unwrap_err();
            assert_eq!(error, DecodeError::UnknownVersion { found: version, known: 1 });
        }
        assert!(decode_version::<(u64, String)>(&encode(&(1_u64, "a")), 100, 1).is_ok());
    }

    #[test]
    fn claimed_lengths_do_not_decide_an_allocation() {
        // An array said to have 2^60 items in a message of 10 bytes.
        let hostile = [0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0, 0x01];
        assert!(decode::<Vec<u64>>(&hostile, 100).is_err());
        assert!(matches!(decode::<Vec<u64>>(&[0; 101], 100), Err(DecodeError::TooLong { .. })));
    }
}
