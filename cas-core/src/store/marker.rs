//! The format marker, and opening and making stores.

use bytes::Bytes;
use object_store::path::Path as Key;

use super::bucket::Put;
use super::{Bucket, StoreError, layout};
use crate::env::{Env, Timestamp};
use crate::limits;
use crate::object::codec::{self, DecodeError};

/// The version of the whole layout: of every store whose bucket is fit for any number of writers.
const VERSION: u64 = 1;

/// The version of a marker that restricts who may write. A program that does not know of the
/// restriction must not open the store, so it is a version of its own.
const RESTRICTED_VERSION: u64 = 2;

/// How often the marker is put while the bucket refuses it although nothing is there.
const PUT_ATTEMPTS: u32 = 8;

/// The hash that names objects.
const HASH: &str = "blake3";

/// What `cas-format` says: version, hash name, when the store was made, and who may write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// When the store was made.
    pub created_at: Timestamp,
    /// Who may write.
    pub writers: Writers,
}

/// Who may write to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Anybody, at once: the bucket has put-if-absent.
    Any,
    /// One at a time, as somebody promised: the bucket has no put-if-absent.
    One,
    /// Nobody: the bucket has no put-if-absent, and nobody promised anything.
    Nobody,
}

impl Writers {
    /// The word for it: `any`, `one` or `nobody`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::One => "one",
            Self::Nobody => "nobody",
        }
    }
}

impl Marker {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        match self.writers {
            Writers::Any => codec::encode(&(VERSION, HASH, self.created_at)),
            writers => {
                codec::encode(&(RESTRICTED_VERSION, HASH, self.created_at, writers.as_str()))
            }
        }
    }

    /// Reads the canonical encoding. A newer version is refused by its number alone, whatever
    /// follows it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (hash, created_at, writers) = match codec::leading_version(bytes) {
            Some(RESTRICTED_VERSION) => {
                let (_, hash, created_at, writers): (u64, String, Timestamp, String) =
                    codec::decode(bytes, limits::MARKER_BYTES)?;
                (hash, created_at, restricted(&writers)?)
            }
            Some(found) if found > RESTRICTED_VERSION => {
                return Err(DecodeError::UnknownVersion { found, known: RESTRICTED_VERSION });
            }
            _ => {
                let (_, hash, created_at): (u64, String, Timestamp) =
                    codec::decode_version(bytes, limits::MARKER_BYTES, VERSION)?;
                (hash, created_at, Writers::Any)
            }
        };
        if hash != HASH {
            return Err(DecodeError::Rule(format!("objects are named by {hash:?}, not {HASH:?}")));
        }
        Ok(Self { created_at, writers })
    }
}

/// Who may write, as a restricted marker says it.
fn restricted(text: &str) -> Result<Writers, DecodeError> {
    let mut known = [Writers::One, Writers::Nobody].into_iter();
    known.find(|writers| writers.as_str() == text).ok_or_else(|| {
        DecodeError::Rule(format!(
            "a marker of format version 2 names \"one\" writer or \"nobody\", not {text:?}"
        ))
    })
}

/// Opens the store in `bucket`, which must be one of a version known here. A store that nobody may
/// write to is closed for writing in this bucket and all its clones.
///
/// `location` is only shown in errors.
pub async fn open(bucket: &Bucket, location: &str) -> Result<Marker, StoreError> {
    Ok(met(bucket, location, look(bucket, location).await?))
}

/// The marker of the store in `bucket`, without opening it: whoever proves the bucket or lifts a
/// restriction writes to it whatever the marker says.
pub async fn look(bucket: &Bucket, location: &str) -> Result<Marker, StoreError> {
    let Some(marker) = read(bucket, location).await? else {
        // Absent, or is there no bucket at all? A list tells.
        bucket.first_below(&Key::from(layout::REFS)).await?;
        return Err(StoreError::NoStore { location: location.to_owned() });
    };
    Ok(marker)
}

/// Notes in `bucket` what its marker says.
fn met(bucket: &Bucket, location: &str, marker: Marker) -> Marker {
    bucket.saw_marker(location);
    if marker.writers == Writers::Nobody {
        bucket.close();
    }
    marker
}

/// Makes a store in `bucket`, which must be empty; one that is there already is opened. Returns
/// whether it was made.
///
/// Whether the bucket is fit for a store is not asked here: see [`examine`](super::examine).
pub async fn create(
    bucket: &Bucket,
    location: &str,
    writers: Writers,
    env: &Env,
) -> Result<(Marker, bool), StoreError> {
    if let Some(marker) = read(bucket, location).await? {
        return Ok((met(bucket, location, marker), false));
    }
    if !bucket.is_empty().await? {
        // What is there may be the store that another process made a moment ago.
        let Some(marker) = read(bucket, location).await? else {
            return Err(StoreError::NotEmpty { location: location.to_owned() });
        };
        return Ok((met(bucket, location, marker), false));
    }
    let marker = Marker { created_at: env.clock.now(), writers };
    let bytes = Bytes::from(marker.encode());
    for attempt in 0..PUT_ATTEMPTS {
        let put = bucket.put_if_absent(&Key::from(layout::MARKER), bytes.clone()).await?;
        // Refused: another process made the store a moment ago, or our own put was repeated.
        if let Some(found) = read(bucket, location).await? {
            let made = put == Put::Created || found == marker;
            return Ok((met(bucket, location, found), made));
        }
        // Refused, and yet nothing there: racing puts were told to try again.
        tokio::time::sleep(env.backoff(attempt)).await;
    }
    Err(StoreError::NoStore { location: location.to_owned() })
}

/// Records who may write to a store that is there. Returns its marker.
pub async fn restrict(
    bucket: &Bucket,
    location: &str,
    writers: Writers,
) -> Result<Marker, StoreError> {
    let Some(marker) = read(bucket, location).await? else {
        return Err(StoreError::NoStore { location: location.to_owned() });
    };
    let marker = Marker { writers, ..marker };
    bucket.put(&Key::from(layout::MARKER), marker.encode().into()).await?;
    Ok(marker)
}

/// The marker of the store in `bucket`; `None` if there is no store.
pub(super) async fn read(bucket: &Bucket, location: &str) -> Result<Option<Marker>, StoreError> {
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
        for writers in [Writers::Any, Writers::One, Writers::Nobody] {
            let marker = Marker { created_at: Timestamp::from_micros(5), writers };
            assert_eq!(Marker::decode(&marker.encode()).unwrap(), marker);
        }
        let newer = codec::encode(&(3_u64, "blake3", 5_u64, "more"));
        assert_eq!(Marker::decode(&newer), Err(DecodeError::UnknownVersion { found: 3, known: 2 }));
        assert!(Marker::decode(&codec::encode(&(1_u64, "sha256", 5_u64))).is_err());
        assert!(Marker::decode(&codec::encode(&(2_u64, "blake3", 5_u64, "any"))).is_err());
        assert!(Marker::decode(b"").is_err());
    }
}
