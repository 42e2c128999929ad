use futures::StreamExt;
use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::store::{ByteStream, StoreError};
use bytes::Bytes;

type Object = (Kind, Vec<u8>);

/// The whole stream of these objects.
fn encoded(objects: &[Object]) -> Vec<u8> {
    let mut encoder = Encoder::new().unwrap();
    for (kind, bytes) in objects {
        encoder.begin(head(*kind, bytes)).unwrap();
        encoder.bytes(bytes).unwrap();
    }
    encoder.finish().unwrap().to_vec()
}

fn head(kind: Kind, bytes: &[u8]) -> Head {
    Head { kind, id: Hash::of(bytes), size: bytes.len() as u64 }
}

/// Reads a stream that comes in pieces of `piece` bytes.
fn decoded(stream: &[u8], piece: usize, limits: Limits) -> Result<Vec<Object>, WireError> {
    let mut decoder = Decoder::new(limits)?;
    let mut objects: Vec<Object> = Vec::new();
    for piece in stream.chunks(piece.max(1)) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(part) = decoder.next(&mut input)? {
            match (part, objects.last_mut()) {
                (Part::Begin(head), _) => objects.push((head.kind, Vec::new())),
                (Part::Bytes(bytes), Some((_, all))) => all.extend_from_slice(&bytes),
                (Part::Bytes(_), None) => panic!("bytes of no object"),
                (Part::Verified, _) => {}
            }
        }
        assert!(input.is_empty());
    }
    assert_eq!(decoder.finish()?, objects.len() as u64);
    Ok(objects)
}

fn plain(stream: &[u8]) -> Vec<u8> {
    zstd::stream::decode_all(stream).unwrap()
}

fn recompressed(plain: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(plain, 1).unwrap()
}

fn sample() -> Vec<Object> {
    vec![
        (Kind::Tree, vec![0x82, 0x01, 0x80]),
        (Kind::Blob, Vec::new()),
        (Kind::Blob, b"# Lesson one\n".to_vec()),
    ]
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    let kind = prop_oneof![Just(Kind::Blob), Just(Kind::Tree), Just(Kind::Commit)];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (0_usize..250_000).prop_map(|len| vec![b'x'; len]),
    ];
    prop::collection::vec((kind, bytes), 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn reads_back_what_it_wrote_however_it_is_cut(objects in objects(), piece in 1_usize..70_000) {
        prop_assert_eq!(decoded(&encoded(&objects), piece, Limits::FORMAT).unwrap(), objects);
    }

    #[test]
    fn refuses_every_truncation_and_whatever_follows(objects in objects(), at in any::<prop::sample::Index>()) {
        let stream = encoded(&objects);
        let cut = &stream[..at.index(stream.len())];
        prop_assert!(decoded(cut, 1000, Limits::FORMAT).is_err());
        let mut long = stream.clone();
        long.push(0);
        prop_assert!(decoded(&long, 1000, Limits::FORMAT).is_err());
        let twice = [stream.clone(), stream].concat();
        prop_assert!(decoded(&twice, 1000, Limits::FORMAT).is_err());
    }
}

#[test]
fn refuses_every_flipped_bit_truncation_and_addition_under_the_compression() {
    let plain = plain(&encoded(&sample()));
    for bit in 0..plain.len() * 8 {
        let mut bad = plain.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(decoded(&recompressed(&bad), 64, Limits::FORMAT).is_err(), "bit {bit}");
    }
    for len in 0..plain.len() {
        assert!(decoded(&recompressed(&plain[..len]), 64, Limits::FORMAT).is_err(), "{len} bytes");
    }
    let long = [plain.as_slice(), &[0]].concat();
    let error = decoded(&recompressed(&long), 64, Limits::FORMAT).unwrap_err();
    assert!(matches!(error, WireError::Trailing), "{error}");
}

#[test]
fn a_flipped_bit_of_the_compressed_stream_never_gives_other_objects() {
    let objects = sample();
    let stream = encoded(&objects);
    for bit in 0..stream.len() * 8 {
        let mut bad = stream.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        if let Ok(found) = decoded(&bad, 64, Limits::FORMAT) {
            // Bits that only say how to decompress, as the window's size.
            assert_eq!(found, objects, "bit {bit}");
        }
    }
}

#[test]
fn sizes_are_refused_before_their_bytes() {
    let limits = Limits { blob_bytes: 9, objects: 3, bytes: 20 };
    let blob = |len: usize| (Kind::Blob, vec![1; len]);
    assert!(decoded(&encoded(&[blob(9), blob(9)]), 64, limits).is_ok());
    for bad in [
        vec![blob(10)],
        vec![blob(9), blob(9), blob(9)],
        vec![blob(1), blob(1), blob(1), blob(1)],
        vec![(Kind::Tree, vec![1; 21])],
    ] {
        let error = decoded(&encoded(&bad), 64, limits).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Invalid, "{error}");
    }
    // A head that claims what no disk holds, and nothing behind it.
    let huge = Head { kind: Kind::Blob, id: Hash::of(b""), size: limits::BLOB_BYTES + 1 };
    let plain = [MAGIC.as_slice(), &huge.encode()].concat();
    let error = decoded(&recompressed(&plain), 64, Limits::FORMAT).unwrap_err();
    assert!(matches!(error, WireError::TooLarge { .. }), "{error}");
}

#[test]
fn an_enormous_window_is_refused() {
    let mut bomb = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    bomb.set_parameter(zstd::stream::raw::CParameter::WindowLog(WINDOW_LOG_MAX + 1)).unwrap();
    std::io::Write::write_all(&mut bomb, &plain(&encoded(&sample()))).unwrap();
    let error = decoded(&bomb.finish().unwrap(), 64, Limits::FORMAT).unwrap_err();
    assert!(matches!(error, WireError::Compression(_)), "{error}");
}

#[test]
fn what_does_not_compress_costs_next_to_nothing() {
    let mut bytes = vec![0; 1 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    let stream = encoded(&[(Kind::Blob, bytes.clone())]);
    assert!(stream.len() < bytes.len() + bytes.len() / 100, "{} bytes", stream.len());
}

#[tokio::test]
async fn pieces_stay_small_and_an_error_leaves_the_stream_without_an_end() {
    let mut bytes = vec![0; 3 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    let (id, bytes) = (Hash::of(&bytes), Bytes::from(bytes));
    let good = move || {
        let content = ByteStream::from_bytes(bytes.clone());
        Ok(Outgoing { kind: Kind::Blob, id, content })
    };
    let pieces: Vec<_> = encode(futures::stream::iter([good()])).collect().await;
    let pieces: Vec<Bytes> = pieces.into_iter().map(Result::unwrap).collect();
    assert!(pieces.iter().all(|piece| piece.len() <= 4 << 20));
    assert_eq!(decoded(&pieces.concat(), 5000, Limits::FORMAT).unwrap().len(), 1);

    let missing = StoreError::Missing { kind: Kind::Blob, id };
    let pieces: Vec<_> = encode(futures::stream::iter([good(), Err(missing)])).collect().await;
    assert!(matches!(pieces.last(), Some(Err(StoreError::Missing { .. }))));
    let sent: Vec<Bytes> = pieces.into_iter().filter_map(Result::ok).collect();
    let error = decoded(&sent.concat(), 5000, Limits::FORMAT).unwrap_err();
    assert!(matches!(error, WireError::Truncated), "{error}");
}

#[test]
fn fewer_or_more_bytes_than_announced_are_refused() {
    for found in [b"ab".as_slice(), b"abcd"] {
        let mut encoder = Encoder::new().unwrap();
        encoder.begin(head(Kind::Blob, b"abc")).unwrap();
        let written = encoder.bytes(found);
        let error = written.and_then(|()| encoder.finish().map(|_| ())).unwrap_err();
        assert!(matches!(error, WireError::Misannounced { size: 3, .. }), "{error}");
    }
}

/// The example of the document: the bytes before compression.
#[test]
fn the_document_says_what_the_code_does() {
    let document = include_str!("../../../../docs/wire.md");
    let (_, rest) = document.split_once("```hex\n").expect("the document has an example");
    let (example, _) = rest.split_once("```").unwrap();
    let digits: String = example
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(str::split_whitespace)
        .collect();
    let found: String = plain(&encoded(&sample())).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(digits, found);
    assert!(document.contains(MEDIA_TYPE));
}
