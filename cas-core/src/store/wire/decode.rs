//! Reading a stream of objects.

use bytes::{Buf, Bytes};
use zstd::stream::raw::{DParameter, Decoder as Zstd, Operation};

use super::{END, HEAD_BYTES, Head, MAGIC, WINDOW_LOG_MAX, WireError, frame, kind_of};
use crate::limits;
use crate::name::Hash;
use crate::object::Kind;

/// How much is decompressed at once, in bytes: the most of the stream that is ever held.
const PLAIN_BYTES: usize = 128 * 1024;

/// How much a reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest blob, in bytes.
    pub blob_bytes: u64,
    /// Most objects.
    pub objects: u64,
    /// Most bytes of all objects together.
    pub bytes: u64,
}

impl Limits {
    /// Whatever the formats allow.
    pub const FORMAT: Self =
        Self { blob_bytes: limits::BLOB_BYTES, objects: u64::MAX, bytes: u64::MAX };

    const fn of(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Blob => self.blob_bytes,
            Kind::Tree => limits::TREE_BYTES as u64,
            Kind::Commit => limits::COMMIT_BYTES as u64,
        }
    }
}

/// One step of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An object begins.
    Begin(Head),
    /// Bytes of that object; nothing vouches for them yet.
    Bytes(Bytes),
    /// The object is whole, and is what its id says.
    Verified,
}

/// Reads a stream of objects as it comes.
///
/// [`next`](Self::next) gives one part after the other until it needs more input, and
/// [`finish`](Self::finish) tells whether what came was all. After an error nothing more may be
/// asked.
pub struct Decoder {
    zstd: Zstd<'static>,
    limits: Limits,
    /// What is decompressed, and from where on it was not looked at yet.
    plain: Box<[u8]>,
    at: usize,
    filled: usize,
    /// Whether the frame of the compression is over.
    is_over: bool,
    state: State,
    seal: blake3::Hasher,
    count: u64,
    bytes: u64,
}

enum State {
    Magic,
    Head,
    Object { head: Head, left: u64, hasher: Box<blake3::Hasher> },
    End,
}

impl Decoder {
    /// A reader that takes so much and no more.
    pub fn new(limits: Limits) -> Result<Self, WireError> {
        let mut zstd = Zstd::new().map_err(WireError::Compression)?;
        zstd.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
            .map_err(WireError::Compression)?;
        Ok(Self {
            zstd,
            limits,
            plain: vec![0; PLAIN_BYTES].into(),
            at: 0,
            filled: 0,
            is_over: false,
            state: State::Magic,
            seal: blake3::Hasher::new(),
            count: 0,
            bytes: 0,
        })
    }

    /// The next part, taking from `input` what is needed; `None` if that was not enough.
    pub fn next(&mut self, input: &mut Bytes) -> Result<Option<Part>, WireError> {
        loop {
            if let Some(part) = self.part()? {
                return Ok(Some(part));
            }
            if !self.decompress(input)? {
                return Ok(None);
            }
        }
    }

    /// How many objects there were, if everything came that was to come.
    pub fn finish(self) -> Result<u64, WireError> {
        match self.state {
            State::End if self.is_over => Ok(self.count),
            State::Magic if self.is_over => Err(WireError::NotAStream),
            _ => Err(WireError::Truncated),
        }
    }

    /// The next part of what is decompressed; `None` if it is not whole.
    fn part(&mut self) -> Result<Option<Part>, WireError> {
        loop {
            let rest = &self.plain[self.at..self.filled];
            match &mut self.state {
                State::Magic => {
                    // Refused at the first wrong byte: what is no stream need not be long.
                    if !MAGIC.starts_with(&rest[..rest.len().min(MAGIC.len())]) {
                        return Err(WireError::NotAStream);
                    }
                    if rest.len() < MAGIC.len() {
                        return Ok(None);
                    }
                    self.seal.update(MAGIC);
                    self.at += MAGIC.len();
                    self.state = State::Head;
                }
                State::Head => {
                    let Some((bytes, _)) = rest.split_first_chunk::<HEAD_BYTES>() else {
                        return Ok(None);
                    };
                    let bytes = *bytes;
                    self.at += HEAD_BYTES;
                    if let Some(part) = self.head(&bytes)? {
                        return Ok(Some(part));
                    }
                }
                State::Object { head, left: 0, hasher } => {
                    let found = Hash::from_bytes(*hasher.finalize().as_bytes());
                    if found != head.id {
                        return Err(WireError::Wrong { kind: head.kind, id: head.id, found });
                    }
                    self.state = State::Head;
                    return Ok(Some(Part::Verified));
                }
                State::Object { left, hasher, .. } => {
                    if rest.is_empty() {
                        return Ok(None);
                    }
                    let take =
                        usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                    let bytes = Bytes::copy_from_slice(&rest[..take]);
                    hasher.update(&bytes);
                    *left -= take as u64;
                    self.at += take;
                    return Ok(Some(Part::Bytes(bytes)));
                }
                State::End if rest.is_empty() => return Ok(None),
                State::End => return Err(WireError::Trailing),
            }
        }
    }

    /// Reads a head, or the end.
    fn head(&mut self, bytes: &[u8; HEAD_BYTES]) -> Result<Option<Part>, WireError> {
        let mut fields = bytes.as_slice();
        let kind = fields.get_u8();
        let mut id = [0; 32];
        fields.copy_to_slice(&mut id);
        let size = fields.get_u64();
        if kind == END {
            self.seal.update(&frame(END, &[0; 32], size));
            if size != self.count || *self.seal.finalize().as_bytes() != id {
                return Err(WireError::BadEnd);
            }
            self.state = State::End;
            return Ok(None);
        }
        let Some(kind) = kind_of(kind) else {
            return Err(WireError::UnknownKind(kind));
        };
        let head = Head { kind, id: Hash::from_bytes(id), size };
        let limit = self.limits.of(kind);
        if size > limit {
            return Err(WireError::TooLarge { kind, id: head.id, size, limit });
        }
        self.count += 1;
        self.bytes = self.bytes.saturating_add(size);
        let Limits { objects, bytes: limit, .. } = self.limits;
        if self.count > objects {
            return Err(WireError::TooMuch { what: "objects", limit: objects });
        }
        if self.bytes > limit {
            return Err(WireError::TooMuch { what: "bytes", limit });
        }
        self.seal.update(bytes);
        self.state = State::Object { head, left: size, hasher: Box::default() };
        Ok(Some(Part::Begin(head)))
    }

    /// Decompresses what fits; whether anything came of it.
    fn decompress(&mut self, input: &mut Bytes) -> Result<bool, WireError> {
        if self.is_over {
            return if input.is_empty() { Ok(false) } else { Err(WireError::Trailing) };
        }
        // Of a head cut in two the first part is still there.
        self.plain.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        let done = self.zstd.run_on_buffers(input, &mut self.plain[self.filled..]);
        let done = done.map_err(WireError::Compression)?;
        input.advance(done.bytes_read);
        self.filled += done.bytes_written;
        self.is_over = done.remaining == 0;
        Ok(done.bytes_read > 0 || done.bytes_written > 0)
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("count", &self.count).finish_non_exhaustive()
    }
}
