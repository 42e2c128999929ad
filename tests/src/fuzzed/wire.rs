//! The stream of objects between a server and its clients.

use bytes::Bytes;
use cas_core::name::Hash;
use cas_core::object::Kind;
use cas_core::store::wire::{Decoder, Encoder, Head, Limits, Part, WireError};

/// What a small client takes.
const LIMITS: Limits = Limits { blob_bytes: 64 * 1024, objects: 64, bytes: 256 * 1024 };

type Object = (Head, Vec<u8>);

/// The bytes as they are, and as what a stream holds before it is compressed: few changes of a
/// compressed stream come to anything.
pub(super) fn wire(bytes: &[u8]) {
    stream(bytes);
    let packed = zstd::stream::encode_all(bytes, 1).expect("memory takes everything");
    stream(&packed);
}

fn stream(bytes: &[u8]) {
    let whole = read(bytes, bytes.len(), LIMITS);
    // However it is cut on its way, it is the same.
    for piece in [1, 7] {
        let cut = read(bytes, piece, LIMITS);
        assert_eq!(whole.as_ref().ok(), cut.as_ref().ok(), "in pieces of {piece}");
    }
    let Ok(objects) = whole else { return };
    assert_eq!(read(bytes, 7, Limits::FORMAT).ok().as_ref(), Some(&objects));
    let again = read(&write(&objects), 7, LIMITS);
    assert_eq!(again.ok().as_ref(), Some(&objects));
    // One byte less is no stream.
    assert!(read(&bytes[..bytes.len() - 1], 7, LIMITS).is_err());
}

/// Reads a stream that comes in pieces, and holds every promise of the decoder against it.
fn read(stream: &[u8], piece: usize, limits: Limits) -> Result<Vec<Object>, WireError> {
    let mut decoder = Decoder::new(limits)?;
    let mut objects: Vec<Object> = Vec::new();
    let mut is_open = false;
    for piece in stream.chunks(piece.max(1)) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(part) = decoder.next(&mut input)? {
            match part {
                Part::Begin(head) => {
                    assert!(!is_open, "an object begins in another");
                    if head.kind == Kind::Blob {
                        assert!(head.size <= limits.blob_bytes);
                    }
                    objects.push((head, Vec::new()));
                    is_open = true;
                }
                Part::Bytes(bytes) => {
                    let (head, all) = objects.last_mut().expect("bytes are of an object");
                    all.extend_from_slice(&bytes);
                    assert!(is_open && all.len() as u64 <= head.size, "more than was announced");
                }
                Part::Verified => {
                    let (head, all) = objects.last().expect("what is verified began");
                    assert_eq!((Hash::of(all), all.len() as u64), (head.id, head.size));
                    is_open = false;
                }
            }
        }
        assert!(input.is_empty(), "it asks for more, and has not taken all");
    }
    assert_eq!(decoder.finish()?, objects.len() as u64);
    assert!(!is_open && objects.len() as u64 <= limits.objects);
    let total: u64 = objects.iter().map(|(head, _)| head.size).sum();
    assert!(total <= limits.bytes);
    Ok(objects)
}

fn write(objects: &[Object]) -> Bytes {
    let written = || {
        let mut encoder = Encoder::new()?;
        for (head, bytes) in objects {
            encoder.begin(*head)?;
            encoder.bytes(bytes)?;
        }
        encoder.finish()
    };
    let written: Result<_, WireError> = written();
    written.expect("what was read is written")
}
