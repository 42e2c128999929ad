//! What is in a store's bucket, by its keys.

use std::sync::Arc;

use futures::{Stream, StreamExt};

use super::Upkeep;
use super::records::SHARDS;
use crate::env::Timestamp;
use crate::name::{BookId, Hash, RefName};
use crate::object::Kind;
use crate::store::{Looked, StoreError, layout};

/// How many shards are listed at once at most.
const AHEAD: usize = 16;

/// An object that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its id, by its key.
    pub(crate) id: Hash,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When it was written, by the store's clock.
    pub(crate) modified: Timestamp,
}

/// What is stored of one shard of a kind.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) kind: Kind,
    pub(crate) shard: usize,
    /// The objects, in the order of ids.
    pub(crate) stored: Vec<Stored>,
    /// The keys among them that are of no object.
    pub(crate) unknown: Vec<String>,
}

/// Which shards of which kind have a folder: the others need no look.
#[derive(Debug, Clone)]
pub(crate) struct Shards(Vec<(Kind, usize)>);

/// The refs of a store, by their folders.
#[derive(Debug, Default)]
pub(crate) struct RefFolders {
    pub(crate) refs: Vec<(BookId, RefName)>,
    /// Folders that are none of theirs.
    pub(crate) unknown: Vec<String>,
}

/// Every shard of every kind, those of one shard together.
pub(crate) fn by_shard() -> Vec<(Kind, usize)> {
    (0..SHARDS).flat_map(|shard| Kind::ALL.map(|kind| (kind, shard))).collect()
}

/// Every shard of these kinds, those of one kind together.
pub(crate) fn by_kind(kinds: &[Kind]) -> Vec<(Kind, usize)> {
    kinds.iter().flat_map(|kind| (0..SHARDS).map(|shard| (*kind, shard))).collect()
}

impl Upkeep {
    /// The shards that have a folder now. One request for each kind.
    pub(crate) async fn shards(&self) -> Result<Shards, StoreError> {
        let mut found = Vec::new();
        for kind in Kind::ALL {
            let (folders, _) = self.bucket.level(Some(&layout::folder(kind).into())).await?;
            let shards = folders.iter().filter(|folder| folder.len() == 2);
            let shards = shards.filter_map(|folder| usize::from_str_radix(folder, 16).ok());
            found.extend(shards.map(|shard| (kind, shard)));
        }
        found.sort_unstable();
        Ok(Shards(found))
    }

    /// The objects of a kind whose ids begin with this byte, in the order of ids, and the keys
    /// among them that are of no object.
    pub(crate) async fn stored(
        &self,
        shards: &Shards,
        kind: Kind,
        shard: usize,
    ) -> Result<(Vec<Stored>, Vec<String>), StoreError> {
        if shards.0.binary_search(&(kind, shard)).is_err() {
            return Ok((Vec::new(), Vec::new()));
        }
        let folder = layout::shard(kind, &format!("{shard:02x}"));
        let (mut stored, mut unknown) = (Vec::new(), Vec::new());
        for (key, Looked { size, modified }) in self.bucket.looks(&folder).await? {
            match layout::object_id(kind, &key).filter(|id| layout::object(kind, id) == key) {
                Some(id) => stored.push(Stored { id, size, modified }),
                None => unknown.push(key.to_string()),
            }
        }
        Ok((stored, unknown))
    }

    /// What is stored of these shards, in this order. Some are listed ahead: over a network a list
    /// takes as long as many others beside it.
    pub(crate) async fn listed(
        &self,
        wanted: Vec<(Kind, usize)>,
    ) -> Result<impl Stream<Item = Result<Listed, StoreError>> + Send + use<>, StoreError> {
        let ahead = self.jobs.min(AHEAD);
        let (this, shards) = (self.clone(), Arc::new(self.shards().await?));
        let lists = futures::stream::iter(wanted).map(move |(kind, shard)| {
            let (this, shards) = (this.clone(), shards.clone());
            async move {
                let (stored, unknown) = this.stored(&shards, kind, shard).await?;
                Ok(Listed { kind, shard, stored, unknown })
            }
        });
        Ok(lists.buffered(ahead))
    }

    /// The keys and folders that are not where any of the format's are: right below the root, and
    /// right below the folders of objects.
    pub(crate) async fn strangers(&self) -> Result<Vec<String>, StoreError> {
        let mut unknown = Vec::new();
        let (folders, keys) = self.bucket.level(None).await?;
        unknown.extend(keys.into_iter().filter(|key| key != layout::MARKER));
        unknown.extend(folders.into_iter().filter(|folder| !layout::FOLDERS.contains(&&**folder)));
        let shards: Vec<_> = (0..SHARDS).map(|shard| format!("{shard:02x}")).collect();
        for kind in Kind::ALL {
            let (folders, keys) = self.bucket.level(Some(&layout::folder(kind).into())).await?;
            let strange = folders.into_iter().filter(|folder| !shards.contains(folder));
            let strange = strange.chain(keys);
            unknown.extend(strange.map(|name| format!("{}/{name}", layout::folder(kind))));
        }
        Ok(unknown)
    }

    /// Every ref that ever existed.
    pub(crate) async fn ref_folders(&self) -> Result<RefFolders, StoreError> {
        let mut found = RefFolders::default();
        let (books, keys) = self.bucket.level(Some(&layout::REFS.into())).await?;
        found.unknown.extend(keys.into_iter().map(|key| format!("{}/{key}", layout::REFS)));
        for folder in books {
            let Ok(book) = BookId::parse(&folder) else {
                found.unknown.push(format!("{}/{folder}", layout::REFS));
                continue;
            };
            let (names, keys) = self.bucket.level(Some(&layout::book(&book))).await?;
            for name in names {
                match RefName::from_escaped(&name) {
                    Some(name) => found.refs.push((book.clone(), name)),
                    None => found.unknown.push(format!("{}/{folder}/{name}", layout::REFS)),
                }
            }
            let keys = keys.into_iter().map(|key| format!("{}/{folder}/{key}", layout::REFS));
            found.unknown.extend(keys);
        }
        Ok(found)
    }
}
