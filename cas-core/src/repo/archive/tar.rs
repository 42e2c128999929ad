//! `tar`, with every offset known before anything is read.
//!
//! POSIX `ustar` headers; a name that is not ASCII or longer than a header holds, and a longer
//! target of a symlink, are said in a `pax` header before it (POSIX.1-2024, *pax*, "pax Header
//! Block"). A size beyond 8 GiB is written in base 256, which every tar in use reads.

use std::ops::Range;

use tar::{EntryType, Header};

use super::pieces::{Gone, Pieces, Sink, pieces};
use super::{MTIME, contents::Contents};
use crate::object::EntryKind;
use crate::repo::{Leaf, RepoError};
use crate::store::{ByteStream, Store};

/// Everything in a tar is padded to blocks of this many bytes.
const BLOCK: u64 = 512;

/// Two blocks of zeros end the archive.
const END_BYTES: u64 = 2 * BLOCK;

/// What fits into a header's field for a name, and for a target, in bytes.
const FIELD_BYTES: usize = 100;

/// The name that a pax header itself goes by.
const PAX_NAME: &[u8] = b"././@PaxHeader";

/// How long the whole archive is; `None` beyond what a number holds.
pub(super) fn length(leaves: &[Leaf]) -> Option<u64> {
    leaves.iter().try_fold(END_BYTES, |sum, leaf| sum.checked_add(entry_length(leaf)?))
}

/// The bytes of the archive in `range`, which is inside it.
///
/// What comes before is not read, but for the blob in which the range begins; that in which it
/// ends is read to its end, so that everything that is handed over is verified.
pub(super) fn stream(store: Store, leaves: Vec<Leaf>, range: Range<u64>) -> Pieces {
    let mut start = range.start;
    let mut wanted = Vec::with_capacity(leaves.len());
    // Where the entry begins, counted from the first one that is wanted.
    let mut at = 0;
    for leaf in leaves {
        // The whole length is a number, so those of its parts are.
        let length = entry_length(&leaf).unwrap_or_default();
        if at >= range.end || range.is_empty() {
            break;
        }
        if at + length > range.start {
            wanted.push(leaf);
        } else {
            start -= length;
        }
        at += length;
    }
    let window = start..start + (range.end - range.start);
    let contents = Contents::new(store, wanted);
    pieces(|sink| write(contents, Window { sink, at: 0, range: window }))
}

/// Writes the entries of all contents and the end of the archive.
async fn write(mut contents: Contents, mut out: Window) -> Result<(), RepoError> {
    while let Some((leaf, content)) = contents.next().await? {
        entry(&leaf, content, &mut out).await?;
    }
    out.zeros(END_BYTES).await?;
    out.sink.finish().await?;
    Ok(())
}

async fn entry(leaf: &Leaf, mut content: ByteStream, out: &mut Window) -> Result<(), RepoError> {
    if leaf.kind == EntryKind::Symlink {
        let mut target = Vec::new();
        while let Some(piece) = content.next().await.transpose()? {
            target.extend_from_slice(&piece);
        }
        out.write(&headers(leaf, &target)).await?;
        return Ok(());
    }
    out.write(&headers(leaf, b"")).await?;
    while let Some(piece) = content.next().await.transpose()? {
        out.write(&piece).await?;
    }
    out.zeros(padding(leaf.size)).await?;
    Ok(())
}

/// The archive's bytes, of which only a range goes on.
#[derive(Debug)]
struct Window {
    sink: Sink,
    /// How many bytes came so far.
    at: u64,
    range: Range<u64>,
}

impl Window {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let inside = |at: u64| {
            let offset = at.saturating_sub(self.at);
            usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()))
        };
        let (from, to) = (inside(self.range.start), inside(self.range.end));
        self.at += bytes.len() as u64;
        self.sink.write(&bytes[from..to]).await
    }

    async fn zeros(&mut self, count: u64) -> Result<(), Gone> {
        // Nothing is padded by more than the archive's end.
        const ZEROS: [u8; 1024] = [0; 1024];
        let count = usize::try_from(count).map_or(ZEROS.len(), |count| count.min(ZEROS.len()));
        self.write(&ZEROS[..count]).await
    }
}

/// How long the entry of a leaf is, with its headers and padding; it can be told without its
/// content.
fn entry_length(leaf: &Leaf) -> Option<u64> {
    let is_link = leaf.kind == EntryKind::Symlink;
    let mut length = BLOCK;
    let path = leaf.path.as_str();
    let mut records = 0;
    if !fits(path.as_bytes()) {
        records += record_length("path", path.len());
    }
    if is_link && leaf.size > FIELD_BYTES as u64 {
        records += record_length("linkpath", usize::try_from(leaf.size).ok()?);
    }
    if records > 0 {
        length += BLOCK + padded(records as u64)?;
    }
    if is_link { Some(length) } else { length.checked_add(padded(leaf.size)?) }
}

/// The header of a leaf, and the pax header before it if it needs one. `target` is where a
/// symlink points; its length is the leaf's size.
fn headers(leaf: &Leaf, target: &[u8]) -> Vec<u8> {
    let path = leaf.path.as_str().as_bytes();
    let mut records = Vec::new();
    if !fits(path) {
        records.extend(record("path", path));
    }
    if target.len() > FIELD_BYTES {
        records.extend(record("linkpath", target));
    }
    let mut bytes = Vec::new();
    if !records.is_empty() {
        let size = records.len() as u64;
        bytes.extend(header(EntryType::XHeader, PAX_NAME, b"", 0o644, size).as_bytes());
        bytes.extend(&records);
        bytes.resize(bytes.len() + usize::try_from(padding(size)).unwrap_or_default(), 0);
    }
    let (kind, mode, size) = match leaf.kind {
        EntryKind::Symlink => (EntryType::Symlink, 0o777, 0),
        EntryKind::Executable => (EntryType::Regular, 0o755, leaf.size),
        EntryKind::File | EntryKind::Tree => (EntryType::Regular, 0o644, leaf.size),
    };
    bytes.extend(header(kind, path, target, mode, size).as_bytes());
    bytes
}

/// One header. What does not fit is cut; a pax header has told it whole.
fn header(kind: EntryType, path: &[u8], target: &[u8], mode: u32, size: u64) -> Header {
    let mut header = Header::new_ustar();
    let fields = header.as_old_mut();
    for (field, value) in [(&mut fields.name, path), (&mut fields.linkname, target)] {
        let length = value.len().min(FIELD_BYTES);
        field[..length].copy_from_slice(&value[..length]);
    }
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    header
}

/// Whether a name needs no pax header: readers disagree about the encoding of any but ASCII.
fn fits(path: &[u8]) -> bool {
    path.len() <= FIELD_BYTES && path.is_ascii()
}

/// One pax record: its own length, a space, the keyword, `=`, the value, a line feed.
fn record(keyword: &str, value: &[u8]) -> Vec<u8> {
    let length = record_length(keyword, value.len());
    let mut bytes = format!("{length} {keyword}=").into_bytes();
    bytes.extend_from_slice(value);
    bytes.push(b'\n');
    bytes
}

/// The length of a record, which counts its own digits.
fn record_length(keyword: &str, value: usize) -> usize {
    let rest = keyword.len() + value + 3;
    let digits = |n: usize| n.to_string().len();
    // Adding the digits may add one more.
    rest + digits(rest + digits(rest))
}

const fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

fn padded(size: u64) -> Option<u64> {
    size.checked_next_multiple_of(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{BlobId, BookPath};

    #[test]
    fn a_record_counts_itself() {
        for value in 0..2000 {
            let value = vec![b'x'; value];
            let bytes = record("path", &value);
            let said = String::from_utf8_lossy(&bytes);
            let said: usize = said.split_once(' ').unwrap().0.parse().unwrap();
            assert_eq!((said, bytes.len()), (bytes.len(), record_length("path", value.len())));
        }
    }

    #[test]
    fn headers_are_as_long_as_was_said_before_reading() {
        let names = ["a".to_owned(), "é".to_owned(), "a".repeat(100), ["a"; 64].join("/")];
        for name in names.into_iter().chain([200, 255].map(|n| format!("b/{}", "c".repeat(n)))) {
            for size in [1_usize, 99, 100, 101, 511, 512, 513, 4095] {
                let path = BookPath::parse(&name).unwrap();
                let id = BlobId::of(b"");
                let kind = EntryKind::Symlink;
                let link = Leaf { path: path.clone(), kind, id, size: size as u64 };
                let written = headers(&link, &vec![b't'; size]).len() as u64;
                assert_eq!(Some(written), entry_length(&link), "{name} {size}");
                let file = Leaf { kind: EntryKind::File, ..link };
                let written = headers(&file, b"").len() as u64;
                assert_eq!(Some(written + padded(file.size).unwrap()), entry_length(&file));
            }
        }
    }
}
