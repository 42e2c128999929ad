//! Edits that arrive together: few ref entries, each edit with its own commit, author and answer.

use std::sync::Arc;

use bytes::Bytes;
use cas_core::name::{Actor, BookId, BookPath, HashPrefix, Operation, RefName, RequestId};
use cas_core::refs::GROUP_REQUESTS;
use cas_core::repo::{
    Content, Edit, EditOutcome, EditQueue, EditReport, PathEdit, Precondition, RepoError,
    Repository, VersionRequest,
};
use cas_core::store::{Bucket, Store};
use cas_tests::env::test_env;
use futures::future::join_all;
use object_store::memory::InMemory;

struct Desk {
    store: Store,
    queue: EditQueue,
}

impl Desk {
    /// A book without files, whose log has one entry.
    async fn new() -> Self {
        let bucket = Bucket::new(Arc::new(InMemory::new()));
        let store = Store::in_bucket(&bucket, &test_env(1));
        let desk = Self { store, queue: EditQueue::default() };
        let repo = desk.repo("test");
        repo.create_book(&repo.ref_request(&book(), &RefName::main(), "begin")).await.unwrap();
        desk
    }

    fn repo(&self, actor: &str) -> Repository {
        let actor = Actor::parse(actor).unwrap();
        Repository::new(self.store.clone(), test_env(2), actor, 4)
    }

    async fn put(
        &self,
        actor: &str,
        key: &str,
        path: &str,
        text: &str,
        precondition: Precondition,
    ) -> Result<EditReport, RepoError> {
        let request = VersionRequest {
            book: book(),
            branch: RefName::main(),
            message: format!("{actor} writes {path}"),
            request_id: RequestId::parse(key).unwrap(),
        };
        let edit = Edit::Put(Content::from_bytes(Bytes::copy_from_slice(text.as_bytes())));
        let edits = vec![PathEdit { path: BookPath::parse(path).unwrap(), edit, precondition }];
        self.queue.edit(&self.repo(actor), request, Operation::put(), edits).await
    }

    async fn entries(&self) -> Vec<cas_core::refs::LogEntry> {
        let mut log = self.repo("test").ref_log(&book(), &RefName::main(), 1000).await.unwrap();
        log.reverse();
        log
    }
}

fn book() -> BookId {
    BookId::parse("book").unwrap()
}

#[tokio::test]
async fn invariant_attributed_a_group_keeps_every_author_and_answer() {
    let desk = Desk::new().await;
    let writes = (0..GROUP_REQUESTS + 4).map(|n| {
        let desk = &desk;
        async move {
            let (actor, key) = (format!("actor-{n}"), format!("key-{n}"));
            desk.put(&actor, &key, &format!("d{}/{n}.md", n % 3), "x", Precondition::Absent).await
        }
    });
    let reports: Vec<_> = join_all(writes).await.into_iter().map(Result::unwrap).collect();
    let entries = desk.entries().await;
    assert_eq!(entries.len(), 3, "one began the book, two groups");
    let requests: Vec<_> = entries[1..].iter().flat_map(|entry| entry.entry.requests()).collect();
    assert_eq!(requests.len(), GROUP_REQUESTS + 4);
    let mut parent = entries[0].entry.target.unwrap();
    for (n, (request, report)) in requests.iter().zip(&reports).enumerate() {
        assert_eq!(request.actor.as_str(), format!("actor-{n}"));
        assert_eq!(request.request_id.as_str(), format!("key-{n}"));
        assert_eq!((request.commit, report.changed), (Some(report.commit), true));
        assert_eq!(report.results[0].outcome, EditOutcome::Created);
        let commit = desk.store.get_commit(&report.commit).await.unwrap();
        assert_eq!(commit.author.as_str(), format!("actor-{n}"));
        assert_eq!(commit.message, format!("actor-{n} writes d{}/{n}.md", n % 3));
        assert_eq!((commit.parents, commit.tree), (vec![parent], report.tree));
        parent = report.commit;
    }
    assert_eq!(entries.last().unwrap().entry.target, Some(parent));
    let log = cas_core::refs::verify_log(&desk.store, &book(), &RefName::main()).await.unwrap();
    assert_eq!(log.faults, []);
}

#[tokio::test]
async fn invariant_no_lost_update_within_a_group() {
    let desk = Desk::new().await;
    desk.put("a", "first", "a.md", "0", Precondition::Absent).await.unwrap();
    let seen = HashPrefix::parse(&blake3::hash(b"0").to_hex()).unwrap();
    let writes = (0..20).map(|n| {
        let (desk, seen) = (&desk, seen.clone());
        async move {
            let text = format!("by {n}");
            desk.put("b", &format!("k{n}"), "a.md", &text, Precondition::Is(seen)).await
        }
    });
    let answers = join_all(writes).await;
    assert_eq!(answers[0].as_ref().unwrap().results[0].outcome, EditOutcome::Updated);
    for answer in &answers[1..] {
        let Err(RepoError::NotAsExpected { current, .. }) = answer else {
            panic!("only one had seen what was there: {answer:?}");
        };
        assert_eq!(current.unwrap().to_string(), blake3::hash(b"by 0").to_hex().as_str());
    }
    assert_eq!(desk.entries().await.len(), 3);
}

#[tokio::test]
async fn one_that_is_refused_disturbs_no_other() {
    let desk = Desk::new().await;
    let bad = Precondition::Is(HashPrefix::parse(&"0".repeat(64)).unwrap());
    let (one, refused, invalid, two) = futures::join!(
        desk.put("a", "k1", "a.md", "1", Precondition::Absent),
        desk.put("b", "k2", "b.md", "2", bad),
        desk.put("c", "k3", "a.md/x", "3", Precondition::Absent),
        desk.put("d", "k4", "d.md", "4", Precondition::Absent),
    );
    assert!(matches!(refused, Err(RepoError::NotAsExpected { .. })), "{refused:?}");
    assert!(matches!(invalid, Err(RepoError::NotAFolder { .. })), "{invalid:?}");
    let (one, two) = (one.unwrap(), two.unwrap());
    let commit = desk.store.get_commit(&two.commit).await.unwrap();
    assert_eq!(commit.parents, [one.commit]);
    let files = desk.repo("x").list(two.tree, &BookPath::root(), true).await.unwrap();
    let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.md", "d.md"]);
    // Nobody waits for the others of a group that is over.
    desk.put("e", "k5", "e.md", "5", Precondition::Absent).await.unwrap();
}

#[tokio::test]
async fn invariant_certain_each_of_a_group_can_be_repeated() {
    let desk = Desk::new().await;
    let write = |n: usize| {
        let desk = &desk;
        async move {
            let (key, path) = (format!("k{n}"), format!("{n}.md"));
            desk.put("a", &key, &path, "x", Precondition::Absent).await.unwrap()
        }
    };
    let first = join_all((0..5).map(write)).await;
    let again = join_all((0..5).map(write)).await;
    let alone = write(2).await;
    let facts = |report: &EditReport| (report.commit, report.tree, report.results.clone());
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(facts(first), facts(again));
    }
    assert_eq!(facts(&alone), facts(&first[2]));
    assert_eq!(desk.entries().await.len(), 2);
    let other = desk.put("a", "k3", "other.md", "x", Precondition::Absent).await;
    assert!(matches!(other, Err(RepoError::RequestUsed { .. })), "{other:?}");
}

#[tokio::test]
async fn the_same_request_twice_at_once_is_done_once() {
    let desk = Desk::new().await;
    let write = || desk.put("a", "twice", "a.md", "x", Precondition::Absent);
    let (one, two) = futures::join!(write(), write());
    assert_eq!(one.unwrap().commit, two.unwrap().commit);
    assert_eq!(desk.entries().await.len(), 2);
}
