//! The format marker, and opening and making stores.

use bytes::Bytes;
use object_store::path::Path as Key;

use super::bucket::Put;
use super::{Bucket, StoreError, layout};
use crate::env::{Env, Timestamp};
use crate::limits;
use crate::object::codec::{self, DecodeError};

/// The version of the whole layout that this program reads and writes.
const VERSION: u64 = 1;

/// How often the marker is put while the bucket refuses it although nothing is there.
const PUT_ATTEMPTS: usize = 8;

/// The hash that names objects.
const HASH: &str = "blake3";

/// What `cas-format` says: version, hash name, when the store was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// When the store was made.
    pub created_at: Timestamp,
}

impl Marker {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(&(VERSION, HASH, self.created_at))
    }

    /// Reads the canonical encoding. A newer version is refused by its number alone, whatever
    /// follows it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, hash, created_at): (u64, String, Timestamp) =
            codec::decode_version(bytes, limits::MARKER_BYTES, VERSION)?;
        if hash != HASH {
            return Err(DecodeError::Rule(format!("objects are named by {hash:?}, not {HASH:?}")));
        }
        Ok(Self { created_at })
    }
}

/// Opens the store in `bucket`, which must be one of a version known here.
///
/// `location` is only shown in errors.
pub async fn open(bucket: &Bucket, location: &str) -> Result<Marker, StoreError> {
    match read(bucket, location).await? {
        Some(marker) => Ok(marker),
        None => Err(StoreError::NoStore { location: location.to_owned() }),
    }
}

/// Makes a store in `bucket`, which must be empty; one that is there already is opened. Returns
/// whether it was made.
pub async fn create(
    bucket: &Bucket,
    location: &str,
    env: &Env,
) -> Result<(Marker, bool), StoreError> {
    if let Some(marker) = read(bucket, location).await? {
        return Ok((marker, false));
    }
    if !bucket.is_empty().await? {
        return Err(StoreError::NotEmpty { location: location.to_owned() });
    }
    let marker = Marker { created_at: env.clock.now() };
    let bytes = Bytes::from(marker.encode());
    for _ in 0..PUT_ATTEMPTS {
        let put = bucket.put_if_absent(&Key::from(layout::MARKER), bytes.clone()).await?;
        // Refused: another process made the store a moment ago, or our own put was repeated.
        if let Some(found) = read(bucket, location).await? {
            let made = put == Put::Created || found == marker;
            return Ok((found, made));
        }
        // Refused, and yet nothing there: racing puts were told to try again.
    }
    Err(StoreError::NoStore { location: location.to_owned() })
}

async fn read(bucket: &Bucket, location: &str) -> Result<Option<Marker>, StoreError> {
    let bad = |source| StoreError::BadMarker { location: location.to_owned(), source };
    match bucket.read(&Key::from(layout::MARKER), limits::MARKER_BYTES as u64).await? {
        None => Ok(None),
        Some(Ok(bytes)) => Marker::decode(&bytes).map(Some).map_err(bad),
        Some(Err(size)) => {
            let len = usize::try_from(size).unwrap_or(usize::MAX);
            Err(bad(DecodeError::TooLong { len, limit: limits::MARKER_BYTES }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_and_refuses_other_versions_and_hashes() {
        let marker = Marker { created_at: Timestamp::from_micros(5) };
        assert_eq!(Marker::decode(&marker.encode()).unwrap(), marker);
        let newer = codec::encode(&(2_u64, "blake3", 5_u64, "more"));
        assert_eq!(Marker::decode(&newer), Err(DecodeError::UnknownVersion { found: 2, known: 1 }));
        assert!(Marker::decode(&codec::encode(&(1_u64, "sha256", 5_u64))).is_err());
        assert!(Marker::decode(b"").is_err());
    }
}
