//! What the last import of a folder left: the index, which spares reading most of it again.

use std::path::Path;

use super::{Difference, ImportOptions, ImportReport, Present, Settled};
use crate::folder::index::{Index, IndexEntry};
use crate::folder::scan::{Scan, ScannedFolder, threads};
use crate::name::TreeId;
use crate::object::Totals;

/// The index, and what follows from it.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    index: Index,
    /// The tree that all its files make.
    root: Option<(TreeId, Totals)>,
}

impl Remembered {
    pub(super) fn load(options: &ImportOptions) -> Self {
        let bytes = options.index.as_deref().and_then(|path| std::fs::read(path).ok());
        let index = bytes.and_then(|bytes| Index::decode(&bytes)).unwrap_or_default();
        Self { root: index.root(), index }
    }

    /// What the index knows of the scanned files.
    pub(super) fn recall(&self, scan: &Scan) -> Settled {
        let recall = |folder: &ScannedFolder| {
            let below = self.index.below(&folder.path);
            let files = folder.files.iter().map(|file| {
                let known = below.get(file.name.as_str())?.known;
                (known.proves(&file.stat) && known.kind() == file.kind).then_some(known)
            });
            files.collect()
        };
        let part = |folders: &[ScannedFolder]| folders.iter().map(recall).collect::<Settled>();
        let size = scan.folders.len().div_ceil(threads()).max(1);
        std::thread::scope(|scope| {
            let parts: Vec<_> = scan
                .folders
                .chunks(size)
                .map(|folders| scope.spawn(move || part(folders)))
                .collect();
            let parts = parts.into_iter().map(|part| match part.join() {
                Ok(part) => part,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            parts.flatten().collect()
        })
    }

    /// The report, if the index knows just the files that are there, and they make the branch's
    /// present tree.
    pub(super) fn unchanged(&self, present: Present, settled: &Settled) -> Option<ImportReport> {
        let files = settled.iter().map(Vec::len).sum::<usize>();
        let all_known = settled.iter().flatten().all(Option::is_some);
        let (root, totals) = self.root?;
        let same = all_known && files == self.index.entries().len() && present.tree == Some(root);
        same.then(|| ImportReport::new(present, (root, totals), &Difference::default()))
    }
}

/// Keeps what is known for the next import.
pub(super) fn save(path: &Path, scan: &Scan, settled: &Settled) -> std::io::Result<()> {
    let entries = scan.folders.iter().zip(settled).flat_map(|(folder, settled)| {
        folder.files.iter().zip(settled).filter_map(|(file, known)| {
            let (path, known) = (folder.join(file.name.as_str()), (*known)?);
            Some(IndexEntry { path, known })
        })
    });
    let index = Index::new(None, entries.collect());
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut temp = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temp, &index.encode()?)?;
    temp.persist(path)?;
    Ok(())
}
