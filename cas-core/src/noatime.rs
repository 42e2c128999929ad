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
