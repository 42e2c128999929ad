//! Opening files and folders to read them, without the file system's writing down when.
//!
//! Linux writes the time of the first reading after a change into the inode, and that into the
//! journal: reading what was just stored would cost more for that than for the bytes.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{self, Mode, OFlags};
use rustix::path::Arg;

/// Opens `path` in the folder `dir` with `flags`, which are to read only.
pub(crate) fn open(dir: impl AsFd, path: impl Arg + Copy, flags: OFlags) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    match fs::openat(&dir, path, flags | OFlags::NOATIME, Mode::empty()) {
        // Only the owner may ask for it.
        Err(rustix::io::Errno::PERM) => {}
        opened => return Ok(opened?),
    }
    Ok(fs::openat(&dir, path, flags, Mode::empty())?)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs::{File, FileTimes};
    use std::io::Read;
    use std::time::{Duration, SystemTime};

    use super::*;

    /// A file last read long before it was written is one whose next reading Linux writes down.
    #[test]
    fn reading_is_not_written_down() {
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "once upon a time").unwrap();
        file.as_file().set_times(FileTimes::new().set_accessed(long_ago)).unwrap();

        let mut text = String::new();
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        File::from(open(fs::CWD, file.path(), flags).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "once upon a time");
        assert_eq!(file.path().metadata().unwrap().accessed().unwrap(), long_ago);
    }

    /// The root folder is the administrator's: anyone may open it, nobody else without a trace.
    #[test]
    fn what_belongs_to_others_is_opened_all_the_same() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        open(fs::CWD, "/", flags).unwrap();
    }
}
