//! `tar.zst`: the tar, compressed on the way.

use std::io::Write;

use futures::StreamExt;
use zstd::stream::write::Encoder;
use zstd::zstd_safe::CParameter;

use super::pieces::{Pieces, Sink, pieces};
use crate::repo::RepoError;

/// How hard is tried, 1 to 22: the level that zstd itself takes.
const LEVEL: i32 = 3;

/// How far back is looked for what repeats, as a power of two: 1 MiB. It bounds what the encoder
/// keeps in memory, and the decoder of whoever reads.
const WINDOW_LOG: u32 = 20;

/// `tar`, of `length` bytes in all, compressed. Its pieces are all of one size, so that the
/// result does not depend on how the store hands out its blobs.
pub(super) fn compress(tar: Pieces, length: u64) -> Pieces {
    pieces(move |sink| write(tar, length, sink))
}

async fn write(mut tar: Pieces, length: u64, mut sink: Sink) -> Result<(), RepoError> {
    let mut encoder = encoder(length).map_err(failed)?;
    while let Some(piece) = tar.next().await.transpose()? {
        encoder.write_all(&piece).map_err(failed)?;
        sink.write(encoder.get_ref()).await?;
        encoder.get_mut().clear();
    }
    let ready = encoder.finish().map_err(failed)?;
    sink.write(&ready).await?;
    sink.finish().await?;
    Ok(())
}

fn encoder(length: u64) -> std::io::Result<Encoder<'static, Vec<u8>>> {
    let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
    encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    encoder.include_checksum(true)?;
    encoder.set_pledged_src_size(Some(length))?;
    encoder.include_contentsize(true)?;
    Ok(encoder)
}

/// Writing into memory does not fail; the crate's signatures say that it could.
fn failed(error: impl std::error::Error) -> RepoError {
    RepoError::Internal(format!("cannot compress: {error}"))
}
