//! Writing a stream of objects.

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use zstd::stream::raw::{CParameter, Encoder as Zstd, Operation};

use super::{END, HEAD_BYTES, Head, MAGIC, WireError, frame};
use crate::name::Hash;
use crate::object::Kind;
use crate::store::{ByteStream, StoreError};

/// The level of compression: the best that a small server can do at the speed of its network.
const LEVEL: i32 = 3;

/// The base-2 logarithm of the window in bytes: 2 MiB, so that a stream costs a server little.
const WINDOW_LOG: u32 = 21;

/// Size of a piece of the stream, in bytes, or a little more.
const PIECE_BYTES: usize = 128 * 1024;

/// After how many bytes of objects other tasks have a turn, however well those compress.
const TURN_BYTES: usize = 1024 * 1024;

/// Writes a stream of objects, piece by piece.
///
/// For each object [`begin`](Self::begin), then [`bytes`](Self::bytes) until all are there; at the
/// end [`finish`](Self::finish). What is compressed so far is to be had from [`take`](Self::take).
pub struct Encoder {
    zstd: Zstd<'static>,
    scratch: Box<[u8]>,
    out: Vec<u8>,
    seal: blake3::Hasher,
    count: u64,
    /// The object that is being written, and how many of its bytes are still to come.
    current: Option<(Head, u64)>,
}

impl Encoder {
    /// An empty stream.
    pub fn new() -> Result<Self, WireError> {
        let mut zstd = Zstd::new(LEVEL).map_err(WireError::Compression)?;
        zstd.set_parameter(CParameter::WindowLog(WINDOW_LOG)).map_err(WireError::Compression)?;
        let mut encoder = Self {
            zstd,
            scratch: vec![0; PIECE_BYTES].into(),
            out: Vec::new(),
            seal: blake3::Hasher::new(),
            count: 0,
            current: None,
        };
        encoder.vouched(MAGIC)?;
        Ok(encoder)
    }

    /// Begins an object.
    pub fn begin(&mut self, head: Head) -> Result<(), WireError> {
        self.check_whole()?;
        self.vouched(&head.encode())?;
        self.count += 1;
        self.current = Some((head, head.size));
        Ok(())
    }

    /// Writes bytes of the object that was begun last.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        if let Some((head, left)) = &mut self.current {
            let Some(rest) = left.checked_sub(bytes.len() as u64) else {
                let found = head.size - *left + bytes.len() as u64;
                return Err(misannounced(*head, found));
            };
            *left = rest;
        }
        self.compress(bytes)
    }

    /// What is compressed by now, if it is worth sending.
    pub fn take(&mut self) -> Option<Bytes> {
        (self.out.len() >= PIECE_BYTES).then(|| std::mem::take(&mut self.out).into())
    }

    /// Ends the stream, and returns what was not taken of it.
    pub fn finish(mut self) -> Result<Bytes, WireError> {
        self.check_whole()?;
        let count = self.count;
        let mut seal = self.seal.clone();
        seal.update(&frame(END, &[0; 32], count));
        self.compress(&frame(END, seal.finalize().as_bytes(), count))?;
        loop {
            let mut output = zstd::stream::raw::OutBuffer::around(&mut *self.scratch);
            let left = self.zstd.finish(&mut output, true).map_err(WireError::Compression)?;
            self.out.extend_from_slice(output.as_slice());
            if left == 0 {
                return Ok(self.out.into());
            }
        }
    }

    /// Writes bytes that the seal vouches for.
    fn vouched(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.seal.update(bytes);
        self.compress(bytes)
    }

    fn check_whole(&self) -> Result<(), WireError> {
        match self.current {
            Some((head, left)) if left > 0 => Err(misannounced(head, head.size - left)),
            _ => Ok(()),
        }
    }

    fn compress(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let done = self.zstd.run_on_buffers(bytes, &mut self.scratch);
            let done = done.map_err(WireError::Compression)?;
            bytes = &bytes[done.bytes_read..];
            self.out.extend_from_slice(&self.scratch[..done.bytes_written]);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("count", &self.count).finish_non_exhaustive()
    }
}

fn misannounced(head: Head, found: u64) -> WireError {
    let Head { kind, id, size } = head;
    WireError::Misannounced { kind, id, size, found }
}

/// One object on its way out.
pub struct Outgoing {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: Hash,
    /// Its bytes.
    pub content: ByteStream,
}

/// The stream of these objects, in pieces of a few hundred KiB at most.
///
/// An error of an object ends the stream without an end, so that no reader takes it for whole.
pub fn encode(
    objects: impl Stream<Item = Result<Outgoing, StoreError>> + Send + 'static,
) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let begin = async move {
        let writer = Writer { encoder: Encoder::new()?, objects: objects.boxed(), content: None };
        Ok::<_, StoreError>(futures::stream::try_unfold(Some(writer), next_piece))
    };
    futures::stream::once(begin).try_flatten().boxed()
}

struct Writer {
    encoder: Encoder,
    objects: BoxStream<'static, Result<Outgoing, StoreError>>,
    content: Option<ByteStream>,
}

async fn next_piece(writer: Option<Writer>) -> Result<Option<(Bytes, Option<Writer>)>, StoreError> {
    let Some(mut writer) = writer else { return Ok(None) };
    let mut since_turn = 0;
    loop {
        if let Some(piece) = writer.encoder.take() {
            return Ok(Some((piece, Some(writer))));
        }
        if since_turn >= TURN_BYTES {
            tokio::task::yield_now().await;
            since_turn = 0;
        }
        if let Some(content) = &mut writer.content {
            match content.next().await.transpose()? {
                Some(bytes) => {
                    since_turn += bytes.len();
                    writer.encoder.bytes(&bytes)?;
                }
                None => writer.content = None,
            }
            continue;
        }
        since_turn += HEAD_BYTES;
        match writer.objects.try_next().await? {
            Some(Outgoing { kind, id, content }) => {
                writer.encoder.begin(Head { kind, id, size: content.size })?;
                writer.content = Some(content);
            }
            None => return Ok(Some((writer.encoder.finish()?, None))),
        }
    }
}
