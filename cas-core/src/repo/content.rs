//! New file content on its way into the store: hashed, and in memory only when small.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use bytes::Bytes;

use super::RepoError;
use crate::limits;
use crate::name::BlobId;
use crate::store::{ByteStream, Session, StoreError};

/// The bytes of one file, with their id.
#[derive(Debug)]
pub struct Content {
    id: BlobId,
    size: u64,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Memory(Bytes),
    /// An unnamed temporary file.
    File(File),
}

impl Content {
    /// Content that is in memory already.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self { id: BlobId::of(&bytes), size: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    /// Reads everything from `reader`, called `what` in errors; beyond
    /// [`limits::WHOLE_BYTES`] into a temporary file.
    pub fn read(reader: &mut impl Read, what: &str) -> Result<Self, RepoError> {
        let failed = |source| RepoError::Content { what: what.to_owned(), source };
        let mut head = Vec::new();
        reader.take(limits::WHOLE_BYTES + 1).read_to_end(&mut head).map_err(failed)?;
        if head.len() as u64 <= limits::WHOLE_BYTES {
            return Ok(Self::from_bytes(head.into()));
        }
        let mut hashing =
            Hashing { hasher: blake3::Hasher::new(), file: tempfile::tempfile().map_err(failed)? };
        hashing.write_all(&head).map_err(failed)?;
        let size = head.len() as u64 + io::copy(reader, &mut hashing).map_err(failed)?;
        let Hashing { hasher, mut file } = hashing;
        file.rewind().map_err(failed)?;
        let id = BlobId(crate::name::Hash::from_bytes(*hasher.finalize().as_bytes()));
        Ok(Self { id, size, source: Source::File(file) })
    }

    /// The id.
    pub const fn id(&self) -> BlobId {
        self.id
    }

    /// The size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Puts the content into a write session.
    pub(super) async fn put(&self, session: &Session) -> Result<bool, StoreError> {
        match &self.source {
            Source::Memory(bytes) => session.put_blob(bytes.clone()).await.map(|(_, new)| new),
            Source::File(file) => {
                let failed = || StoreError::io("read a temporary file");
                let mut file = file.try_clone().map_err(failed())?;
                file.rewind().map_err(failed())?;
                session
                    .put_blob_stream(
                        self.id,
                        ByteStream::from_file(file, self.size, "a temporary file"),
                    )
                    .await
            }
        }
    }
}

/// Writes to a file and hashes what passes.
struct Hashing {
    hasher: blake3::Hasher,
    file: File,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
