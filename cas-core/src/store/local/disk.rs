//! The system calls: everything relative to one handle of the store's folder.
//!
//! Nothing else in this folder writes, renames, removes or syncs, so that what is recorded here is
//! all that the disk is asked to do.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use object_store::ObjectMeta;
use object_store::path::Path as Key;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};

use super::record::{Call, Recorder};
use crate::noatime;

/// Up to this many files or folders are synced one by one; beyond, the whole file system at once.
///
/// One `fsync` costs about as much as one `syncfs` of few files, but `syncfs` also waits for what
/// other programs wrote.
const FEW: usize = 16;

/// How many folders are remembered to have durable names.
const REMEMBERED: usize = 4_096;

/// A folder, by handle.
#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    dir: OwnedFd,
    recorder: Option<Arc<dyn Recorder>>,
    /// Folders whose own names are durable.
    durable: Mutex<BTreeSet<String>>,
}

/// A handle to sync by, opened before anything is written that it is to make durable.
///
/// When the system could not write something back, the next `syncfs` of each handle that was open by
/// then tells so, once. Of batches that shared a handle only one would learn that its bytes are lost.
#[derive(Debug)]
pub(super) struct Syncer(OwnedFd);

/// The folders on the way to some files.
#[derive(Default)]
struct Way<'a> {
    /// Those to be synced.
    folders: BTreeSet<&'a str>,
    /// Those whose own names are durable after that.
    named: BTreeSet<&'a str>,
}

/// How a temporary file got its name.
pub(super) enum Made {
    /// It was renamed.
    Moved,
    /// It was linked and still has its temporary name as well.
    Linked,
    /// Not at all: the name was taken.
    Existed,
}

impl Disk {
    pub(super) fn open(root: &Path, recorder: Option<Arc<dyn Recorder>>) -> io::Result<Self> {
        let root = std::path::absolute(root)?;
        let dir =
            fs::open(&root, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { root, dir, recorder, durable: Mutex::default() })
    }

    /// Begins to watch for what cannot be written back.
    pub(super) fn syncer(&self) -> io::Result<Syncer> {
        self.open_folder("").map(Syncer)
    }

    fn note(&self, call: impl FnOnce() -> Call) {
        if let Some(recorder) = &self.recorder {
            recorder.record(call());
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Opens a regular file for reading.
    pub(super) fn read(&self, path: &str) -> io::Result<(File, Stat)> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = noatime::open(&self.dir, path, flags)?;
        let stat = fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok((file.into(), stat))
    }

    pub(super) fn stat(&self, path: &str) -> io::Result<Stat> {
        Ok(fs::statat(&self.dir, path, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The length of the regular file at `path`, if there is one.
    pub(super) fn file_len(&self, path: &str) -> io::Result<Option<u64>> {
        match self.stat(path) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {
                Ok(Some(u64::try_from(stat.st_size).unwrap_or_default()))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a new file; fails if the name is taken.
    pub(super) fn create(&self, path: &str) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        // Objects never change; the mode says so to every other program.
        let file = fs::openat(&self.dir, path, flags, Mode::from_raw_mode(0o444))?;
        self.note(|| Call::Create(path.to_owned()));
        Ok(file.into())
    }

    /// Appends to a file that [`create`](Self::create) made at `path`.
    pub(super) fn append(&self, file: &mut File, path: &str, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)?;
        self.note(|| Call::Append(path.to_owned(), bytes.to_vec()));
        Ok(())
    }

    /// Writes into a file that [`create`](Self::create) made at `path`.
    pub(super) fn write_at(
        &self,
        file: &File,
        path: &str,
        bytes: &[u8],
        offset: u64,
    ) -> io::Result<()> {
        file.write_all_at(bytes, offset)?;
        self.note(|| Call::WriteAt(path.to_owned(), offset, bytes.to_vec()));
        Ok(())
    }

    /// Makes the content of the file at `path` durable.
    pub(super) fn sync_file(&self, file: &File, path: &str) -> io::Result<()> {
        file.sync_data()?;
        self.note(|| Call::SyncFile(path.to_owned()));
        Ok(())
    }

    pub(super) fn open_folder(&self, path: &str) -> io::Result<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        noatime::open(&self.dir, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC)
    }

    /// The names in a folder, in no order.
    pub(super) fn names(&self, path: &str) -> io::Result<Vec<String>> {
        self.some_names(path, usize::MAX)
    }

    /// At most `limit` of the names in a folder, in no order.
    pub(super) fn some_names(&self, path: &str, limit: usize) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::Dir::new(self.open_folder(path)?)? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(name.to_string_lossy().into_owned());
            }
            if names.len() >= limit {
                break;
            }
        }
        Ok(names)
    }

    /// Makes one folder; that it is there already is fine.
    pub(super) fn make_folder(&self, path: &str) -> io::Result<()> {
        match fs::mkdirat(&self.dir, path, Mode::from_raw_mode(0o777)) {
            Ok(()) => {
                self.note(|| Call::MakeFolder(path.to_owned()));
                Ok(())
            }
            Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Links the file `from` to the new name `to`, making folders as needed.
    pub(super) fn link_new(&self, from: &str, to: &str) -> io::Result<Made> {
        let linked =
            self.with_folders(to, || fs::linkat(&self.dir, from, &self.dir, to, AtFlags::empty()));
        match linked {
            Ok(()) => {
                self.note(|| Call::Link(from.to_owned(), to.to_owned()));
                Ok(Made::Linked)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Made::Existed),
            Err(error) => Err(error),
        }
    }

    /// Renames `from` to `to`, replacing what is there, making folders as needed.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<Made> {
        self.with_folders(to, || fs::renameat(&self.dir, from, &self.dir, to))?;
        self.note(|| Call::Rename(from.to_owned(), to.to_owned()));
        Ok(Made::Moved)
    }

    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        fs::unlinkat(&self.dir, path, AtFlags::empty())?;
        self.note(|| Call::Remove(path.to_owned()));
        Ok(())
    }

    pub(super) fn remove_folder(&self, path: &str) -> io::Result<()> {
        fs::unlinkat(&self.dir, path, AtFlags::REMOVEDIR)?;
        // One that is made anew has a name that is not durable.
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
        self.note(|| Call::RemoveFolder(path.to_owned()));
        Ok(())
    }

    /// Makes the contents of these files durable.
    pub(super) fn sync_contents<'a>(
        &self,
        by: &Syncer,
        paths: impl ExactSizeIterator<Item = &'a str>,
    ) -> io::Result<()> {
        if paths.len() > FEW && self.sync_all(&by.0)? {
            return Ok(());
        }
        for path in paths {
            self.sync_file(&self.read(path)?.0, path)?;
        }
        Ok(())
    }

    /// Makes the name of this file durable.
    pub(super) fn sync_name(&self, path: &str) -> io::Result<()> {
        self.sync_folders(&self.on_the_way([path]))
    }

    /// Makes the names of these files durable: syncs every folder on their paths.
    ///
    /// Also folders that were there before: another process may have made them, or linked a name
    /// in them, a moment ago and not synced them yet. A folder whose own name this process has made
    /// durable stays where it is, so those above it need not be synced for its sake again.
    pub(super) fn sync_names<'a>(
        &self,
        by: &Syncer,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> io::Result<()> {
        let way = self.on_the_way(paths);
        if way.folders.len() > FEW && self.sync_all(&by.0)? {
            return Ok(());
        }
        self.sync_folders(&way)
    }

    /// What is to be synced for the names of these files.
    fn on_the_way<'a>(&self, paths: impl IntoIterator<Item = &'a str>) -> Way<'a> {
        let mut way = Way::default();
        let durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        for path in paths {
            let mut folder = folder_of(path);
            way.folders.insert(folder);
            while !folder.is_empty() && !durable.contains(folder) {
                way.named.insert(folder);
                folder = folder_of(folder);
                way.folders.insert(folder);
            }
        }
        way
    }

    /// Syncs folders one by one.
    fn sync_folders(&self, way: &Way<'_>) -> io::Result<()> {
        for folder in &way.folders {
            File::from(self.open_folder(folder)?).sync_all()?;
            self.note(|| Call::SyncFolder((*folder).to_owned()));
        }
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.len() > REMEMBERED {
            durable.clear();
        }
        durable.extend(way.named.iter().map(|folder| (*folder).to_owned()));
        Ok(())
    }

    /// Makes everything durable that anybody did until now.
    pub(super) fn sync_everything(&self) -> io::Result<()> {
        if !self.sync_all(&self.dir)? {
            fs::sync();
            self.note(|| Call::SyncAll);
        }
        Ok(())
    }

    /// Syncs the whole file system, where the system can; otherwise says `false`.
    #[cfg(target_os = "linux")]
    fn sync_all(&self, by: &OwnedFd) -> io::Result<bool> {
        fs::syncfs(by)?;
        self.note(|| Call::SyncAll);
        Ok(true)
    }

    /// Syncs the whole file system, where the system can; otherwise says `false`.
    #[cfg(not(target_os = "linux"))]
    #[expect(
        clippy::unnecessary_wraps,
        clippy::unused_self,
        reason = "one signature on every system"
    )]
    fn sync_all(&self, _: &OwnedFd) -> io::Result<bool> {
        Ok(false)
    }

    /// Does `act`, and if a folder on the way to `path` is missing, makes it and does it again.
    fn with_folders(&self, path: &str, act: impl Fn() -> rustix::io::Result<()>) -> io::Result<()> {
        match act() {
            Err(rustix::io::Errno::NOENT) => {}
            other => return Ok(other?),
        }
        for (at, _) in path.match_indices('/') {
            self.make_folder(&path[..at])?;
        }
        Ok(act()?)
    }
}

/// The folder in which a file or folder is; empty for the store's own.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What `object_store` tells about an object.
pub(super) fn meta(location: Key, stat: &Stat) -> ObjectMeta {
    let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or_default();
    ObjectMeta {
        location,
        last_modified: chrono::DateTime::from_timestamp(stat.st_mtime, nanos).unwrap_or_default(),
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        e_tag: Some(e_tag(stat)),
        version: None,
    }
}

/// A tag that differs whenever the file was replaced or changed.
pub(super) fn e_tag(stat: &Stat) -> String {
    format!("{:x}-{:x}.{:x}-{:x}", stat.st_ino, stat.st_mtime, stat.st_mtime_nsec, stat.st_size)
}
