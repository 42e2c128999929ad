//! What refs cost.

use cas_core::name::{RefName, Revision};
use cas_core::refs::Expectation;
use cas_core::repo::AuditFilter;

use super::{BOOK, LOOK, Place, REF, book, counts, sum, waves};

#[tokio::test]
async fn a_ref_is_read_by_a_list_of_one_key_and_a_get() {
    let place = Place::new();
    place.imported(BOOK).await;
    let repo = place.process();
    let head = repo.store().refs().head(&book(), &RefName::main()).await.unwrap();
    assert!(head.is_some());
    assert_eq!(place.take(), REF);
}

#[tokio::test]
async fn a_ref_that_was_read_before_is_read_by_one_get_that_finds_nothing() {
    let place = Place::new();
    place.imported(BOOK).await;
    let repo = place.process();
    let first = repo.store().refs().head(&book(), &RefName::main()).await.unwrap();
    place.take();
    let again = repo.store().refs().head(&book(), &RefName::main()).await.unwrap();
    assert_eq!(first, again);
    let counts = place.take();
    assert_eq!((counts.get, counts.get_missing, counts.requests()), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_branch_is_created_by_reading_a_version_and_one_put() {
    let place = Place::slow();
    place.imported(BOOK).await;
    let (repo, name) = (place.process(), RefName::parse("users/ada").unwrap());
    let create = async {
        let from = Revision::head(book(), RefName::main());
        let commit = repo.resolve_id(&from).await.unwrap();
        repo.create_ref(&repo.ref_request(&book(), &name, ""), commit).await.unwrap()
    };
    let (_, waited) = waves(create).await;
    // The ref, and of the version the commit and the root, where a book.toml would be.
    assert_eq!(place.take(), sum([counts(1, 3, 1), LOOK]));
    assert_eq!(waited, 5);
}

#[tokio::test]
async fn a_branch_is_deleted_by_reading_it_and_a_list_and_a_put() {
    let place = Place::new();
    place.imported(BOOK).await;
    let repo = place.process();
    let delete = repo.ref_request(&book(), &RefName::main(), "");
    repo.delete_ref(&delete, Expectation::Any).await.unwrap();
    assert_eq!(place.take(), counts(1, 1, 2));
}

#[tokio::test]
async fn an_audit_reads_each_entry_once_and_each_newest_twice() {
    let place = Place::new();
    place.imported(BOOK).await;
    let (repo, mut entries) = (place.process(), 1);
    for name in ["users/ada", "users/bob"].map(|name| RefName::parse(name).unwrap()) {
        let commit = repo.resolve_id(&Revision::head(book(), RefName::main())).await.unwrap();
        repo.create_ref(&repo.ref_request(&book(), &name, ""), commit).await.unwrap();
        repo.delete_ref(&repo.ref_request(&book(), &name, ""), Expectation::Any).await.unwrap();
        entries += 2;
    }
    let repo = place.process();
    place.take();
    let names = repo.ref_names(&book(), None).await.unwrap();
    let refs = names.len() as u64;
    let places = names.into_iter().map(|name| (book(), name)).collect();
    let mut audit = repo.audit(places, AuditFilter::default()).await.unwrap();
    let mut told = 0;
    while audit.next().await.unwrap().is_some() {
        told += 1;
    }
    assert_eq!((told, refs), (entries, 3));
    // The list of refs, and of each the newest.
    assert_eq!(place.take(), counts(0, refs + entries, 1 + refs));
}
