//! Every limit of the formats, in one place, checked when writing and again when reading.
//!
//! A limit here is a promise: raising one is compatible, lowering one makes stored data unreadable.

use std::time::Duration;

use crate::env::Timestamp;

/// Longest name of one directory entry, in bytes. The limit of every common file system.
pub const NAME_BYTES: usize = 255;

/// Longest path inside a book, in bytes. Linux's `PATH_MAX`, so that a checkout can hold it.
pub const PATH_BYTES: usize = 4096;

/// Deepest path inside a book, in segments. Bounds every walk over a tree.
pub const PATH_SEGMENTS: usize = 64;

/// Longest book name, in bytes. Leaves room in a key of 1,024 bytes.
pub const BOOK_BYTES: usize = 100;

/// Longest ref name, in bytes as written.
pub const REF_BYTES: usize = 200;

/// Longest ref name, in bytes as escaped for its key: one file name on any disk.
pub const REF_KEY_BYTES: usize = 255;

/// Longest actor, in bytes. Enough for an e-mail address (254).
pub const ACTOR_BYTES: usize = 255;

/// Longest request id, in bytes.
pub const REQUEST_ID_BYTES: usize = 64;

/// Longest operation name in a ref log entry, in bytes.
pub const OPERATION_BYTES: usize = 32;

/// Most entries in one tree, that is in one directory.
pub const TREE_ENTRIES: usize = 65_536;

/// Largest encoded tree, in bytes: [`TREE_ENTRIES`] entries of the longest names fit.
pub const TREE_BYTES: usize = 24 * 1024 * 1024;

/// Longest commit message, in bytes.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// Most parents of one commit.
pub const PARENTS: usize = 16;

/// Most metadata pairs in one commit or ref log entry.
pub const METADATA_PAIRS: usize = 64;

/// Longest metadata key, in bytes.
pub const METADATA_KEY_BYTES: usize = 64;

/// Longest metadata value, in bytes.
pub const METADATA_VALUE_BYTES: usize = 1024;

/// Largest encoded commit, in bytes: every field at its limit fits.
pub const COMMIT_BYTES: usize = 256 * 1024;

/// Highest position in a ref log: 2^53 - 1, the largest number that every JSON reader keeps exact.
pub const SEQ_MAX: u64 = (1 << 53) - 1;

/// Longest message of a ref log entry, in bytes: a subject line, not a text.
pub const ENTRY_MESSAGE_BYTES: usize = 1024;

/// Largest stored ref log entry, in bytes: every field at its limit fits.
pub const ENTRY_BYTES: usize = 128 * 1024;

/// Largest stored entry of the log of garbage collection, in bytes: some ninety open lists fit.
pub const GC_ENTRY_BYTES: usize = 1024 * 1024;

/// How long an object that nothing reaches is left alone, and how long a list of condemned objects
/// is published before anything on it is deleted. No session of a writer lasts half as long.
pub const GRACE: Duration = Duration::from_hours(24);

/// How long after a look at an object its deletion may still take effect.
pub const DELETE_DEADLINE: Duration = Duration::from_mins(1);

/// Largest format marker, in bytes.
pub const MARKER_BYTES: usize = 1024;

/// Longest pattern of a scope, in bytes.
pub const PATTERN_BYTES: usize = 512;

/// Most scopes of one token: what many need at once is better said with patterns.
pub const SCOPES: usize = 32;

/// Longest note of a token, in bytes.
pub const NOTE_BYTES: usize = 1024;

/// Largest stored token, in bytes: every field at its limit fits.
pub const TOKEN_BYTES: usize = 64 * 1024;

/// Largest stored revocation of a token, in bytes.
pub const REVOCATION_BYTES: usize = 1024;

/// Longest name of a signing key, in bytes: with a signature it fits a metadata value.
pub const KEY_NAME_BYTES: usize = 255;

/// Largest blob, in bytes (1 TiB): below what one S3 or R2 object may hold.
pub const BLOB_BYTES: u64 = 1 << 40;

/// Longest target of a symlink, in bytes.
pub const SYMLINK_BYTES: usize = 4095;

/// Largest blob held whole in memory, in bytes; anything larger is streamed.
pub const WHOLE_BYTES: u64 = 4 * 1024 * 1024;

/// Size of one piece of a streamed blob, in bytes.
pub const CHUNK_BYTES: usize = 1024 * 1024;

/// Fewest hex digits that may stand for an id. 32 bits keep accidents rare.
pub const PREFIX_DIGITS: usize = 8;

/// Refuses work that took half a grace period or longer, by the clock of who did it: what it relies
/// on may be collected. The error is how many hours it may take.
pub(crate) fn check_duration(began: Timestamp, now: Timestamp) -> Result<(), u64> {
    let most = GRACE / 2;
    let took = now.as_micros().saturating_sub(began.as_micros());
    if u128::from(took) < most.as_micros() { Ok(()) } else { Err(most.as_secs() / 3600) }
}
