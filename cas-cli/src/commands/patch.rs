//! Files compared line by line: unified diffs and line counts.

use std::io::{self, Write};

use bytes::Bytes;
use cas_core::limits;
use cas_core::object::EntryKind;
use cas_core::repo::{Change, Repository, Side};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::error::CommandError;
use crate::output::count;

/// Two files compared.
#[derive(Debug)]
pub(super) struct FileDiff {
    /// How many lines differ; none if a side is not text, or too large to compare.
    pub(super) lines: Option<Lines>,
    /// The difference in the form that `git apply` reads. It has the bytes of the files, which
    /// need not be UTF-8.
    pub(super) patch: Vec<u8>,
}

/// How many lines came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lines {
    added: usize,
    removed: usize,
}

/// Compares the two sides of a change.
pub(super) async fn compare(repo: &Repository, change: &Change) -> Result<FileDiff, CommandError> {
    let old = read(repo, change.old).await?;
    let new = read(repo, change.new).await?;
    let (old, new) = (old.as_deref(), new.as_deref());
    let mut patch = Vec::new();
    let is_link = |side: &Option<Side>| side.is_some_and(|side| side.kind == EntryKind::Symlink);
    let turned = change.old.is_some()
        && change.new.is_some()
        && is_link(&change.old) != is_link(&change.new);
    if !turned {
        let lines = write_file(&mut patch, change, old, new);
        return Ok(FileDiff { lines, patch });
    }
    // A file cannot be patched into a symlink, nor the reverse: one goes and the other comes.
    let (gone, come) =
        (Change { new: None, ..change.clone() }, Change { old: None, ..change.clone() });
    let removed = write_file(&mut patch, &gone, old, Some(&[]));
    let added = write_file(&mut patch, &come, Some(&[]), new);
    let lines = removed
        .zip(added)
        .map(|(removed, added)| Lines { added: added.added, removed: removed.removed });
    Ok(FileDiff { lines, patch })
}

/// The text of one side: nothing if there is no file; `None` if it is not text.
async fn read(repo: &Repository, side: Option<Side>) -> Result<Option<Bytes>, CommandError> {
    let Some(side) = side else {
        return Ok(Some(Bytes::new()));
    };
    if side.size > limits::WHOLE_BYTES {
        return Ok(None);
    }
    let bytes = repo.store().get_blob(&side.id).await?;
    let text = !bytes.contains(&0);
    Ok(text.then_some(bytes))
}

/// Writes the patch of one file, and counts its lines if both sides are text.
fn write_file(
    patch: &mut Vec<u8>,
    change: &Change,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
) -> Option<Lines> {
    let path = change.path.as_str();
    let from = change.from.as_ref().map_or(path, |from| from.as_str());
    let mut head = format!("diff --git a/{from} b/{path}\n");
    match (&change.old, &change.new) {
        (None, Some(new)) => head.push_str(&format!("new file mode {}\n", mode(new.kind))),
        (Some(old), None) => head.push_str(&format!("deleted file mode {}\n", mode(old.kind))),
        (Some(old), Some(new)) if old.kind != new.kind => {
            let (old, new) = (mode(old.kind), mode(new.kind));
            head.push_str(&format!("old mode {old}\nnew mode {new}\n"));
        }
        _ => {}
    }
    if change.from.is_some() {
        head.push_str(&format!("similarity index 100%\nrename from {from}\nrename to {path}\n"));
    }
    let name = |side: &Option<Side>, prefix: &str, path: &str| match side {
        Some(_) => format!("{prefix}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let (old_name, new_name) = (name(&change.old, "a", from), name(&change.new, "b", path));
    let (Some(old), Some(new)) = (old, new) else {
        if change.from.is_none() {
            head.push_str(&format!("Binary files {old_name} and {new_name} differ\n"));
        }
        patch.extend_from_slice(head.as_bytes());
        return None;
    };
    let mut hunks = Vec::new();
    let lines = write_hunks(&mut hunks, old, new);
    if !hunks.is_empty() {
        // A tab ends a name that a space might seem to end, as git has it.
        let tab = |name: &str| if name.contains(' ') { "\t" } else { "" };
        head.push_str(&format!(
            "--- {old_name}{}\n+++ {new_name}{}\n",
            tab(&old_name),
            tab(&new_name)
        ));
    }
    patch.extend_from_slice(head.as_bytes());
    patch.extend_from_slice(&hunks);
    Some(lines)
}

/// Writes the hunks of a unified diff, and counts the lines that differ. A line ends at a line
/// feed and nowhere else, as for every program that reads patches.
fn write_hunks(hunks: &mut Vec<u8>, old: &[u8], new: &[u8]) -> Lines {
    let split = |text| <[u8]>::split_inclusive(text, |byte| *byte == b'\n').collect::<Vec<_>>();
    let (old, new) = (split(old), split(new));
    let diff = TextDiff::configure().diff_slices(&old, &new);
    let mut lines = Lines::default();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        hunks.extend_from_slice(format!("{}\n", hunk.header()).as_bytes());
        for change in hunk.iter_changes() {
            match change.tag() {
                ChangeTag::Insert => lines.added += 1,
                ChangeTag::Delete => lines.removed += 1,
                ChangeTag::Equal => {}
            }
            let line = change.value();
            hunks.extend_from_slice(change.tag().to_string().as_bytes());
            hunks.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                hunks.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
    }
    lines
}

/// The mode that git writes for a kind.
const fn mode(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File => "100644",
        EntryKind::Executable => "100755",
        EntryKind::Symlink => "120000",
        EntryKind::Tree => "040000",
    }
}

/// Writes a line for each file, and the sums.
pub(super) fn write_stat(
    out: &mut dyn Write,
    changes: &[Change],
    files: &[Option<FileDiff>],
) -> io::Result<()> {
    let name = |change: &Change| match &change.from {
        Some(from) => format!("{from} => {}", change.path),
        None => change.path.to_string(),
    };
    let width = changes.iter().map(|change| name(change).chars().count()).max().unwrap_or_default();
    let mut sum = Lines { added: 0, removed: 0 };
    for (change, file) in changes.iter().zip(files) {
        let name = name(change);
        match file.as_ref().and_then(|file| file.lines) {
            Some(lines) => {
                sum.added += lines.added;
                sum.removed += lines.removed;
                writeln!(out, " {name:<width$} | +{} -{}", lines.added, lines.removed)?;
            }
            None => {
                let size = |side: &Option<Side>| side.map_or(0, |side| side.size);
                writeln!(
                    out,
                    " {name:<width$} | binary, {} -> {} bytes",
                    size(&change.old),
                    size(&change.new)
                )?;
            }
        }
    }
    writeln!(
        out,
        " {}, {} added, {} removed",
        count(changes.len(), "file differs", "files differ"),
        count(sum.added, "line", "lines"),
        sum.removed
    )
}
