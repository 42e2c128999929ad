//! What edits of single files cost: a file in d folders, the book's own included, has d trees
//! above it.

use bytes::Bytes;
use cas_core::name::{BlobId, BookPath, Operation};
use cas_core::repo::{Content, Edit, EditOutcome, PathEdit, Precondition};
use cas_tests::counting::Counts;
use cas_tests::shape::Shape;

use super::{BOOK, NEXT, Place, REF, counts, request, sum, waves};

/// The commit that a branch points at.
const COMMIT: Counts = counts(0, 1, 0);

/// A file in three folders.
const DEEP: &str = "part-01/chapter-01/page-001.md";

fn path(text: &str) -> BookPath {
    BookPath::parse(text).unwrap()
}

fn put(text: &str, precondition: Precondition) -> PathEdit {
    let content = Content::from_bytes(Bytes::from_static(b"new"));
    PathEdit { path: path(text), edit: Edit::Put(content), precondition }
}

fn change(text: &str, edit: Edit) -> PathEdit {
    PathEdit { path: path(text), edit, precondition: Precondition::Unsaid }
}

/// What one edit costs, made by a process of its own.
async fn cost(place: &Place, edit: PathEdit) -> (EditOutcome, Counts) {
    place.take();
    let report = place.process().edit(&request("main"), Operation::put(), &[edit]).await.unwrap();
    (report.results[0].outcome, place.take())
}

async fn world() -> Place {
    let place = Place::new();
    place.imported(BOOK).await;
    place
}

#[tokio::test]
async fn a_put_reads_and_writes_the_trees_above_the_file() {
    let place = world().await;
    for (file, depth) in [("new.md", 1), ("part-01/new.md", 2), ("part-01/chapter-01/new.md", 3)] {
        let (outcome, requests) = cost(&place, put(file, Precondition::Absent)).await;
        assert_eq!(outcome, EditOutcome::Created);
        // The blob is put again in vain after the first time.
        let vain = u64::from(depth > 1);
        let expected = sum([REF, COMMIT, counts(1 + depth, depth, 0), NEXT]);
        assert_eq!(requests, Counts { put_refused: vain, head: vain, ..expected });
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_waits_seven_times_and_twice_for_each_level() {
    let place = Place::slow();
    place.imported(BOOK).await;
    let file = "part-01/chapter-01/new.md";
    let (_, waited) = waves(cost(&place, put(file, Precondition::Absent))).await;
    assert_eq!(waited, 7 + 2 * Shape::DEPTH as u64);
}

#[tokio::test]
async fn a_put_of_what_is_there_writes_nothing() {
    let place = world().await;
    cost(&place, put("new.md", Precondition::Absent)).await;
    let there = BlobId::of(b"new").hash().to_hex();
    let is = Precondition::Is(there.parse().unwrap());
    let (outcome, requests) = cost(&place, put("new.md", is)).await;
    assert_eq!(outcome, EditOutcome::Unchanged);
    assert_eq!(requests.put, 0);
}

#[tokio::test]
async fn a_removal_costs_as_much_as_a_put_without_the_blob() {
    let place = world().await;
    let (outcome, requests) = cost(&place, change(DEEP, Edit::Remove { recursive: false })).await;
    assert_eq!(outcome, EditOutcome::Deleted);
    assert_eq!(requests, sum([REF, COMMIT, counts(3, 3, 0), NEXT]));
}

#[tokio::test]
async fn a_move_costs_the_trees_above_both_paths() {
    let place = world().await;
    for (from, to, trees) in [
        (DEEP, "part-01/chapter-01/renamed.md", 3),
        ("part-01/chapter-01/renamed.md", "part-02/chapter-01/moved.md", 5),
    ] {
        let (outcome, requests) = cost(&place, change(from, Edit::Move { to: path(to) })).await;
        assert_eq!(outcome, EditOutcome::Moved);
        assert_eq!(requests, sum([REF, COMMIT, counts(trees, trees, 0), NEXT]), "{to}");
    }
}

#[tokio::test]
async fn a_moved_folder_is_listed_but_not_written_again() {
    let place = world().await;
    let (_, requests) = cost(&place, change("part-01", Edit::Move { to: path("part-99") })).await;
    // Its own tree and those of its three chapters are read, for what a longer path could break.
    assert_eq!(requests, sum([REF, COMMIT, counts(1, 1 + 4, 0), NEXT]));
}
