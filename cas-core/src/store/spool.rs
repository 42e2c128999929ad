//! A large blob, verified before anybody reads it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures::StreamExt;

use super::{ByteStream, StoreError};

/// A whole verified blob: in memory when small, in an unnamed temporary file when not.
#[derive(Debug)]
pub enum Spooled {
    /// A small blob.
    Memory(Bytes),
    /// A large one; the file is positioned at its start.
    File(File),
}

impl Spooled {
    /// Writes a verified stream to a temporary file, and only then hands it over.
    pub(super) async fn from_stream(mut stream: ByteStream) -> Result<Self, StoreError> {
        let failed = || StoreError::io("write a temporary file");
        let mut file = tempfile::tempfile().map_err(failed())?;
        while let Some(piece) = stream.pieces.next().await {
            file.write_all(&piece?).map_err(failed())?;
        }
        file.rewind().map_err(failed())?;
        Ok(Self::File(file))
    }

    /// The bytes of `range`, which lies within the blob, in pieces.
    pub fn range(&self, range: RangeInclusive<u64>) -> Result<ByteStream, StoreError> {
        let size = range.end() - range.start() + 1;
        match self {
            Self::Memory(_) => Ok(ByteStream::from_bytes(self.read_range(&range)?)),
            Self::File(file) => {
                // A clone shares the position of the file, which is therefore left alone.
                let file = file.try_clone().map_err(StoreError::io("read a temporary file"))?;
                Ok(ByteStream::from_part(file, *range.start(), size, "a temporary file"))
            }
        }
    }

    /// The bytes of `range`, which lies within the blob, all in memory.
    pub fn read_range(&self, range: &RangeInclusive<u64>) -> Result<Bytes, StoreError> {
        let failed = || StoreError::io("read a temporary file");
        let position = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self {
            Self::Memory(bytes) => {
                let (start, end) = (position(*range.start()), position(range.end() + 1));
                let slice = bytes.get(start..end);
                slice.map(|slice| bytes.slice_ref(slice)).ok_or_else(|| {
                    StoreError::io("read a range")(io::ErrorKind::UnexpectedEof.into())
                })
            }
            Self::File(file) => {
                let size = range.end() - range.start() + 1;
                let mut bytes = vec![0; position(size)];
                file.read_exact_at(&mut bytes, *range.start()).map_err(failed())?;
                Ok(bytes.into())
            }
        }
    }

    /// Everything, of `size` bytes, in pieces; as often as is asked.
    pub(super) fn pieces(&self, size: u64) -> Result<ByteStream, StoreError> {
        match size.checked_sub(1) {
            Some(last) => self.range(0..=last),
            None => Ok(ByteStream::from_bytes(Bytes::new())),
        }
    }

    /// Copies everything to `out`.
    pub fn copy_to(self, out: &mut impl Write) -> io::Result<u64> {
        match self {
            Self::Memory(bytes) => {
                out.write_all(&bytes)?;
                Ok(bytes.len() as u64)
            }
            Self::File(mut file) => io::copy(&mut file, out),
        }
    }

    /// Everything in memory, if it has at most `limit` bytes.
    pub fn into_bytes(self, limit: u64) -> io::Result<Option<Bytes>> {
        match self {
            Self::Memory(bytes) => Ok((bytes.len() as u64 <= limit).then_some(bytes)),
            Self::File(file) => {
                if file.metadata()?.len() > limit {
                    return Ok(None);
                }
                let mut bytes = Vec::new();
                file.take(limit).read_to_end(&mut bytes)?;
                Ok(Some(bytes.into()))
            }
        }
    }
}
