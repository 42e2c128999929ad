//! `zip`, written from front to back: sizes and checksums follow their content.
//!
//! Everything is deflated, because a reader that goes from front to back can only tell where
//! deflated content ends. What is compressed already, as its name says, is deflated without
//! compressing, which costs five bytes in 64 KiB and a fiftieth of the time.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::time::UtcDateTime;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::MTIME;
use super::contents::Contents;
use super::pieces::{Gone, PIECE_BYTES, Pieces, Sink, pieces};
use crate::object::EntryKind;
use crate::repo::{Leaf, RepoError};
use crate::store::Store;

/// How hard is tried, 1 to 9. On the text of a book 6 saves a fiftieth against 3, for twice the
/// time.
const LEVEL: u32 = 3;

/// Endings of names of what is compressed already.
const COMPRESSED: [&str; 28] = [
    "7z", "aac", "avif", "br", "bz2", "docx", "epub", "flac", "gif", "gz", "heic", "jpeg", "jpg",
    "m4a", "m4v", "mov", "mp3", "mp4", "ogg", "opus", "png", "pptx", "webm", "webp", "woff2",
    "xlsx", "xz", "zip",
];

/// The archive of all leaves.
pub(super) fn stream(store: Store, leaves: Vec<Leaf>) -> Pieces {
    pieces(|sink| write(Contents::new(store, leaves), sink))
}

async fn write(mut contents: Contents, mut sink: Sink) -> Result<(), RepoError> {
    let ready = Ready::default();
    let mut archive = ZipArchiveWriter::new(ready.clone());
    while let Some((leaf, mut content)) = contents.next().await? {
        let file = archive
            .new_file(leaf.path.as_str())
            .compression_method(CompressionMethod::DEFLATE)
            .last_modified(UtcDateTime::from_unix(MTIME.cast_signed()))
            .unix_permissions(mode(leaf.kind));
        let (mut entry, config) = file.start().map_err(failed)?;
        let encoder = DeflateEncoder::new(&mut entry, level(&leaf));
        let mut encoder = config.wrap(encoder);
        let mut equal = EqualPieces::default();
        while let Some(piece) = content.next().await.transpose()? {
            let mut rest = &piece[..];
            while let Some(full) = equal.fill(&mut rest) {
                encoder.write_all(full).map_err(failed)?;
                ready.hand_over(&mut sink).await?;
            }
        }
        encoder.write_all(&equal.buffer).map_err(failed)?;
        let (encoder, descriptor) = encoder.finish().map_err(failed)?;
        encoder.finish().map_err(failed)?;
        entry.finish(descriptor).map_err(failed)?;
        ready.hand_over(&mut sink).await?;
    }
    archive.finish().map_err(failed)?;
    ready.hand_over(&mut sink).await?;
    sink.finish().await?;
    Ok(())
}

/// Bytes of the archive that were not handed over yet.
#[derive(Debug, Clone, Default)]
struct Ready(Arc<Mutex<Vec<u8>>>);

impl Ready {
    async fn hand_over(&self, sink: &mut Sink) -> Result<(), Gone> {
        let mut bytes = std::mem::take(&mut *self.lock());
        let handed_over = sink.write(&bytes).await;
        // The memory is used again.
        bytes.clear();
        *self.lock() = bytes;
        handed_over
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Content in pieces of [`PIECE_BYTES`], however it comes: what a compressor makes of it may
/// depend on how it is fed.
#[derive(Debug, Default)]
struct EqualPieces {
    buffer: Vec<u8>,
    full: bool,
}

impl EqualPieces {
    /// Takes from `rest`; gives a piece when it is full, and nothing when more is needed.
    fn fill(&mut self, rest: &mut &[u8]) -> Option<&[u8]> {
        if self.full {
            self.full = false;
            self.buffer.clear();
        }
        let (taken, left) = rest.split_at(rest.len().min(PIECE_BYTES - self.buffer.len()));
        self.buffer.extend_from_slice(taken);
        *rest = left;
        self.full = self.buffer.len() == PIECE_BYTES;
        self.full.then_some(&self.buffer)
    }
}

fn level(leaf: &Leaf) -> Compression {
    let ending = leaf.path.as_str().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    match ending {
        Some(ending) if COMPRESSED.contains(&ending.as_str()) => Compression::none(),
        _ => Compression::new(LEVEL),
    }
}

const fn mode(kind: EntryKind) -> u32 {
    match kind {
        EntryKind::Symlink => 0o120_777,
        EntryKind::Executable => 0o100_755,
        EntryKind::File | EntryKind::Tree => 0o100_644,
    }
}

/// Writing into memory does not fail; the crates' signatures say that it could.
fn failed(error: impl std::error::Error) -> RepoError {
    RepoError::Internal(format!("cannot write a zip: {error}"))
}
