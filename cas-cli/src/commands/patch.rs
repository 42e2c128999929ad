//! Files compared line by line: unified diffs and line counts.

use std::io::{self, Write};

use bytes::Bytes;
use cas_core::limits;
use cas_core::object::EntryKind;
use cas_core::repo::{Change, Side};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::context::Context;
use crate::error::CommandError;

/// Two files compared.
#[derive(Debug)]
pub(super) enum FileDiff {
    /// Both are text: the hunks of a unified diff, and how many lines differ.
    Text {
        /// The hunks, without the lines that name the files.
        hunks: String,
        /// How many lines differ.
        lines: Lines,
    },
    /// At least one is not text, or too large to compare.
    Binary,
}

/// How many lines came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Lines {
    added: usize,
    removed: usize,
}

/// Compares the two sides of a change.
pub(super) async fn compare(context: &Context, change: &Change) -> Result<FileDiff, CommandError> {
    let old = read(context, change.old).await?;
    let new = read(context, change.new).await?;
    let (Some(old), Some(new)) = (old, new) else {
        return Ok(FileDiff::Binary);
    };
    let diff = TextDiff::from_lines(old.as_ref(), new.as_ref());
    let mut lines = Lines {
        added: 0,
        removed: 0,
    };
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => lines.added += 1,
            ChangeTag::Delete => lines.removed += 1,
            ChangeTag::Equal => {}
        }
    }
    let mut hunks = Vec::new();
    // Writing into memory cannot fail.
    let _ = diff.unified_diff().context_radius(3).to_writer(&mut hunks);
    Ok(FileDiff::Text {
        hunks: String::from_utf8_lossy(&hunks).into_owned(),
        lines,
    })
}

/// The text of one side: nothing if there is no file; `None` if it is not text.
async fn read(context: &Context, side: Option<Side>) -> Result<Option<Bytes>, CommandError> {
    let Some(side) = side else {
        return Ok(Some(Bytes::new()));
    };
    if side.size > limits::WHOLE_BYTES {
        return Ok(None);
    }
    let bytes = context.repo.store().get_blob(&side.id).await?;
    let text = !bytes.contains(&0);
    Ok(text.then_some(bytes))
}

impl FileDiff {
    /// How many lines differ, if both are text.
    pub(super) const fn lines(&self) -> Option<Lines> {
        match self {
            Self::Text { lines, .. } => Some(*lines),
            Self::Binary => None,
        }
    }

    /// The difference in the form that `git apply` reads.
    pub(super) fn patch(&self, change: &Change) -> String {
        let path = change.path.as_str();
        let from = change.from.as_ref().map_or(path, |from| from.as_str());
        let mut text = format!("diff --git a/{from} b/{path}\n");
        match (&change.old, &change.new) {
            (None, Some(new)) => text.push_str(&format!("new file mode {}\n", mode(new.kind))),
            (Some(old), None) => text.push_str(&format!("deleted file mode {}\n", mode(old.kind))),
            (Some(old), Some(new)) if old.kind != new.kind => {
                text.push_str(&format!(
                    "old mode {}\nnew mode {}\n",
                    mode(old.kind),
                    mode(new.kind)
                ));
            }
            _ => {}
        }
        if change.from.is_some() {
            text.push_str(&format!(
                "similarity index 100%\nrename from {from}\nrename to {path}\n"
            ));
        }
        let old_name = if change.old.is_some() {
            format!("a/{from}")
        } else {
            "/dev/null".to_owned()
        };
        let new_name = if change.new.is_some() {
            format!("b/{path}")
        } else {
            "/dev/null".to_owned()
        };
        match self {
            Self::Binary => {
                text.push_str(&format!("Binary files {old_name} and {new_name} differ\n"));
            }
            Self::Text { hunks, .. } if hunks.is_empty() => {}
            Self::Text { hunks, .. } => {
                text.push_str(&format!("--- {old_name}\n+++ {new_name}\n{hunks}"));
            }
        }
        text
    }
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
    let width = changes
        .iter()
        .map(|change| name(change).chars().count())
        .max()
        .unwrap_or_default();
    let mut sum = Lines {
        added: 0,
        removed: 0,
    };
    for (change, file) in changes.iter().zip(files) {
        let name = name(change);
        match file.as_ref().and_then(FileDiff::lines) {
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
        " {} files differ, {} lines added, {} removed",
        changes.len(),
        sum.added,
        sum.removed
    )
}
