//! What personal branches cost that are not there yet.

use bytes::Bytes;
use cas_core::name::{BookPath, Operation, RefName, Revision};
use cas_core::repo::{Content, Edit, PathEdit, Precondition, Source};

use super::{BOOK, LOOK, Place, REF, book, counts, request, sum};

/// The newest entry of a branch that never was.
const NO_REF: cas_tests::counting::Counts = counts(0, 0, 1);

/// The commit of `main`, its root and its `book.toml`.
const RULES: cas_tests::counting::Counts = counts(0, 3, 0);

fn put(path: &str, bytes: &'static [u8]) -> PathEdit {
    PathEdit {
        path: BookPath::parse(path).unwrap(),
        edit: Edit::Put(Content::from_bytes(Bytes::from_static(bytes))),
        precondition: Precondition::Absent,
    }
}

/// A book whose readers follow `main`.
async fn personal() -> Place {
    let place = Place::new();
    place.imported(BOOK).await;
    let rules = [put("book.toml", b"[[personal]]\npattern = \"users/*\"\n")];
    place.process().edit(&request("main"), Operation::put(), &rules).await.unwrap();
    place.take();
    place
}

#[tokio::test]
async fn a_reader_without_a_branch_costs_a_look_at_main_and_its_rules() {
    let place = personal().await;
    let revision = Revision::head(book(), RefName::parse("users/ada").unwrap());
    let seen = place.process().open(&revision).await.unwrap();
    assert_eq!(seen.source, Source::Upstream);
    assert_eq!(place.take(), sum([NO_REF, REF, RULES]));
}

#[tokio::test]
async fn a_reader_of_a_branch_that_is_there_pays_for_nothing_else() {
    let place = personal().await;
    let main = Revision::head(book(), RefName::main());
    place.process().resolve(&main).await.unwrap();
    let strict = place.take();
    assert_eq!(place.process().open(&main).await.unwrap().source, Source::Own);
    assert_eq!(place.take(), strict);
}

#[tokio::test]
async fn a_first_write_forks_at_the_cost_of_a_look_at_main_and_its_rules() {
    let place = personal().await;
    for (user, path, depth) in [("users/1", "n1.md", 1), ("users/2", "part-01/n2.md", 2)] {
        let bytes: &'static [u8] = if depth == 1 { b"one" } else { b"two" };
        let edit = [put(path, bytes)];
        let report = place.process().edit(&request(user), Operation::put(), &edit).await.unwrap();
        assert!(report.forked);
        let write = counts(1 + depth + 2, depth, 0);
        // As of every write in a book with rules: the file, its root before, and what changed.
        let check = counts(0, 2 + depth, 0);
        assert_eq!(place.take(), sum([NO_REF, REF, RULES, write, check, LOOK]), "{path}");
    }
}
