//! Archives: a version, or part of it, as one stream of bytes.
//!
//! The same tree, format and choice give the same bytes, on every machine and from every store:
//!
//! - entries are in the order of their paths' bytes, named by their full path in the book;
//!   folders are what the paths say, and have no entries;
//! - every entry is owned by 0:0 and of 1980-01-01 00:00:00 UTC, the earliest time that a zip can
//!   say; files have mode 644, executables 755; symlinks are symlinks.
//!
//! Trees are read first, and a version that cannot be laid out on a disk is refused before the
//! first byte. Blobs are read in order while the archive is read, and verified before their last
//! bytes are handed over: one that is missing or damaged ends the stream in an error, so that
//! nobody ever takes half an archive for a whole one.

mod contents;
mod pieces;
mod tar;
mod zip;
mod zst;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

pub use pieces::Pieces;

use super::{Globs, Leaf, PathFault, RepoError, Repository};
use crate::name::{BookPath, Hash, NameError, TreeId};
use crate::object::EntryKind;
use crate::store::Store;

/// Which bytes an archive is made of, besides its tree, format and choice. Whatever changes them,
/// be it here or in a compressor, changes this number, and with it every [`ArchiveRequest::tag`].
pub const ARCHIVE_VERSION: u32 = 1;

/// The time of every entry, in seconds since 1970: 1980-01-01 00:00:00 UTC.
const MTIME: u64 = 315_532_800;

/// The form of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A tar.
    Tar,
    /// A tar, compressed with zstd.
    TarZst,
    /// A zip.
    Zip,
}

/// What an archive is to hold.
#[derive(Debug, Clone)]
pub struct ArchiveRequest {
    /// The tree.
    pub tree: TreeId,
    /// The form.
    pub format: ArchiveFormat,
    /// Only what is at this path or below it. Names stay those of the whole tree.
    pub path: BookPath,
    /// Only what these choose, by full paths.
    pub globs: Globs,
}

/// An archive that can be made: its trees were read, and nothing is wrong with them.
#[derive(Debug)]
pub struct Archive {
    format: ArchiveFormat,
    store: Store,
    leaves: Vec<Leaf>,
    /// How long the tar is.
    tar_length: u64,
}

impl ArchiveFormat {
    /// All forms.
    pub const ALL: [Self; 3] = [Self::Tar, Self::TarZst, Self::Zip];

    /// The ending of a file's name, without its dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Tar => "tar",
            Self::TarZst => "tar.zst",
            Self::Zip => "zip",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::TarZst => "application/zstd",
            Self::Zip => "application/zip",
        }
    }
}

impl fmt::Display for ArchiveFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl FromStr for ArchiveFormat {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|format| format.extension() == text).ok_or_else(|| {
            NameError::new("archive format", text, "the formats are tar, tar.zst and zip")
        })
    }
}

impl ArchiveRequest {
    /// Names the bytes of the archive: two requests with one tag give the same bytes. Safe inside
    /// an entity tag and in a file's name.
    pub fn tag(&self) -> String {
        let mut choice = blake3::Hasher::new();
        let globs = self.globs.patterns().iter().map(String::as_str);
        for part in [self.format.extension(), self.path.as_str()].into_iter().chain(globs) {
            choice.update(&(part.len() as u64).to_le_bytes());
            choice.update(part.as_bytes());
        }
        let choice = Hash::from_bytes(*choice.finalize().as_bytes()).to_hex();
        format!("{}-{ARCHIVE_VERSION}-{}", self.tree, &choice[..16])
    }
}

impl Repository {
    /// Reads the trees of an archive, and refuses one that cannot be laid out on a disk.
    pub async fn archive(&self, request: &ArchiveRequest) -> Result<Archive, RepoError> {
        let leaves = self.leaves(request.tree, &request.path, &request.globs).await?;
        let links = leaves.iter().filter(|leaf| leaf.kind == EntryKind::Symlink);
        let faults = self.link_faults(links.cloned().collect()).await;
        let faults = faults.map_err(|(_, source)| source)?;
        if !faults.is_empty() {
            return Err(RepoError::BadTree { faults });
        }
        let too_large = || {
            let reason = "its files have more bytes than a number holds".to_owned();
            RepoError::BadTree { faults: vec![PathFault { path: String::new(), reason }] }
        };
        let tar_length = tar::length(&leaves).ok_or_else(too_large)?;
        Ok(Archive { format: request.format, store: self.store.clone(), leaves, tar_length })
    }
}

impl Archive {
    /// How many files there are.
    pub fn files(&self) -> usize {
        self.leaves.len()
    }

    /// How many bytes the archive has, where that is known beforehand: of a tar.
    pub fn length(&self) -> Option<u64> {
        (self.format == ArchiveFormat::Tar).then_some(self.tar_length)
    }

    /// The whole archive.
    pub fn stream(self) -> Pieces {
        let Self { format, store, leaves, tar_length } = self;
        let tar = |store, leaves| tar::stream(store, leaves, 0..tar_length);
        match format {
            ArchiveFormat::Tar => tar(store, leaves),
            ArchiveFormat::TarZst => zst::compress(tar(store, leaves), tar_length),
            ArchiveFormat::Zip => zip::stream(store, leaves),
        }
    }

    /// The bytes in `range` of an archive whose [length](Self::length) is known; what lies
    /// beyond its end is left out. `None` of any other.
    pub fn stream_range(self, range: Range<u64>) -> Option<Pieces> {
        let length = self.length()?;
        let end = range.end.min(length);
        Some(tar::stream(self.store, self.leaves, range.start.min(end)..end))
    }
}
