//! The cache's folder: one file for each object, and how it is kept from growing.
//!
//! ```text
//! CACHEDIR.TAG                 tells backup programs to leave it out
//! blobs/<2 hex>/<62 hex>       and trees/, commits/: as in a store
//! tmp/                         files being written
//! lock, usage                  how many bytes there are, about; changed under the lock
//! ```

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::fs::{FlockOperation, Timespec, Timestamps, UTIME_NOW, flock, futimens};
use tempfile::NamedTempFile;

use super::{CacheStats, Counter};
use crate::limits;
use crate::name::Hash;
use crate::object::Kind;
use crate::store::{ByteStream, layout};

/// How full a cache is made when it had grown too large, in percent.
const KEEP_PERCENT: u64 = 80;

/// After how many new bytes the size is looked at, at most.
const LOOK_BYTES: u64 = 64 * 1024 * 1024;

/// A file of `tmp/` that is older than this belongs to nobody any more.
const ABANDONED: Duration = Duration::from_hours(24);

/// The tag that backup programs know (bford.info/cachedir).
const TAG: &str =
    "Signature: 8a477f597d28d172789f06886806bc55\n# The cache of a content-addressed store.\n";

/// A folder that keeps objects, of a bounded size.
#[derive(Debug, Clone)]
pub struct Cache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    limit: u64,
    /// Bytes written since the size was looked at.
    added: AtomicU64,
    asked: Counter,
}

/// A large object on its way into the cache.
#[derive(Debug)]
pub(super) struct Filling {
    cache: Cache,
    kind: Kind,
    id: Hash,
    size: u64,
    hasher: blake3::Hasher,
    file: NamedTempFile,
}

impl Cache {
    /// The cache in `folder`, made if need be, of at most about `limit` bytes.
    pub fn open(folder: &Path, limit: u64) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder.join("tmp"))?;
        let tag = folder.join("CACHEDIR.TAG");
        if !tag.exists() {
            std::fs::write(tag, TAG)?;
        }
        let inner = Inner {
            folder: folder.to_owned(),
            limit,
            added: AtomicU64::new(0),
            asked: Counter::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How often this process found an object in it, and did not.
    pub fn stats(&self) -> CacheStats {
        self.inner.asked.stats()
    }

    pub(super) fn count(&self, hit: bool) {
        self.inner.asked.count(hit);
    }

    /// Whether the object is there, perhaps damaged.
    pub(super) fn has(&self, kind: Kind, id: &Hash) -> bool {
        self.inner.path(kind, id).is_file()
    }

    /// The object, if it is there and intact.
    pub(super) fn read(&self, kind: Kind, id: &Hash, limit: u64) -> Option<Bytes> {
        let path = self.inner.path(kind, id);
        let mut file = File::open(&path).ok()?;
        let size = file.metadata().ok().filter(|meta| meta.len() <= limit)?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(size).ok()? + 1);
        (&mut file).take(limit + 1).read_to_end(&mut bytes).ok()?;
        if Hash::of(&bytes) != *id {
            let _ = std::fs::remove_file(path);
            return None;
        }
        touch(&file);
        Some(bytes.into())
    }

    /// The object in pieces, if it is there and intact.
    pub(super) fn stream(&self, kind: Kind, id: &Hash) -> Option<ByteStream> {
        let path = self.inner.path(kind, id);
        let mut file = File::open(&path).ok()?;
        let size = file.metadata().ok()?.len();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(&mut file).ok()?;
        if hasher.finalize().as_bytes() != id.as_bytes() {
            let _ = std::fs::remove_file(path);
            return None;
        }
        file.rewind().ok()?;
        touch(&file);
        Some(ByteStream::from_file(file, size, "the cache"))
    }

    /// Keeps an object whose bytes hash to `id`.
    pub(super) fn write(&self, kind: Kind, id: &Hash, bytes: &Bytes) {
        if let Some(filling) = self.fill(kind, id, bytes.len() as u64)
            && let Some(filling) = filling.write(bytes)
        {
            filling.finish();
        }
    }

    /// Begins to keep an object; `None` if it cannot or should not be kept.
    pub(super) fn fill(&self, kind: Kind, id: &Hash, size: u64) -> Option<Filling> {
        // One object must not push out everything else.
        if size > limits::WHOLE_BYTES && size > self.inner.limit / 4 || size > self.inner.limit {
            return None;
        }
        let file = NamedTempFile::new_in(self.inner.folder.join("tmp")).ok()?;
        let cache = self.clone();
        Some(Filling { cache, kind, id: *id, size, hasher: blake3::Hasher::new(), file })
    }
}

impl Filling {
    /// Appends bytes; `None` if they cannot be kept.
    pub(super) fn write(mut self, bytes: &[u8]) -> Option<Self> {
        self.hasher.update(bytes);
        self.file.write_all(bytes).ok()?;
        Some(self)
    }

    /// Gives the object its name, if its bytes are what they should be.
    pub(super) fn finish(self) {
        if self.hasher.finalize().as_bytes() != self.id.as_bytes() {
            return;
        }
        let inner = &self.cache.inner;
        let path = inner.path(self.kind, &self.id);
        let made = path.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok());
        if made && self.file.persist(path).is_ok() {
            let added = inner.added.fetch_add(self.size, Ordering::Relaxed) + self.size;
            if added > LOOK_BYTES.min(inner.limit / 4) {
                inner.look();
            }
        }
    }
}

impl Inner {
    fn path(&self, kind: Kind, id: &Hash) -> PathBuf {
        self.folder.join(layout::object(kind, id).as_ref())
    }

    /// Adds what was written to the size, and makes room if that is too much. What fails here is
    /// done by the next.
    fn look(&self) {
        let added = self.added.swap(0, Ordering::Relaxed);
        if added == 0 {
            return;
        }
        let _ = self.make_room(added);
    }

    fn make_room(&self, added: u64) -> std::io::Result<()> {
        let mut options = File::options();
        let lock =
            options.create(true).truncate(false).write(true).open(self.folder.join("lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let usage_path = self.folder.join("usage");
        let said = std::fs::read_to_string(&usage_path).unwrap_or_default();
        let mut usage = match said.trim().parse::<u64>() {
            Ok(usage) => usage + added,
            // Unknown: count.
            Err(_) => u64::MAX,
        };
        if usage > self.limit {
            lock.set_len(0)?;
            touch(&lock);
            usage = self.sweep(lock.metadata()?.modified()?)?;
        }
        std::fs::write(usage_path, usage.to_string())
    }

    /// Counts everything, removes what was not used for longest until there is room again, and
    /// returns how many bytes are left. `now` is the file system's own time.
    fn sweep(&self, now: SystemTime) -> std::io::Result<u64> {
        let mut files = Vec::new();
        let mut total = 0;
        for kind in Kind::ALL {
            for shard in entries(&self.folder.join(layout::folder(kind))) {
                for entry in entries(&shard) {
                    // Another process may have removed it.
                    let Ok(meta) = entry.metadata() else { continue };
                    if meta.is_file() {
                        total += meta.len();
                        files.push((meta.modified()?, meta.len(), entry));
                    }
                }
            }
        }
        for entry in entries(&self.folder.join("tmp")) {
            let modified = entry.metadata().and_then(|meta| meta.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > ABANDONED) {
                let _ = std::fs::remove_file(entry);
            }
        }
        if total <= self.limit {
            return Ok(total);
        }
        files.sort_unstable();
        let keep = self.limit / 100 * KEEP_PERCENT;
        for (_, size, path) in files {
            if total <= keep {
                break;
            }
            if std::fs::remove_file(path).is_ok() {
                total -= size;
            }
        }
        Ok(total)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.look();
    }
}

/// What is in a folder; nothing if it cannot be read.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Marks a file as used now, by the file system's own time.
fn touch(file: &File) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let _ = futimens(file, &Timestamps { last_access: now, last_modification: now });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(cache: &Cache, text: &str) -> Hash {
        let id = Hash::of(text.as_bytes());
        cache.write(Kind::Blob, &id, &Bytes::copy_from_slice(text.as_bytes()));
        id
    }

    #[test]
    fn gives_back_what_is_intact_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(home.path(), 1 << 20).unwrap();
        let id = put(&cache, "a lesson");
        assert_eq!(cache.read(Kind::Blob, &id, 100).unwrap(), "a lesson");
        assert!(cache.read(Kind::Blob, &id, 3).is_none(), "over the limit");
        assert!(cache.read(Kind::Tree, &id, 100).is_none(), "of another kind");
        let path = cache.inner.path(Kind::Blob, &id);
        std::fs::write(&path, "b lesson").unwrap();
        assert!(cache.read(Kind::Blob, &id, 100).is_none());
        assert!(!path.exists(), "what is damaged is removed");
        put(&cache, "a lesson");
        std::fs::write(&path, "b lesson").unwrap();
        assert!(cache.stream(Kind::Blob, &id).is_none());
        // Bytes that are not what they are said to be are not kept.
        cache.write(Kind::Blob, &id, &Bytes::from_static(b"c lesson"));
        assert!(!path.exists());
    }

    #[test]
    fn never_grows_far_beyond_its_size_and_keeps_what_was_used_last() {
        let home = tempfile::tempdir().unwrap();
        let limit = 64 * 1024;
        let cache = Cache::open(home.path(), limit).unwrap();
        let ids: Vec<_> = (0..100).map(|n| put(&cache, &format!("{n:2000}"))).collect();
        drop(cache);
        let cache = Cache::open(home.path(), limit).unwrap();
        let there = |id: &&Hash| cache.read(Kind::Blob, id, 10_000).is_some();
        let kept = ids.iter().filter(there).count() as u64;
        assert!(kept > 0 && kept * 2000 <= limit, "{kept} of 100 are kept");
        assert!(cache.inner.path(Kind::Blob, ids.last().unwrap()).exists());
        assert!(!cache.inner.path(Kind::Blob, &ids[0]).exists());
    }
}
