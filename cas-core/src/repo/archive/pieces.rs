//! A stream of pieces out of code that writes one after the other.

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;

use crate::repo::RepoError;

/// Size of every piece but the last, in bytes.
///
/// Large enough that a piece costs little to hand over; small enough that the allocator takes it
/// from what was freed just before, and that compressing one keeps nobody else waiting.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// The bytes of an archive, in order. After an error there is nothing more.
pub type Pieces = BoxStream<'static, Result<Bytes, RepoError>>;

/// Where an archive's bytes go.
///
/// Hands them on in pieces of [`PIECE_BYTES`], however they come, and waits while the reader has
/// not yet asked for the one before: so an archive is made no faster than it is read. The last
/// piece is kept back until [`finish`](Self::finish), which says that all of it is right: a reader
/// who counts bytes never has them all of an archive that turned out to be wrong.
#[derive(Debug)]
pub(super) struct Sink {
    buffer: Vec<u8>,
    pieces: mpsc::Sender<Bytes>,
}

/// The reader went away.
#[derive(Debug)]
pub(super) struct Gone;

impl From<Gone> for RepoError {
    fn from(_: Gone) -> Self {
        // Nobody is there to see it.
        Self::Internal("the reader of an archive went away".to_owned())
    }
}

impl Sink {
    /// Writes `bytes`.
    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        while !bytes.is_empty() {
            if self.buffer.len() == PIECE_BYTES {
                self.hand_over().await?;
            }
            self.buffer.reserve_exact(PIECE_BYTES - self.buffer.len());
            let take = bytes.len().min(PIECE_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(&bytes[..take]);
            bytes = &bytes[take..];
        }
        Ok(())
    }

    /// Hands over what is left.
    pub(super) async fn finish(mut self) -> Result<(), Gone> {
        if self.buffer.is_empty() { Ok(()) } else { self.hand_over().await }
    }

    async fn hand_over(&mut self) -> Result<(), Gone> {
        let piece = std::mem::take(&mut self.buffer);
        self.pieces.send(piece.into()).await.map_err(|_| Gone)?;
        // Compressing takes milliseconds: it is somebody else's turn.
        tokio::task::yield_now().await;
        Ok(())
    }
}

/// The stream of what `produce` writes, which runs only while somebody waits for the next piece.
pub(super) fn pieces<F, Fut>(produce: F) -> Pieces
where
    F: FnOnce(Sink) -> Fut,
    Fut: Future<Output = Result<(), RepoError>> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(1);
    let producer: BoxFuture<'static, _> =
        Box::pin(produce(Sink { buffer: Vec::new(), pieces: sender }));
    let state = State { producer: Some(producer), receiver };
    let next = |mut state: State| async move { Some((state.next().await?, state)) };
    stream::unfold(state, next).fuse().boxed()
}

struct State {
    /// Taken when it has ended.
    producer: Option<BoxFuture<'static, Result<(), RepoError>>>,
    receiver: mpsc::Receiver<Bytes>,
}

impl State {
    async fn next(&mut self) -> Option<Result<Bytes, RepoError>> {
        if let Some(producer) = self.producer.as_mut() {
            tokio::select! {
                biased;
                Some(piece) = self.receiver.recv() => return Some(Ok(piece)),
                done = producer => {
                    self.producer = None;
                    if let Err(error) = done {
                        self.receiver.close();
                        while self.receiver.try_recv().is_ok() {}
                        return Some(Err(error));
                    }
                }
            }
        }
        self.receiver.recv().await.map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cuts_equal_pieces_whatever_is_written() {
        let stream = pieces(|mut sink| async move {
            for size in [1, 0, PIECE_BYTES, 3 * PIECE_BYTES, 5] {
                sink.write(&vec![7; size]).await?;
            }
            sink.write(&[0; 1000]).await?;
            sink.finish().await?;
            Ok(())
        });
        let sizes: Vec<_> = stream.map(|piece| piece.unwrap().len()).collect().await;
        assert_eq!(sizes, [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, 1006]);
    }

    #[tokio::test]
    async fn keeps_the_last_piece_back_until_all_is_right() {
        for size in [1, PIECE_BYTES - 1, PIECE_BYTES] {
            let mut stream = pieces(move |mut sink| async move {
                sink.write(&vec![1; size]).await?;
                Err(RepoError::Internal("broken".to_owned()))
            });
            assert!(stream.next().await.unwrap().is_err(), "{size}");
        }
    }

    #[tokio::test]
    async fn ends_in_the_error_and_nothing_after_it() {
        let mut stream = pieces(|mut sink| async move {
            sink.write(&vec![1; 4 * PIECE_BYTES]).await?;
            Err(RepoError::Internal("broken".to_owned()))
        });
        let mut good = 0;
        while let Ok(_piece) = stream.next().await.unwrap() {
            good += 1;
        }
        assert!((1..4).contains(&good), "{good} pieces");
        assert!(stream.next().await.is_none());
    }
}
