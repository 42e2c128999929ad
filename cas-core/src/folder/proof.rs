//! Whether a folder still is what its index says, by statuses alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::handle::{Handle, Walked};
use super::index::{Index, IndexEntry};
use super::plan::split;
use super::stat::Fingerprint;
use crate::name::TreeId;
use crate::object::Totals;

/// How many files a thread takes at once.
const PIECE: usize = 512;

/// What one thread looks at.
enum Piece<'a> {
    Files(&'a [IndexEntry]),
    Folders(&'a [(String, Fingerprint)]),
}

/// The tree that the folder is, and its totals, if the index tells it and all statuses prove it.
pub(super) fn proven_root(root: &Handle, index: &Index) -> Option<(TreeId, Totals)> {
    std::thread::scope(|scope| {
        let tree = scope.spawn(|| index.root());
        if proves_all(root, index) { tree.join().ok().flatten() } else { None }
    })
}

/// Whether every file that the index knows is there, with a status that proves its content, and
/// every folder of which it knows all.
///
/// Anything that is not so, or cannot be looked at, is `false`: who asks then looks closer.
fn proves_all(root: &Handle, index: &Index) -> bool {
    let folders = index.folders.as_ref().map_or(&[][..], |folders| &folders.all);
    let pieces = folders.chunks(PIECE).map(Piece::Folders);
    let pieces: Vec<_> = pieces.chain(index.entries().chunks(PIECE).map(Piece::Files)).collect();
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) || !piece.proves(root).unwrap_or(false) {
                failed.store(true, Ordering::Relaxed);
                return;
            }
        }
    };
    let threads = super::scan::threads().min(pieces.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    !failed.into_inner()
}

impl Piece<'_> {
    fn proves(&self, root: &Handle) -> std::io::Result<bool> {
        match self {
            Self::Files(entries) => proves_files(root, entries),
            Self::Folders(folders) => {
                for (path, known) in *folders {
                    let Walked::Opened(handle) = root.walk(path)? else {
                        return Ok(false);
                    };
                    if handle.fingerprint()? != *known {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

/// The same of some files, sorted by path.
fn proves_files(root: &Handle, entries: &[IndexEntry]) -> std::io::Result<bool> {
    let mut open: Option<(&str, Handle)> = None;
    for IndexEntry { path, known } in entries {
        let (folder, name) = split(path);
        let handle = match open.take() {
            Some((at, handle)) if at == folder => handle,
            _ => match root.walk(folder)? {
                Walked::Opened(handle) => handle,
                Walked::Missing | Walked::Blocked(_) => return Ok(false),
            },
        };
        if !handle.stat(name)?.is_some_and(|stat| known.proves(&stat)) {
            return Ok(false);
        }
        open = Some((folder, handle));
    }
    Ok(true)
}
