//! Many new keys at once, each put-if-absent.
//!
//! One such put is made durable by a chain of syncs: its content, then every folder on its path.
//! Here all contents are synced together, then every file is linked to its key, then all names
//! are synced together, so that a thousand puts wait for the disk twice. As with a single put, a
//! key never names bytes that are not on the disk, and a link has exactly one winner.

use std::io;

use bytes::Bytes;
use object_store::path::Path as Key;

use super::disk::Made;
use super::{LocalStore, check};

/// What became of objects that were put together.
#[derive(Debug)]
pub(crate) struct Fresh {
    /// For each, whether its key names it by this call. If not, the key was taken or something
    /// failed, and putting that one by itself tells which.
    pub(crate) made: Vec<bool>,
    /// Whether those that were made are durable. After an error a power cut may undo them.
    pub(crate) durable: io::Result<()>,
}

impl Fresh {
    /// Nothing was made of so many objects.
    pub(crate) fn nothing(objects: usize) -> Self {
        Self { made: vec![false; objects], durable: Ok(()) }
    }
}

impl LocalStore {
    /// Gives every object its key, unless that is taken.
    ///
    /// All of them are unfinished files at once: the caller bounds how many there are.
    pub(crate) fn put_new(&self, objects: &[(Key, Bytes)]) -> Fresh {
        let disk = &self.inner.disk;
        let mut fresh = Fresh::nothing(objects.len());
        let Ok(syncer) = disk.syncer() else { return fresh };
        let written: Vec<_> =
            objects.iter().map(|(key, bytes)| self.write_new(key, bytes)).collect();
        let paths: Vec<_> = written.iter().flatten().map(super::TempFile::path).collect();
        if paths.is_empty() || disk.sync_contents(&syncer, paths.into_iter()).is_err() {
            return fresh;
        }
        let mut names = Vec::with_capacity(objects.len());
        for (at, ((key, _), temp)) in objects.iter().zip(written).enumerate() {
            let Ok(temp) = temp else { continue };
            fresh.made[at] = matches!(disk.link_new(temp.path(), key.as_ref()), Ok(Made::Linked));
            // Whatever the answer was, it may be there, and what is there is about to be relied on.
            names.push(key.as_ref());
        }
        fresh.durable = disk.sync_names(&syncer, names);
        fresh
    }

    /// A finished file, not yet synced.
    fn write_new(&self, key: &Key, bytes: &[u8]) -> io::Result<super::TempFile> {
        check(key).map_err(io::Error::other)?;
        let mut temp = self.temp_file()?;
        temp.write(bytes)?;
        temp.close();
        Ok(temp)
    }
}
