//! New file content on its way into the store: hashed, and in memory only when small.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

use bytes::Bytes;

use super::RepoError;
use crate::limits;
use crate::name::BlobId;
use crate::object::Kind;
use crate::store::{ByteStream, Session, Store, StoreError};

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
    /// The store has it.
    Stored,
}

/// How much is read at once, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Content as it comes, in pieces; beyond [`limits::WHOLE_BYTES`] in a temporary file.
#[derive(Debug, Default)]
pub struct ContentWriter {
    hasher: blake3::Hasher,
    size: u64,
    memory: Vec<u8>,
    file: Option<File>,
}

impl ContentWriter {
    /// Nothing so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes there are so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next piece.
    pub fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.hasher.update(piece);
        self.size += piece.len() as u64;
        if self.size <= limits::WHOLE_BYTES {
            self.memory.extend_from_slice(piece);
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut file = tempfile::tempfile()?;
                file.write_all(&std::mem::take(&mut self.memory))?;
                none.insert(file)
            }
        };
        file.write_all(piece)
    }

    /// The content, with its id.
    pub fn finish(self) -> io::Result<Content> {
        let id = BlobId(crate::name::Hash::from_bytes(*self.hasher.finalize().as_bytes()));
        let source = match self.file {
            None => Source::Memory(self.memory.into()),
            Some(mut file) => {
                file.rewind()?;
                Source::File(file)
            }
        };
        Ok(Content { id, size: self.size, source })
    }
}

impl Content {
    /// The bytes, if they are in memory.
    pub(super) fn in_memory(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Memory(bytes) => Some(bytes),
            Source::File(_) | Source::Stored => None,
        }
    }

    /// Content that is in memory already.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self { id: BlobId::of(&bytes), size: bytes.len() as u64, source: Source::Memory(bytes) }
    }

    /// Reads everything from `reader`, called `what` in errors; beyond
    /// [`limits::WHOLE_BYTES`] into a temporary file.
    pub fn read(reader: &mut impl Read, what: &str) -> Result<Self, RepoError> {
        let failed = |source| RepoError::Content { what: what.to_owned(), source };
        let mut content = ContentWriter::new();
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match reader.read(&mut piece) {
                Ok(0) => return content.finish().map_err(failed),
                Ok(read) => content.write(&piece[..read]).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Content that is in the store already; `None` if it is not.
    pub async fn stored(store: &Store, id: BlobId) -> Result<Option<Self>, StoreError> {
        let size = store.size(Kind::Blob, id.hash()).await?;
        Ok(size.map(|size| Self { id, size, source: Source::Stored }))
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
            Source::Stored if session.contains_blob(self.id, self.size).await? => Ok(false),
            Source::Stored => Err(StoreError::Missing { kind: Kind::Blob, id: *self.id.hash() }),
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
