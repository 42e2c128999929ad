//! What imports cost: n files in t folders are n blobs and t trees.

use std::time::Duration;

use cas_core::folder::{ImportMode, ImportOptions};
use cas_core::name::{RefName, Revision};
use cas_tests::counting::Counts;
use cas_tests::shape::{Shape, edit, folders_of};
use cas_tests::simulated::Network;

use super::{BOOK, LOOK, NEXT, Place, REF, book, counts, import, sum, waves};

/// What a first import costs beside its blobs and trees: a list that finds no branch, the commit,
/// and the first entry.
const FIRST: Counts = counts(2, 0, 1 + 1);

/// The commit that a branch points at.
const COMMIT: Counts = counts(0, 1, 0);

#[tokio::test]
async fn a_first_import_puts_each_blob_and_tree_and_asks_for_none() {
    let place = Place::new();
    let path = place.book(BOOK);
    let report = import(&place.process(), &path, "main", &ImportOptions::default()).await;
    assert_eq!(report.mode, ImportMode::Created);
    assert_eq!(place.take(), sum([FIRST, counts(30 + 10, 0, 0)]));
}

#[tokio::test(start_paused = true)]
async fn a_first_import_waits_five_times_however_large_the_book() {
    for shape in [BOOK, Shape { files: 200, folders: 40 }] {
        let place = Place::slow();
        let path = place.book(shape);
        let options = place.with_index();
        let (_, waited) = waves(import(&place.process(), &path, "main", &options)).await;
        assert_eq!(waited, 5, "the list, blobs, trees, commit, entry");
        assert_eq!(place.bucket.peak(), shape.files);
    }
}

#[tokio::test]
async fn an_unchanged_import_reads_the_ref_and_its_commit() {
    let place = Place::new();
    place.imported(BOOK).await;
    for options in [place.with_index(), ImportOptions::default()] {
        let (report, requests) = place.import_again(&options).await;
        assert_eq!(report.mode, ImportMode::Unchanged);
        assert_eq!(report.read, if options.index.is_some() { 0 } else { 30 });
        assert_eq!(requests, sum([REF, COMMIT]));
    }
}

#[tokio::test]
async fn an_import_costs_what_changed_and_not_what_there_is() {
    for shape in [BOOK, Shape { files: 200, folders: 40 }] {
        for with_index in [true, false] {
            let place = Place::new();
            let path = place.imported(shape).await;
            let changed = ["page-002.md", "part-01/chapter-01/page-001.md", "part-02/page-001.md"];
            let changed = changed.map(str::to_owned);
            edit(&path, &changed, 2).unwrap();
            let (files, folders) = (changed.len() as u64, folders_of(&changed).len() as u64);
            assert_eq!((files, folders), (3, 4));
            let options = if with_index { place.with_index() } else { ImportOptions::default() };
            let (report, requests) = place.import_again(&options).await;
            assert_eq!(report.changed, files);
            let objects = counts(files + folders, folders, 0);
            assert_eq!(requests, sum([REF, COMMIT, objects, NEXT]), "{shape:?} {with_index}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_import_of_a_change_waits_eight_times_and_once_for_each_level() {
    for shape in [BOOK, Shape { files: 200, folders: 40 }] {
        let place = Place::slow();
        let path = place.imported(shape).await;
        edit(&path, &["part-01/chapter-01/page-001.md".to_owned()], 2).unwrap();
        let (_, waited) = waves(place.import_again(&place.with_index())).await;
        assert_eq!(waited, 8 + Shape::DEPTH as u64);
    }
}

#[tokio::test]
async fn a_moved_folder_costs_the_trees_above_it() {
    let place = Place::new();
    let path = place.imported(BOOK).await;
    std::fs::rename(path.join("part-01/chapter-01"), path.join("part-02/moved")).unwrap();
    let (report, requests) = place.import_again(&place.with_index()).await;
    assert_eq!((report.added, report.removed, report.bytes_new), (3, 3, 0));
    // The book's own folder and both parts; also the old chapter's is neither read nor put.
    assert_eq!(requests, sum([REF, COMMIT, counts(3, 3, 0), NEXT]));
}

#[tokio::test]
async fn a_book_imported_into_a_second_branch_is_put_in_vain_where_branching_copies_nothing() {
    let place = Place::new();
    let path = place.imported(BOOK).await;
    // Nothing is known of what the store has: every put is refused, and its size compared.
    import(&place.process(), &path, "second", &ImportOptions::default()).await;
    // A branch that is not there may be personal: `main` is asked for the book's rules.
    let rules = sum([REF, counts(0, 2, 0)]);
    let refused = Counts { put_refused: 40, head: 40, ..sum([FIRST, rules, counts(40, 0, 0)]) };
    assert_eq!(place.take(), refused);
    // What the index knows is asked for first.
    import(&place.process(), &path, "third", &place.with_index()).await;
    let asked = Counts { put_refused: 10, head: 30 + 10, ..sum([FIRST, rules, counts(10, 0, 0)]) };
    assert_eq!(place.take(), asked);
    // A branch has it all.
    let repo = place.process();
    let from = repo.resolve_id(&Revision::head(book(), RefName::main())).await.unwrap();
    repo.create_ref(&repo.ref_request(&book(), &RefName::parse("fourth").unwrap(), ""), from)
        .await
        .unwrap();
    // The commit and its root are looked at for a book.toml.
    assert_eq!(place.take(), sum([counts(1, 3, 1), LOOK]));
    import(&place.process(), &path, "fourth", &place.with_index()).await;
    assert_eq!(place.take(), sum([REF, COMMIT]));
}

#[tokio::test]
async fn content_that_comes_back_is_put_in_vain() {
    let place = Place::new();
    let path = place.imported(BOOK).await;
    let page = ["page-001.md".to_owned()];
    for edition in [2, 1] {
        edit(&path, &page, edition).unwrap();
        let (_, requests) = place.import_again(&place.with_index()).await;
        // The tree of before comes back with it.
        let vain = if edition == 1 { 2 } else { 0 };
        let expected = sum([REF, COMMIT, counts(1 + 1, 1, 0), NEXT]);
        assert_eq!(requests, Counts { put_refused: vain, head: vain, ..expected });
    }
}

#[tokio::test(start_paused = true)]
async fn equal_files_are_put_once_and_no_key_is_written_twice_within_a_second() {
    let second = Duration::from_secs(1);
    let latency = Duration::from_millis(50);
    let network = Network { latency, write_interval: Some(second), ..Network::default() };
    let place = Place::behind(network);
    let path = place.book(BOOK);
    for folder in ["part-01", "part-02", "static", "part-01/chapter-01"] {
        for name in ["cover.svg", "logo.svg"] {
            std::fs::write(path.join(folder).join(name), "the same everywhere").unwrap();
        }
    }
    import(&place.process(), &path, "main", &ImportOptions::default()).await;
    assert_eq!(place.take(), sum([FIRST, counts(30 + 1 + 10, 0, 0)]));
}

#[tokio::test]
async fn a_large_file_is_looked_for_and_put_in_parts_of_8_mib() {
    let place = Place::new();
    let path = place.book(BOOK);
    std::fs::write(path.join("film.mp4"), vec![7; 17 << 20]).unwrap();
    import(&place.process(), &path, "main", &ImportOptions::default()).await;
    let parts = Counts { head: 1, multipart: 1 + 3 + 1, ..sum([FIRST, counts(30 + 10, 0, 0)]) };
    assert_eq!(place.take(), parts);
    let (_, requests) = place.checkout("out").await;
    assert_eq!(requests, sum([REF, COMMIT, counts(0, 30 + 3 + 10, 0)]));
}

/// The book of the worked bill.
#[tokio::test]
async fn a_book_of_2000_files_costs_what_its_bill_says() {
    let shape = Shape { files: 2_000, folders: 80 };
    let place = Place::new();
    let path = place.book(shape);
    let (_, first) = place.import_again(&place.with_index()).await;
    assert_eq!(first, sum([counts(2_082, 0, 1), LOOK]));
    let (_, cold) = place.checkout("out").await;
    assert_eq!(cold, counts(0, 2_082, 1));
    let changed = shape.one_in_a_hundred();
    assert_eq!((changed.len(), folders_of(&changed).len()), (20, 28));
    edit(&path, &changed, 2).unwrap();
    let (_, import) = place.import_again(&place.with_index()).await;
    assert_eq!(import, sum([counts(20 + 28 + 2, 2 + 28, 2), LOOK]));
    let (_, switch) = place.checkout("out").await;
    assert_eq!(switch, counts(0, 2 + 20 + 28, 1));
}
