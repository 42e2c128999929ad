//! What a file's status tells about its having changed.

use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};

use crate::object::EntryKind;

/// A file's status. While it stays the same the content is the same, unless it changed within
/// the same tick of the clock as the status shows: see [`Fingerprint::settled_before`].
///
/// The change time is in it because no program can set it: an edit that keeps the size and puts
/// the modification time back still shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fingerprint {
    pub(super) size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
    inode: u64,
    mode: u32,
}

impl Fingerprint {
    #[expect(
        clippy::unnecessary_cast,
        clippy::cast_possible_wrap,
        reason = "types differ between systems"
    )]
    pub(super) fn new(stat: &Stat) -> Self {
        let nanos =
            |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000).saturating_add(nanos);
        Self {
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime_ns: nanos(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            ctime_ns: nanos(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32,
        }
    }

    /// Whether nobody may write to the file or run it.
    pub(super) const fn is_read_only(&self) -> bool {
        self.mode & 0o333 == 0
    }

    /// What the file is in a book; `None` for what no book holds.
    pub(super) fn kind(&self) -> Option<EntryKind> {
        match FileType::from_raw_mode(self.mode) {
            FileType::RegularFile if self.mode & 0o100 != 0 => Some(EntryKind::Executable),
            FileType::RegularFile => Some(EntryKind::File),
            FileType::Symlink => Some(EntryKind::Symlink),
            FileType::Directory => Some(EntryKind::Tree),
            _ => None,
        }
    }

    /// What the file is when no book can hold it.
    pub(super) fn special(&self) -> &'static str {
        match FileType::from_raw_mode(self.mode) {
            FileType::Fifo => "a FIFO",
            FileType::Socket => "a socket",
            FileType::BlockDevice | FileType::CharacterDevice => "a device",
            _ => "not a file, folder or symlink",
        }
    }

    /// Whether the file last changed before `tick`, so that a later change gets another time.
    pub(super) const fn settled_before(&self, tick: Tick) -> bool {
        self.ctime_ns < tick.0 && self.mtime_ns < tick.0
    }
}

/// A reading of the clock that stamps files, in its own coarse steps of a few milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick(i64);

impl Tick {
    /// The time that a file changed at this moment would be stamped with.
    ///
    /// Not the repository's clock: this is compared with nothing but stamps of files, and only
    /// decides whether a file is read once more.
    pub(super) fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = rustix::time::ClockId::RealtimeCoarse;
        #[cfg(not(target_os = "linux"))]
        let clock = rustix::time::ClockId::Realtime;
        let now = rustix::time::clock_gettime(clock);
        Self(now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec))
    }

    /// Waits until all these files are settled, as far as they last changed in this moment; at most
    /// a twentieth of a second.
    ///
    /// A file may be stamped with a finer time than this clock shows, which then lies ahead of it.
    pub(super) async fn pass(files: impl Iterator<Item = &Fingerprint>) {
        let Some(last) = files.map(|file| file.ctime_ns).max() else {
            return;
        };
        for _ in 0..25 {
            if Self::now().0 > last {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }
}
