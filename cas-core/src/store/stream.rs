//! Blobs in pieces, verified as they pass.

use std::io::Read;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use super::StoreError;
use crate::limits;
use crate::name::Hash;

/// The bytes of one object, in pieces of about a mebibyte.
pub struct ByteStream {
    /// How many bytes there are in all.
    pub size: u64,
    /// The pieces. After an error there is nothing more.
    pub pieces: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl ByteStream {
    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        self.pieces.next().await
    }

    /// Bytes that are in memory.
    pub fn from_bytes(bytes: Bytes) -> Self {
        let size = bytes.len() as u64;
        Self { size, pieces: futures::stream::iter([Ok(bytes)]).boxed() }
    }

    /// Everything in memory: of at most a little more than `limit` bytes, whatever comes.
    pub(super) async fn collect(mut self, limit: u64) -> Result<Bytes, StoreError> {
        let Some(first) = self.next().await.transpose()? else {
            return Ok(Bytes::new());
        };
        // Most objects come in one piece, which need not be copied.
        let Some(second) = self.next().await.transpose()? else {
            return Ok(first);
        };
        let mut all = Vec::with_capacity(usize::try_from(self.size.min(limit)).unwrap_or_default());
        all.extend_from_slice(&first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.next().await.transpose()? {
            if all.len() as u64 <= limit {
                all.extend_from_slice(&piece);
            }
        }
        Ok(all.into())
    }

    /// The rest of a file, said to have `size` bytes; `what` names it in errors.
    pub(crate) fn from_file(file: std::fs::File, size: u64, what: &str) -> Self {
        let pieces = FilePieces::new(file, format!("read {what}"));
        Self { size, pieces: futures::stream::iter(pieces).boxed() }
    }

    /// `size` bytes of a file, from `start` on. The file's own position is neither used nor moved, so
    /// that any number of these can be read at once; `what` names it in errors.
    pub(crate) fn from_part(file: std::fs::File, start: u64, size: u64, what: &str) -> Self {
        let action = format!("read {what}");
        let chunk = limits::CHUNK_BYTES as u64;
        let pieces = (0..size.div_ceil(chunk)).map(move |nth| {
            let len = chunk.min(size - nth * chunk);
            let mut piece = vec![0; usize::try_from(len).unwrap_or_default()];
            file.read_exact_at(&mut piece, start + nth * chunk)
                .map_err(StoreError::io(action.clone()))?;
            Ok(piece.into())
        });
        Self { size, pieces: futures::stream::iter(pieces).boxed() }
    }

    /// The same stream, but ending in the error that `fault` makes unless the bytes hash to `id`
    /// and are as many as announced.
    ///
    /// The last piece is held back until it is known to be right, so a consumer that takes the
    /// stream's end for success never sees a wrong object whole.
    pub(super) fn verified(
        self,
        id: Hash,
        fault: impl Fn(String) -> StoreError + Send + Sync + 'static,
    ) -> Self {
        let size = self.size;
        let state = State {
            inner: self.pieces,
            hasher: blake3::Hasher::new(),
            held: None,
            seen: 0,
            done: false,
        };
        let pieces =
            futures::stream::unfold((state, fault), move |(mut state, fault)| async move {
                let item = state.next(&id, size, &fault).await?;
                Some((item, (state, fault)))
            });
        Self { size, pieces: pieces.boxed() }
    }
}

struct State {
    inner: BoxStream<'static, Result<Bytes, StoreError>>,
    hasher: blake3::Hasher,
    held: Option<Bytes>,
    seen: u64,
    done: bool,
}

impl State {
    async fn next(
        &mut self,
        id: &Hash,
        size: u64,
        fault: &(impl Fn(String) -> StoreError + Send + Sync),
    ) -> Option<Result<Bytes, StoreError>> {
        while !self.done {
            match self.inner.next().await {
                Some(Ok(piece)) => {
                    self.seen += piece.len() as u64;
                    if self.seen > size {
                        self.done = true;
                        return Some(Err(fault(format!("longer than its {size} bytes"))));
                    }
                    self.hasher.update(&piece);
                    if let Some(ready) = self.held.replace(piece) {
                        return Some(Ok(ready));
                    }
                }
                Some(Err(error)) => {
                    self.done = true;
                    return Some(Err(error));
                }
                None => {
                    self.done = true;
                    let found = Hash::from_bytes(*self.hasher.finalize().as_bytes());
                    if self.seen != size {
                        return Some(Err(fault(format!("{} bytes instead of {size}", self.seen))));
                    }
                    if found != *id {
                        return Some(Err(fault(format!("its bytes hash to {found}"))));
                    }
                    return self.held.take().map(Ok);
                }
            }
        }
        None
    }
}

/// Reads a file in pieces of [`limits::CHUNK_BYTES`].
struct FilePieces {
    file: std::fs::File,
    action: String,
    done: bool,
}

impl FilePieces {
    /// The rest of `file`; `action` is what cannot be done when reading fails.
    const fn new(file: std::fs::File, action: String) -> Self {
        Self { file, action, done: false }
    }
}

impl Iterator for FilePieces {
    type Item = Result<Bytes, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let mut piece = Vec::with_capacity(limits::CHUNK_BYTES);
        let read = (&self.file).take(limits::CHUNK_BYTES as u64).read_to_end(&mut piece);
        self.done = !matches!(read, Ok(n) if n == limits::CHUNK_BYTES);
        match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(piece.into())),
            Err(error) => Some(Err(StoreError::io(self.action.clone())(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Kind;

    async fn read(pieces: &[&'static [u8]], size: u64, id: Hash) -> Result<Vec<u8>, StoreError> {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let stream = ByteStream { size, pieces: futures::stream::iter(pieces).boxed() };
        let mut stream =
            stream.verified(id, move |reason| StoreError::Damaged { kind: Kind::Blob, id, reason });
        let mut all = Vec::new();
        while let Some(piece) = stream.pieces.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn passes_good_bytes_and_refuses_wrong_short_and_long_ones() {
        let id = Hash::of(b"abcdef");
        assert_eq!(read(&[b"abc", b"def"], 6, id).await.unwrap(), b"abcdef");
        assert_eq!(read(&[], 0, Hash::of(b"")).await.unwrap(), b"");
        assert!(read(&[b"abc", b"deX"], 6, id).await.is_err());
        assert!(read(&[b"abc"], 6, id).await.is_err());
        assert!(read(&[b"abc"], 3, id).await.is_err());
        assert!(read(&[b"abc", b"defg"], 6, id).await.is_err());
    }
}
