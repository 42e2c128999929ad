//! What the last import of a folder left: the index, which spares reading most of it again.

use std::path::Path;

use super::{Difference, ImportOptions, ImportReport, Present, Settled};
use crate::folder::handle::Handle;
use crate::folder::index::{Folders, Index, IndexEntry, Known};
use crate::folder::proof::proven_root;
use crate::folder::scan::{Scan, ScannedFile};

/// The index, and what this import is to do.
#[derive(Debug)]
pub(super) struct Remembered<'a> {
    options: &'a ImportOptions,
    index: Index,
}

impl<'a> Remembered<'a> {
    pub(super) fn load(options: &'a ImportOptions) -> Self {
        let bytes = options.index.as_deref().and_then(|file| std::fs::read(file).ok());
        let index = bytes.and_then(|bytes| Index::decode(&bytes)).unwrap_or_default();
        Self { options, index }
    }

    /// What the index knows of the files scanned in a folder.
    pub(super) fn recall(&self, folder: &str, files: &[ScannedFile]) -> Vec<Option<Known>> {
        let below = self.index.below(folder);
        let known = files.iter().map(|file| {
            let known = below.get(file.name.as_str())?.known;
            (known.proves(&file.stat) && known.kind() == file.kind).then_some(known)
        });
        known.collect()
    }

    /// The report, if the statuses of all files and folders show that the folder at `path` is what
    /// it was, and that is the branch's present tree. Nothing is listed.
    pub(super) fn unchanged(&self, path: &Path, present: Present) -> Option<ImportReport> {
        let folders = self.index.folders.as_ref()?;
        if self.options.verify_existing || folders.exclude != self.options.exclude {
            return None;
        }
        let (root, totals) = proven_root(&Handle::open(path).ok()?, &self.index)?;
        let is_present = present.tree == Some(root);
        is_present.then(|| ImportReport::new(present, (root, totals), &Difference::default()))
    }
}

/// What the folders were, if that will show whether they still are.
pub(super) fn folders(scan: &Scan, exclude: &[String]) -> Option<Folders> {
    let folders = scan.folders.iter().filter(|folder| !folder.is_store && !scan.is_hidden);
    let all: Option<Vec<_>> =
        folders.map(|folder| Some((folder.path.clone(), folder.stat?))).collect();
    let all = all.filter(|all| !all.is_empty())?;
    Some(Folders { exclude: exclude.to_owned(), all })
}

/// Keeps what is known for the next import.
pub(super) fn save(
    path: &Path,
    scan: &Scan,
    settled: &Settled,
    folders: Option<Folders>,
) -> std::io::Result<()> {
    let entries = scan.folders.iter().zip(settled).flat_map(|(folder, settled)| {
        folder.files.iter().zip(settled).filter_map(|(file, known)| {
            let (path, known) = (folder.join(file.name.as_str()), (*known)?);
            Some(IndexEntry { path, known })
        })
    });
    let mut index = Index::new(None, entries.collect());
    index.folders = folders;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut temp = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temp, &index.encode()?)?;
    temp.persist(path)?;
    Ok(())
}
