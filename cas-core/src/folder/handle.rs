//! Directories by handle: paths are walked down from one and never through a symlink.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::fs::ResolveFlags;
use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::stat::Fingerprint;
use crate::noatime;

/// An open directory.
#[derive(Debug)]
pub(super) struct Handle(OwnedFd);

/// Where walking down a path ended.
#[derive(Debug)]
pub(super) enum Walked {
    /// At the directory.
    Opened(Handle),
    /// Before it: a directory on the way is missing.
    Missing,
    /// Before it: this path, the first so many bytes, is something else than a directory.
    Blocked(usize),
}

/// Device and inode of what `path` leads to: two paths with equal ones are one folder.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Handle {
    /// Opens the directory that the user named, wherever it leads.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(fs::open(path, flags, Mode::empty())?))
    }

    /// Opens the directory `name` in this one.
    pub(super) fn folder(&self, name: &str) -> io::Result<Self> {
        Ok(Self(noatime::open(&self.0, name, FOLDER)?))
    }

    /// Walks down `path`, which is relative; empty for this directory itself. There is nothing at
    /// a path that leads upwards: an index may come from anywhere.
    pub(super) fn walk(&self, path: &str) -> io::Result<Walked> {
        if path.split('/').any(|name| matches!(name, "." | "..")) {
            return Ok(Walked::Missing);
        }
        if let Some(opened) = self.open_below(path) {
            return Ok(Walked::Opened(opened));
        }
        let mut at = Self(self.0.try_clone()?);
        let mut walked = 0;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            walked += name.len() + usize::from(walked > 0);
            match fs::openat(&at.0, name, FOLDER, Mode::empty()) {
                Ok(below) => at = Self(below),
                Err(Errno::NOENT) => return Ok(Walked::Missing),
                Err(Errno::NOTDIR | Errno::LOOP) => return Ok(Walked::Blocked(walked)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Walked::Opened(at))
    }

    /// The directory at `path` below this one in one call, if the system can do that and no symlink
    /// is on the way.
    #[cfg(target_os = "linux")]
    fn open_below(&self, path: &str) -> Option<Self> {
        if path.is_empty() {
            return None;
        }
        let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
        fs::openat2(&self.0, path, FOLDER, Mode::empty(), resolve).ok().map(Self)
    }

    /// Not on this system.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "one signature on every system")]
    const fn open_below(&self, _: &str) -> Option<Self> {
        None
    }

    /// Walks down `path`, making the directories that are missing.
    pub(super) fn make(&self, path: &str) -> io::Result<Self> {
        if let Some(opened) = self.open_below(path) {
            return Ok(opened);
        }
        let mut at = Self(self.0.try_clone()?);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            let below = match fs::openat(&at.0, name, FOLDER, Mode::empty()) {
                Err(Errno::NOENT) => {
                    match fs::mkdirat(&at.0, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    fs::openat(&at.0, name, FOLDER, Mode::empty())
                }
                other => other,
            };
            at = Self(below?);
        }
        Ok(at)
    }

    /// The status of this directory.
    pub(super) fn stat_self(&self) -> io::Result<fs::Stat> {
        Ok(fs::fstat(&self.0)?)
    }

    /// The same as what it tells about a change: of a name having come or gone.
    pub(super) fn fingerprint(&self) -> io::Result<Fingerprint> {
        Ok(Fingerprint::new(&self.stat_self()?))
    }

    /// Whether the file system is one of those known to change the status of a directory with every
    /// name that comes or goes in it.
    #[cfg(target_os = "linux")]
    #[expect(clippy::unnecessary_cast, reason = "types differ between systems")]
    pub(super) fn notes_names(&self) -> bool {
        const BTRFS: i64 = 0x9123_683e;
        const EXT: i64 = 0xef53;
        const F2FS: i64 = 0xf2f5_2010;
        const OVERLAY: i64 = 0x794c_7630;
        const TMPFS: i64 = 0x0102_1994;
        const XFS: i64 = 0x5846_5342;
        const ZFS: i64 = 0x2fc1_2fc1;
        let kind = fs::fstatfs(&self.0).map(|found| found.f_type as i64);
        kind.is_ok_and(|kind| [BTRFS, EXT, F2FS, OVERLAY, TMPFS, XFS, ZFS].contains(&kind))
    }

    /// Nothing is known of other systems.
    #[cfg(not(target_os = "linux"))]
    #[expect(clippy::unused_self, reason = "one signature on every system")]
    pub(super) const fn notes_names(&self) -> bool {
        false
    }

    /// The status of `name`, itself if it is a symlink; `None` if there is nothing.
    pub(super) fn stat(&self, name: &str) -> io::Result<Option<Fingerprint>> {
        match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Fingerprint::new(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The same for a path, never through a symlink.
    pub(super) fn stat_path(&self, path: &str) -> io::Result<Option<Fingerprint>> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        match self.walk(folder)? {
            Walked::Opened(folder) => folder.stat(name),
            Walked::Missing | Walked::Blocked(_) => Ok(None),
        }
    }

    /// Takes the lock of this directory until the handle is dropped. Says whether it could.
    pub(super) fn lock(&self) -> io::Result<bool> {
        match fs::flock(&self.0, fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The status of a name that need not be UTF-8.
    pub(super) fn stat_raw(&self, name: &CStr) -> io::Result<Fingerprint> {
        Ok(Fingerprint::new(&fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }

    /// Opens a file for reading; never waits for the other end of a FIFO.
    pub(super) fn read(&self, path: impl rustix::path::Arg + Copy) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(noatime::open(&self.0, path, flags)?.into())
    }

    /// Where the symlink at `path` points.
    pub(super) fn read_link(&self, path: &str) -> io::Result<Vec<u8>> {
        Ok(fs::readlinkat(&self.0, path, Vec::new())?.into_bytes())
    }

    /// Makes a new file; fails if there is anything of that name.
    pub(super) fn create(&self, name: &str, executable: bool) -> io::Result<File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = if executable { 0o777 } else { 0o666 };
        Ok(fs::openat(&self.0, name, flags, Mode::from_raw_mode(mode))?.into())
    }

    /// Makes `to` in `folder` another name of the file at `path` below this directory; fails if
    /// there is anything of that name.
    pub(super) fn link(&self, path: &str, folder: &Self, to: &str) -> io::Result<()> {
        Ok(fs::linkat(&self.0, path, &folder.0, to, AtFlags::empty())?)
    }

    /// Makes a new symlink; fails if there is anything of that name.
    pub(super) fn symlink(&self, name: &str, target: &[u8]) -> io::Result<()> {
        Ok(fs::symlinkat(target, &self.0, name)?)
    }

    /// Moves `name` to `to` in `folder`, replacing a file that is there.
    pub(super) fn rename(&self, name: &str, folder: &Self, to: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.0, name, &folder.0, to)?)
    }

    /// Removes a file or symlink; that it is gone already is fine.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a directory if it is empty. Says whether it is gone.
    pub(super) fn remove_empty(&self, name: &str) -> io::Result<bool> {
        match fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The names in this directory, in no order; those that are not UTF-8 with replacements.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                names.push(name.to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    /// The entries of this directory as the system lists them.
    pub(super) fn entries(&self) -> io::Result<fs::Dir> {
        Ok(fs::Dir::read_from(&self.0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_down_and_never_up_or_through_a_symlink() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/file"), "").unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        let root = Handle::open(folder.path()).unwrap();
        for path in ["", "a", "a/b"] {
            let Walked::Opened(found) = root.walk(path).unwrap() else { panic!("{path:?}") };
            let there = identity(&folder.path().join(path)).unwrap();
            assert_eq!(found.stat_self().map(|stat| stat.st_ino).unwrap(), there.1, "{path:?}");
        }
        for path in ["..", "a/..", "a/../..", "./a", "missing", "a/missing", "/", "/etc"] {
            let found = root.walk(path).unwrap();
            assert!(!matches!(&found, Walked::Opened(at) if at.escapes(&root)), "{path:?}");
        }
        for (path, end) in [("link", 4), ("link/b", 4), ("a/file", 6), ("a/file/x", 6)] {
            let found = root.walk(path).unwrap();
            assert!(matches!(found, Walked::Blocked(at) if at == end), "{path:?}: {found:?}");
        }
    }

    impl Handle {
        /// Whether this is neither the directory `root` nor one right below it.
        fn escapes(&self, root: &Self) -> bool {
            let inode = |at: &Self| at.stat_self().unwrap().st_ino;
            let above = self.folder("..").map(|above| inode(&above));
            inode(self) != inode(root) && above.ok() != Some(inode(root))
        }
    }
}
