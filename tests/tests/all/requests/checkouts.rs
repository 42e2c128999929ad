//! What checkouts cost.

use cas_core::folder::CheckoutReport;
use cas_core::store::Cache;
use cas_tests::counting::Counts;
use cas_tests::shape::{Shape, edit, folders_of};

use super::{BOOK, Place, REF, checkout, counts, import, sum, waves};

/// The commit that a branch points at.
const COMMIT: Counts = counts(0, 1, 0);

#[tokio::test]
async fn a_cold_checkout_gets_each_file_and_each_folder_once() {
    let place = Place::new();
    place.imported(BOOK).await;
    let (report, requests) = place.checkout("out").await;
    assert_eq!(report.written.len(), 30);
    assert_eq!(requests, sum([REF, COMMIT, counts(0, 30 + 10, 0)]));
}

#[tokio::test(start_paused = true)]
async fn a_cold_checkout_waits_twice_and_once_for_each_level_after_the_ref() {
    for shape in [BOOK, Shape { files: 200, folders: 40 }] {
        let place = Place::slow();
        place.imported(shape).await;
        let (report, waited) = waves(checkout(&place.process(), &place.path("out"))).await;
        assert_eq!(report.written.len(), shape.files);
        let the_ref = 2;
        assert_eq!(waited, the_ref + 2 + Shape::DEPTH as u64);
        assert_eq!(place.bucket.peak(), shape.files);
    }
}

#[tokio::test]
async fn an_unchanged_checkout_reads_the_ref_and_its_commit() {
    let place = Place::new();
    place.imported(BOOK).await;
    place.checkout("out").await;
    let (report, requests) = place.checkout("out").await;
    assert_eq!((report.written.len(), report.kept), (0, 30));
    assert_eq!(requests, sum([REF, COMMIT]));
}

/// Switches a checkout of `shape` to a version with three other files in four other folders.
async fn switch(place: &Place, shape: Shape) -> (CheckoutReport, Counts) {
    let path = place.imported(shape).await;
    place.checkout("out").await;
    let changed = ["page-002.md", "part-01/chapter-01/page-001.md", "part-02/page-001.md"];
    let changed = changed.map(str::to_owned);
    assert_eq!(folders_of(&changed).len(), 4);
    edit(&path, &changed, 2).unwrap();
    place.import_again(&place.with_index()).await;
    place.checkout("out").await
}

#[tokio::test]
async fn a_switch_gets_what_differs_and_not_what_there_is() {
    for shape in [BOOK, Shape { files: 200, folders: 40 }] {
        let (report, requests) = switch(&Place::new(), shape).await;
        assert_eq!((report.written.len(), report.kept), (3, shape.files as u64 - 3));
        assert_eq!(requests, sum([REF, COMMIT, counts(0, 3 + 4, 0)]), "{shape:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_waits_no_longer_than_a_cold_checkout() {
    let place = Place::slow();
    let path = place.imported(BOOK).await;
    place.checkout("out").await;
    edit(&path, &["part-01/chapter-01/page-001.md".to_owned()], 2).unwrap();
    place.import_again(&place.with_index()).await;
    let (_, waited) = waves(place.checkout("out")).await;
    assert_eq!(waited, 2 + 2 + Shape::DEPTH as u64);
}

#[tokio::test]
async fn what_a_cache_has_is_not_got_again() {
    let place = Place::new();
    place.imported(BOOK).await;
    let cache = || Some(Cache::open(&place.path("cache"), 1 << 30).unwrap());
    checkout(&place.process_with(cache()), &place.path("first")).await;
    assert_eq!(place.take(), sum([REF, COMMIT, counts(0, 30 + 10, 0)]));
    checkout(&place.process_with(cache()), &place.path("second")).await;
    assert_eq!(place.take(), REF);
}

#[tokio::test]
async fn a_new_symlink_is_got_once_more_to_be_looked_at() {
    let place = Place::new();
    let path = place.book(BOOK);
    std::os::unix::fs::symlink("page-001.md", path.join("newest.md")).unwrap();
    import(&place.process(), &path, "main", &place.with_index()).await;
    let (_, requests) = place.checkout("out").await;
    assert_eq!(requests, sum([REF, COMMIT, counts(0, 31 + 10 + 1, 0)]));
    let (_, requests) = place.checkout("out").await;
    assert_eq!(requests, sum([REF, COMMIT]));
}

#[tokio::test]
async fn equal_files_are_got_as_often_as_they_are_written() {
    let place = Place::new();
    let path = place.book(BOOK);
    for folder in ["part-01", "part-02"] {
        std::fs::write(path.join(folder).join("cover.svg"), "the same everywhere").unwrap();
    }
    import(&place.process(), &path, "main", &place.with_index()).await;
    let (_, requests) = place.checkout("out").await;
    assert_eq!(requests, sum([REF, COMMIT, counts(0, 32 + 10, 0)]));
}
