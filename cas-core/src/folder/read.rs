//! Reading a file that somebody may be writing.

use std::fs::File;
use std::io::{self, Read, Seek};

use bytes::Bytes;

use super::handle::Handle;
use super::stat::{Fingerprint, Tick};
use crate::limits;
use crate::name::{BlobId, Hash};
use crate::object::EntryKind;
use crate::repo::Side;

/// How often a file that changes while it is read is read again.
const ATTEMPTS: usize = 3;

/// A file's content, all of one moment.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) content: Side,
    pub(super) stat: Fingerprint,
    /// When the content was known to belong to the status.
    pub(super) seen: Tick,
    pub(super) data: Data,
}

/// The content itself.
#[derive(Debug)]
pub(super) enum Data {
    /// A small file, or a symlink's target.
    Whole(Bytes),
    /// A large file, open at its start; it may still change.
    Large(File),
}

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// It changed each time it was read.
    Changed,
    /// It is not what it was when the folder was listed: gone, or of another type.
    Gone,
    /// The system failed.
    Io(io::Error),
}

impl From<io::Error> for ReadFault {
    fn from(error: io::Error) -> Self {
        let is_link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Gone,
            _ if is_link => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

/// Reads and hashes the file or symlink at `path` below `root`.
///
/// Its status is taken before and after: when the two differ it changed meanwhile, and what was
/// read may be of two moments. It is then read again, and in the end refused.
pub(super) fn read_file(root: &Handle, path: &str, kind: EntryKind) -> Result<ReadFile, ReadFault> {
    for _ in 0..ATTEMPTS {
        let seen = Tick::now();
        let read = if kind == EntryKind::Symlink {
            read_link(root, path)?
        } else {
            read_once(root, path)?
        };
        if let Some((id, stat, data)) = read {
            let kind = stat
                .kind()
                .filter(|found| (*found == EntryKind::Symlink) == (kind == EntryKind::Symlink));
            let kind = kind.ok_or(ReadFault::Gone)?;
            let size = match &data {
                Data::Whole(bytes) => bytes.len() as u64,
                Data::Large(_) => stat.size,
            };
            return Ok(ReadFile { content: Side { kind, id, size }, stat, seen, data });
        }
    }
    Err(ReadFault::Changed)
}

/// One reading; `None` if the file changed meanwhile.
fn read_once(root: &Handle, path: &str) -> Result<Option<(BlobId, Fingerprint, Data)>, ReadFault> {
    let mut file = root.read(path)?;
    let before = fingerprint(&file)?;
    if !matches!(before.kind(), Some(EntryKind::File | EntryKind::Executable)) {
        return Err(ReadFault::Gone);
    }
    let (id, size, data) = if before.size <= limits::WHOLE_BYTES {
        // What came since shows in the status below.
        let mut bytes = Vec::with_capacity(usize::try_from(before.size).unwrap_or_default());
        (&file).take(before.size).read_to_end(&mut bytes)?;
        let bytes = Bytes::from(bytes);
        (BlobId::of(&bytes), bytes.len() as u64, Data::Whole(bytes))
    } else {
        let (id, size) = hash(&mut file)?;
        file.rewind()?;
        (id, size, Data::Large(file.try_clone()?))
    };
    let unchanged = size == before.size && fingerprint(&file)? == before;
    Ok(unchanged.then_some((id, before, data)))
}

fn read_link(root: &Handle, path: &str) -> Result<Option<(BlobId, Fingerprint, Data)>, ReadFault> {
    let before = root.stat(path)?.ok_or(ReadFault::Gone)?;
    let target = match root.read_link(path) {
        Ok(target) => Bytes::from(target),
        // It is something else by now.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(ReadFault::Gone),
        Err(error) => return Err(error.into()),
    };
    let unchanged = root.stat(path)?.as_ref() == Some(&before);
    // A link's length in its status is that of its target, but not on every file system.
    Ok(unchanged.then_some((BlobId::of(&target), before, Data::Whole(target))))
}

/// The id and length of the rest of a file, in pieces of [`limits::CHUNK_BYTES`].
pub(super) fn hash(file: &mut File) -> io::Result<(BlobId, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; limits::CHUNK_BYTES];
    let mut size = 0;
    loop {
        match file.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&piece[..read]);
                size += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok((BlobId(Hash::from_bytes(*hasher.finalize().as_bytes())), size))
}

fn fingerprint(file: &File) -> io::Result<Fingerprint> {
    Ok(Fingerprint::new(&rustix::fs::fstat(file)?))
}
