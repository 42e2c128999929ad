//! Many objects made durable together.
//!
//! Objects are written to temporary files as they come. Publishing syncs all contents at once,
//! then gives every file its key, then syncs the names. So a key never names bytes that are not
//! on the disk, whatever happens in between, and thousands of files cost two syncs.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use object_store::path::Path as Key;

use super::LocalStore;
use super::disk::Syncer;
use super::temp::TempFile;

/// A batch of objects on their way to their keys.
#[derive(Debug)]
pub(crate) struct Stage {
    store: LocalStore,
    syncer: Syncer,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    files: Vec<(Key, TempFile)>,
    keys: BTreeSet<Key>,
    /// Keys found in place, whose names another process may not have synced yet.
    found: Vec<Key>,
}

/// A file being written into a [`Stage`].
#[derive(Debug)]
pub(crate) struct StagedFile<'a> {
    stage: &'a Stage,
    key: Key,
    temp: TempFile,
}

impl Stage {
    pub(super) fn new(store: LocalStore) -> io::Result<Self> {
        let syncer = store.inner.disk.syncer()?;
        Ok(Self { store, syncer, written: Mutex::default() })
    }

    /// Whether `key` is in the store with `size` bytes or in this batch; if in the store, it will
    /// be durable when this batch is.
    ///
    /// A file of another length is damaged, and counts as absent, so that it is written again.
    pub(crate) fn contains(&self, key: &Key, size: u64) -> io::Result<bool> {
        if self.lock().keys.contains(key) {
            return Ok(true);
        }
        let found = self.store.inner.disk.file_len(key.as_ref())? == Some(size);
        if found {
            self.lock().found.push(key.clone());
        }
        Ok(found)
    }

    /// Begins an object.
    pub(crate) fn file(&self, key: Key) -> io::Result<StagedFile<'_>> {
        Ok(StagedFile { stage: self, key, temp: self.store.temp_file()? })
    }

    /// Makes every object of this batch durable and visible.
    pub(crate) fn publish(&self) -> io::Result<()> {
        let Written { files, keys: _, found } = std::mem::take(&mut *self.lock());
        let disk = &self.store.inner.disk;
        disk.sync_contents(&self.syncer, files.iter().map(|(_, temp)| temp.path()))?;
        let mut names = found;
        for (key, temp) in files {
            disk.rename(temp.path(), key.as_ref())?;
            temp.forget();
            names.push(key);
        }
        if names.is_empty() {
            return Ok(());
        }
        disk.sync_names(&self.syncer, names.iter().map(AsRef::as_ref))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StagedFile<'_> {
    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.temp.write(bytes)
    }

    /// Adds the object to the batch. Dropping it instead removes it. Says whether it is the first
    /// of its key there.
    pub(crate) fn finish(mut self) -> bool {
        self.temp.close();
        let mut written = self.stage.lock();
        // Two writers of equal content: the second file is removed, the first is enough.
        let first = written.keys.insert(self.key.clone());
        if first {
            written.files.push((self.key, self.temp));
        }
        first
    }
}
