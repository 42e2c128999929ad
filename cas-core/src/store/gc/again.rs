//! Condemned objects that are put again, so that they stay.

use std::sync::Arc;

use bytes::Bytes;

use crate::env::{Env, Timestamp};
use crate::limits;
use crate::name::{BlobId, Hash};
use crate::object::Kind;
use crate::repo::for_each;
use crate::store::{Bucket, ByteStream, Session, Store, StoreError, layout};

/// How many objects are put again at once.
const JOBS: usize = 16;

/// An object that is on a list, and up to which time it counts as written before the list.
pub(super) type Condemned = (Kind, Hash, Timestamp);

/// The objects of a bucket.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) bucket: Bucket,
    /// Read through no cache.
    pub(super) store: Store,
    pub(super) env: Env,
}

impl Objects {
    /// Fails unless the object is there.
    pub(super) async fn must_be_there(&self, kind: Kind, id: Hash) -> Result<(), StoreError> {
        match self.bucket.look(&layout::object(kind, &id)).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Collected { kind, id }),
        }
    }

    /// Puts condemned objects again, and makes sure that they stay.
    ///
    /// A writer that gives up or dies on the way must leave no version that is there by half: what
    /// names others comes after them, and a commit only when they are known to stay.
    pub(super) async fn put_again(&self, condemned: Vec<Condemned>) -> Result<(), StoreError> {
        if condemned.is_empty() {
            return Ok(());
        }
        let session = Arc::new(self.store.session().await?);
        let (commits, content): (Vec<_>, Vec<_>) =
            condemned.into_iter().partition(|(kind, ..)| *kind == Kind::Commit);
        if !content.is_empty() {
            for kind in [Kind::Blob, Kind::Tree] {
                let of_kind = content.iter().filter(|(other, ..)| *other == kind);
                self.put_all_again(&session, of_kind.copied().collect()).await?;
            }
            self.outwait_deletions(&session).await?;
            for (kind, id, _) in content {
                self.must_be_there(kind, id).await?;
            }
        }
        if !commits.is_empty() {
            self.put_commits_again(&session, commits).await?;
        }
        Ok(())
    }

    /// Puts condemned commits again, from memory. One that is deleted all the same would be missed
    /// by those whose parent it is: it is put once more when no deletion is under way any more.
    async fn put_commits_again(
        &self,
        session: &Arc<Session>,
        commits: Vec<Condemned>,
    ) -> Result<(), StoreError> {
        let store = self.store.clone();
        let read = for_each(commits, JOBS, move |(kind, id, since)| {
            let store = store.clone();
            async move {
                let bytes = store.get_bytes(kind, &id).await.map_err(gone)?;
                Ok::<_, StoreError>((id, since, bytes))
            }
        })
        .await?;
        self.put_old_commits(session, &read).await?;
        self.outwait_deletions(session).await?;
        self.put_old_commits(session, &read).await?;
        session.publish().await
    }

    /// Puts each of these commits that nobody has put since it was condemned, or that is gone.
    async fn put_old_commits(
        &self,
        session: &Arc<Session>,
        commits: &[(Hash, Timestamp, Bytes)],
    ) -> Result<(), StoreError> {
        let shared = (self.bucket.clone(), session.clone());
        for_each(commits.to_vec(), JOBS, move |(id, since, bytes)| {
            let (bucket, session) = shared.clone();
            async move {
                match bucket.look(&layout::object(Kind::Commit, &id)).await? {
                    Some(found) if found.modified >= since => Ok(()),
                    _ => {
                        let stream = ByteStream::from_bytes(bytes);
                        session.replace_object(Kind::Commit, &id, stream).await
                    }
                }
            }
        })
        .await
        .map(|_| ())
    }

    /// Puts each of these again, unless somebody did.
    async fn put_all_again(
        &self,
        session: &Arc<Session>,
        objects: Vec<Condemned>,
    ) -> Result<(), StoreError> {
        let shared = (self.bucket.clone(), self.store.clone(), session.clone());
        let put = move |object| {
            let (bucket, store, session) = shared.clone();
            async move { put_one_again(&bucket, &store, &session, object).await }
        };
        for_each(objects, JOBS, put).await.map(|_| ())
    }

    /// Publishes what was put, and waits until no deletion takes effect any more whose look came
    /// before: later looks see that it was put.
    async fn outwait_deletions(&self, session: &Session) -> Result<(), StoreError> {
        session.publish().await?;
        self.env.clock.sleep(limits::DELETE_DEADLINE).await;
        Ok(())
    }
}

/// Puts an object again that was condemned since then, unless somebody did.
async fn put_one_again(
    bucket: &Bucket,
    store: &Store,
    session: &Session,
    (kind, id, since): Condemned,
) -> Result<(), StoreError> {
    match bucket.look(&layout::object(kind, &id)).await? {
        None => Err(StoreError::Collected { kind, id }),
        Some(found) if found.modified >= since => Ok(()),
        Some(_) => {
            let stream = match kind {
                Kind::Blob => store.stream_blob(&BlobId(id)).await,
                _ => store.get_bytes(kind, &id).await.map(ByteStream::from_bytes),
            };
            session.replace_object(kind, &id, stream.map_err(gone)?).await
        }
    }
}

/// What is missing now was there when it was relied on.
pub(super) fn gone(error: StoreError) -> StoreError {
    match error {
        StoreError::Missing { kind, id } => StoreError::Collected { kind, id },
        other => other,
    }
}
