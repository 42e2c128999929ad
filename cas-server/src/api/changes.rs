//! Paths that differ, a page of them at a time.

use cas_core::repo::{Change, ChangeStatus, Side};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Page, path_of};
use crate::app::App;
use crate::problem::Problem;

/// Some of the paths that differ.
#[derive(Debug)]
pub(super) struct Changes {
    /// In the order of paths.
    pub(super) shown: Vec<ChangeView>,
    /// Where to go on; none at the end.
    pub(super) next: Option<String>,
}

/// One path that differs.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Change)]
pub(crate) struct ChangeView {
    /// The path after, or before if it is gone.
    path: String,
    /// `added`, `changed`, `removed` or `renamed`.
    #[schema(value_type = String)]
    status: ChangeStatus,
    /// The path before, of a renamed file.
    from: Option<String>,
    /// What was there before.
    old: Option<SideView>,
    /// What is there after.
    new: Option<SideView>,
}

/// A file on one side.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChangeSide)]
struct SideView {
    /// `file`, `executable` or `symlink`.
    kind: &'static str,
    /// The blob's id.
    id: String,
    /// Its size in bytes.
    size: u64,
}

impl Changes {
    /// The page of `changes` that is asked for.
    pub(super) fn page(changes: &[Change], page: &Page, app: &App) -> Result<Self, Problem> {
        let after = page.cursor.as_deref().map(path_of).transpose()?;
        let first = after.map_or(0, |after| changes.partition_point(|c| c.path <= after));
        let rest = &changes[first..];
        let shown = &rest[..rest.len().min(page.size(app))];
        let truncated = shown.len() < rest.len();
        let next = shown.last().filter(|_| truncated).map(|change| change.path.to_string());
        Ok(Self { next, ..Self::all(shown) })
    }

    /// All of them.
    pub(super) fn all(changes: &[Change]) -> Self {
        Self { shown: changes.iter().map(ChangeView::new).collect(), next: None }
    }
}

impl ChangeView {
    fn new(change: &Change) -> Self {
        Self {
            path: change.path.to_string(),
            status: change.status,
            from: change.from.as_ref().map(ToString::to_string),
            old: change.old.as_ref().map(SideView::new),
            new: change.new.as_ref().map(SideView::new),
        }
    }
}

impl SideView {
    fn new(side: &Side) -> Self {
        Self { kind: side.kind.as_str(), id: side.id.to_string(), size: side.size }
    }
}
