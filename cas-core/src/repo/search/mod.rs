//! Search in a version: for paths by pattern, and for lines of text.
//!
//! What is found comes in the order of paths and lines, and is the same every time, also where a
//! limit cuts it short: a limit ends the search at the first file that would go over it.

mod pattern;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use pattern::{LinePattern, PatternOptions};

use self::text::Hit;
use super::{Globs, Leaf, RepoError, Repository, for_each};
use crate::name::{BlobId, BookPath, TreeId};
use crate::object::EntryKind;
use crate::store::Want;

/// Largest file that is searched, in bytes. Each job holds one in memory.
pub const TEXT_BYTES: u64 = 1024 * 1024;

/// How many files are searched before it is looked whether that is enough, for each job.
const WAVE: usize = 4;

/// What is looked for in the text of a version.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The tree.
    pub tree: TreeId,
    /// Only what is at this path or below it.
    pub path: BookPath,
    /// Only files that these choose, by full paths.
    pub globs: Globs,
    /// What is looked for.
    pub pattern: LinePattern,
    /// Most lines that are found.
    pub lines: usize,
    /// Most bytes of files that are searched.
    pub bytes: u64,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchReport {
    /// Lines that match, in the order of paths and lines.
    pub lines: Vec<LineMatch>,
    /// Whether a limit ended the search, so that there may be more.
    pub truncated: bool,
    /// How many files were searched.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What was not searched.
    pub skipped: Skipped,
}

/// Files that are no text to be searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many hold a zero byte.
    pub binary: u64,
    /// How many have more than [`TEXT_BYTES`].
    pub large: u64,
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineMatch {
    /// The file.
    pub path: BookPath,
    /// Its content's id.
    pub id: BlobId,
    /// The line's number, from 1.
    pub line: u64,
    /// Where in it the first match begins: in characters, from 1.
    pub column: u64,
    /// The line without its end, or of a long one what is around the match. Bytes that are no
    /// UTF-8 are replaced.
    pub text: String,
    /// Whether the line is longer than `text`.
    pub cut: bool,
}

/// What searching one content came to; `None` if it is binary.
type Searched = Option<Arc<Vec<Hit>>>;

impl Repository {
    /// The files of a version at `path` and below it that `globs` choose, in the order of their
    /// paths, at most `limit` of those after `after`; and whether there are more.
    pub async fn find_files(
        &self,
        tree: TreeId,
        path: &BookPath,
        globs: &Globs,
        after: Option<&BookPath>,
        limit: usize,
    ) -> Result<(Vec<Leaf>, bool), RepoError> {
        let mut leaves = self.leaves(tree, path, globs).await?;
        if let Some(after) = after {
            let first = leaves.partition_point(|leaf| leaf.path <= *after);
            leaves.drain(..first);
        }
        let more = leaves.len() > limit;
        leaves.truncate(limit);
        Ok((leaves, more))
    }

    /// The lines of a version's text files that match. Symlinks are no files here.
    ///
    /// Content that several files share is read once. Dropping the future ends the search.
    pub async fn search(&self, request: &SearchRequest) -> Result<SearchReport, RepoError> {
        let mut leaves = self.leaves(request.tree, &request.path, &request.globs).await?;
        leaves.retain(|leaf| leaf.kind != EntryKind::Symlink);
        let mut report = SearchReport::default();
        let large = |leaf: &Leaf| leaf.size > TEXT_BYTES;
        report.skipped.large = leaves.iter().filter(|leaf| large(leaf)).count() as u64;
        leaves.retain(|leaf| !large(leaf));
        let given_up = CancellationToken::new();
        let _guard = given_up.clone().drop_guard();
        let mut known = BTreeMap::new();
        for wave in leaves.chunks(self.jobs * WAVE) {
            // One more than is wanted tells that there are more.
            let wanted = request.lines.saturating_sub(report.lines.len()) + 1;
            self.search_wave(request, wave, wanted, &given_up, &mut known).await?;
            for leaf in wave {
                if report.bytes + leaf.size > request.bytes {
                    report.truncated = true;
                    return Ok(report);
                }
                report.add(leaf, known.get(&leaf.id).and_then(Option::as_ref));
                if report.lines.len() > request.lines {
                    report.lines.truncate(request.lines);
                    report.truncated = true;
                    return Ok(report);
                }
            }
        }
        Ok(report)
    }

    /// Searches the contents of a wave of files that are not known yet.
    async fn search_wave(
        &self,
        request: &SearchRequest,
        wave: &[Leaf],
        wanted: usize,
        given_up: &CancellationToken,
        known: &mut BTreeMap<BlobId, Searched>,
    ) -> Result<(), RepoError> {
        let unknown: BTreeMap<BlobId, u64> = wave
            .iter()
            .filter(|leaf| !known.contains_key(&leaf.id))
            .map(|leaf| (leaf.id, leaf.size))
            .collect();
        let want = Want::Blobs(unknown.iter().map(|(id, size)| (*id, *size)).collect());
        let _coming = self.store.prefetch(want).await?;
        let (store, pattern) = (self.store.clone(), request.pattern.clone());
        let given_up = given_up.clone();
        let searched = for_each(unknown.into_iter().collect(), self.jobs, move |(id, size)| {
            let (store, pattern) = (store.clone(), pattern.clone());
            let given_up = given_up.clone();
            async move {
                let bytes = store.get_small_blob(&id, size).await?;
                let search = move || {
                    if text::is_binary(&bytes) {
                        return Ok(None);
                    }
                    let hits = text::search(&pattern, &bytes, wanted, &given_up)?;
                    Ok::<_, std::io::Error>(Some(Arc::new(hits)))
                };
                // The worst expressions take seconds for a file.
                let searched = tokio::task::spawn_blocking(search).await;
                let failed = |error: &dyn std::error::Error| RepoError::Internal(error.to_string());
                let searched = searched.map_err(|error| failed(&error))?;
                Ok::<_, RepoError>((id, searched.map_err(|error| failed(&error))?))
            }
        });
        known.extend(searched.await?);
        Ok(())
    }
}

impl SearchReport {
    fn add(&mut self, leaf: &Leaf, hits: Option<&Arc<Vec<Hit>>>) {
        let Some(hits) = hits else {
            self.skipped.binary += 1;
            return;
        };
        self.files += 1;
        self.bytes += leaf.size;
        self.lines.extend(hits.iter().map(|hit| LineMatch {
            path: leaf.path.clone(),
            id: leaf.id,
            line: hit.line,
            column: hit.column,
            text: hit.text.clone(),
            cut: hit.cut,
        }));
    }
}
