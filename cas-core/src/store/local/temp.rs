//! Unfinished files, and what is left of them after a crash.
//!
//! Every process that writes has a folder of its own under `tmp/`, locked for as long as it
//! lives. A folder whose lock can be had belongs to nobody any more: whoever opens the store next
//! makes durable what that process left, and removes the folder.
//!
//! In it each thread has a folder of its own, as far as there are enough: file systems make and
//! rename one file of a folder at a time, and threads would wait for each other.

use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};

use super::TEMP;
use super::disk::Disk;
use crate::env::Env;

/// How many folders the threads of a process share out among them.
const SHARDS: usize = 16;

/// How much of a file is copied at once, in bytes.
const COPY_BYTES: usize = 128 * 1024;

thread_local! {
    /// Which of the folders is this thread's.
    static SHARD: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS
    };
}

/// This process's folder of unfinished files, made when first needed.
#[derive(Debug, Default)]
pub(super) struct TempFolder {
    opened: Mutex<Option<Opened>>,
    next: AtomicU64,
}

#[derive(Debug)]
struct Opened {
    path: String,
    disk: std::sync::Arc<Disk>,
    /// Holds the lock until dropped.
    _lock: File,
}

/// A file without a key yet; removed when dropped, unless it was given one.
#[derive(Debug)]
pub(super) struct TempFile {
    disk: std::sync::Arc<Disk>,
    path: String,
    file: Option<File>,
    keep: bool,
}

impl TempFolder {
    /// A new, empty file.
    pub(super) fn file(&self, disk: &std::sync::Arc<Disk>) -> io::Result<TempFile> {
        let folder = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            match &*opened {
                Some(opened) => opened.path.clone(),
                None => opened.insert(Opened::new(disk)?).path.clone(),
            }
        };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let shard = format!("{folder}/{:x}", SHARD.with(|shard| *shard));
        let path = format!("{shard}/{number:x}");
        let file = match disk.create(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.make_folder(&shard)?;
                disk.create(&path)?
            }
            made => made?,
        };
        Ok(TempFile { disk: disk.clone(), path, file: Some(file), keep: false })
    }
}

impl Opened {
    fn new(disk: &std::sync::Arc<Disk>) -> io::Result<Self> {
        disk.make_folder(TEMP)?;
        settle_abandoned(disk)?;
        loop {
            let name = u128::from_be_bytes(Env::system().entropy.bytes());
            let path = format!("{TEMP}/{name:032x}");
            disk.make_folder(&path)?;
            // Between making and locking it, another process may have taken it for abandoned: it is
            // gone before it is opened, or before the lock is had.
            let lock = match disk.open_folder(&path) {
                Ok(folder) => File::from(folder),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            flock(&lock, FlockOperation::LockExclusive)?;
            if disk.stat(&path).is_ok() {
                return Ok(Self { path, disk: disk.clone(), _lock: lock });
            }
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // Best effort: whatever stays is removed by the next process that writes.
        let _ = remove_folder(&self.disk, &self.path);
    }
}

impl TempFile {
    /// Its path below the store's folder.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        self.disk.append(file, &self.path, bytes)
    }

    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.disk.write_at(file, &self.path, bytes, offset)
    }

    pub(super) fn copy_from(&mut self, source: &mut impl Read) -> io::Result<()> {
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            match source.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => self.write(&buffer[..read])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the content durable.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        self.disk.sync_file(file, &self.path)
    }

    /// Closes the file; its name stays until it is dropped.
    pub(super) fn close(&mut self) {
        self.file = None;
    }

    /// Leaves the file where it is now.
    pub(super) fn forget(mut self) {
        self.keep = true;
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.keep {
            let _ = self.disk.remove(&self.path);
        }
    }
}

/// Removes the folders of processes that are gone, after all that they did is durable.
///
/// Such a process was killed, perhaps between giving a name and syncing it. From now on others
/// rely on what it left: an import that finds its version there already says so, and a power cut
/// must not make that untrue. Never an error otherwise: the folders only take up space.
pub(super) fn settle_abandoned(disk: &Disk) -> io::Result<()> {
    let mut is_synced = false;
    for name in disk.names(TEMP).unwrap_or_default() {
        let path = format!("{TEMP}/{name}");
        let Ok(folder) = disk.open_folder(&path) else {
            continue;
        };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() {
            if !is_synced {
                disk.sync_everything()?;
                is_synced = true;
            }
            let _ = remove_folder(disk, &path);
        }
    }
    Ok(())
}

/// Removes a process's folder: those of its threads, and what is right in it.
fn remove_folder(disk: &Disk, path: &str) -> io::Result<()> {
    for name in disk.names(path)? {
        let inner = format!("{path}/{name}");
        match disk.names(&inner) {
            Ok(names) => {
                for name in names {
                    disk.remove(&format!("{inner}/{name}"))?;
                }
                disk.remove_folder(&inner)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => disk.remove(&inner)?,
            Err(error) => return Err(error),
        }
    }
    disk.remove_folder(path)
}
