//! Entries by several authors.

use std::sync::Arc;

use bytes::Bytes;
use cas_core::name::{Actor, BookId, BookPath, HashPrefix, Operation, RefName, RequestId};
use cas_core::refs::{LogProof, SignedFrom, prove_log};
use cas_core::repo::{
    AuditFilter, AuditItem, Content, Edit, EditQueue, LogFilter, PathEdit, Precondition,
    Repository, VersionRequest,
};
use cas_core::sign::{KeyName, SigningKey};
use cas_core::store::{Bucket, Store};
use cas_tests::env::test_env;
use futures::future::join_all;
use object_store::memory::InMemory;

fn guide() -> (BookId, RefName) {
    (BookId::parse("guide").unwrap(), RefName::main())
}

fn repo(store: &Store, actor: &str) -> Repository {
    Repository::new(store.clone(), test_env(2), Actor::parse(actor).unwrap(), 4)
}

/// A signed book, in which each actor writes the file that is named, all at once.
async fn written(writes: &[(&str, &str)]) -> (Store, SigningKey) {
    let bucket = Bucket::new(Arc::new(InMemory::new()));
    let key = SigningKey::from_seed(KeyName::parse("books").unwrap(), [1; 32]);
    let store = Store::in_bucket_signed(&bucket, &test_env(1), key.clone());
    let (book, branch) = guide();
    let begin = repo(&store, "test");
    begin.create_book(&begin.ref_request(&book, &branch, "begin")).await.unwrap();
    let queue = EditQueue::default();
    let text_of = |nth: usize| format!("{} {nth}", writes[nth].0);
    let edits = writes.iter().enumerate().map(|(nth, (actor, path))| {
        let (queue, store) = (&queue, &store);
        let text = text_of(nth);
        let precondition = match (0..nth).rev().find(|earlier| writes[*earlier].1 == *path) {
            Some(earlier) => {
                let seen = blake3::hash(text_of(earlier).as_bytes()).to_hex();
                Precondition::Is(HashPrefix::parse(&seen).unwrap())
            }
            None => Precondition::Absent,
        };
        async move {
            let (book, branch) = guide();
            let request = VersionRequest {
                book,
                branch,
                message: format!("{actor} writes {path}"),
                request_id: RequestId::parse(&format!("key-{nth}")).unwrap(),
            };
            let edit = Edit::Put(Content::from_bytes(Bytes::from(text)));
            let path = BookPath::parse(path).unwrap();
            let edits = vec![PathEdit { path, edit, precondition }];
            queue.edit(&repo(store, actor), request, Operation::put(), edits).await.unwrap();
        }
    });
    join_all(edits).await;
    (store, key)
}

async fn audit(store: &Store, path: &str, actor: Option<&str>) -> Vec<AuditItem> {
    let actor = actor.map(|actor| Actor::parse(actor).unwrap());
    let path = if path.is_empty() { BookPath::root() } else { BookPath::parse(path).unwrap() };
    let filter = AuditFilter { entries: LogFilter { actor, ..LogFilter::default() }, path };
    let mut audit = repo(store, "test").audit(vec![guide()], filter).await.unwrap();
    let mut items = Vec::new();
    while let Some(item) = audit.next().await.unwrap() {
        items.push(item);
    }
    items
}

const WRITES: [(&str, &str); 6] = [
    ("zoe", "z.md"),
    ("ada", "a.md"),
    ("bob", "b.md"),
    ("ada", "b.md"),
    ("eve", "c.md"),
    ("bob", "b.md"),
];

#[tokio::test]
async fn invariant_attributed_a_movement_by_several_is_told_with_all_of_them() {
    let (store, _) = written(&WRITES).await;
    let all = audit(&store, "", None).await;
    let entries: Vec<_> = all.iter().map(|item| item.entry.entry.requests().len()).collect();
    assert!(entries.len() < WRITES.len() + 1, "some were taken together: {entries:?}");
    let mut actors: Vec<_> =
        all.iter().rev().skip(1).flat_map(|item| item.entry.entry.requests()).collect();
    actors.retain(|request| request.operation == Operation::put());
    let actors: Vec<_> = actors.iter().map(|request| request.actor.to_string()).collect();
    assert_eq!(actors, WRITES.map(|(actor, _)| actor));
    for pair in all.windows(2) {
        assert_eq!(pair[0].previous, pair[1].new);
    }
    // Whoever is named is found, also in the middle of a group.
    assert!(!audit(&store, "", Some("eve")).await.is_empty());
}

#[tokio::test]
async fn invariant_attributed_of_several_the_one_is_told_that_changed_the_path() {
    let (store, _) = written(&WRITES).await;
    let told = audit(&store, "b.md", None).await;
    let actors: Vec<_> = told.iter().map(|item| item.request.actor.to_string()).collect();
    assert_eq!(actors, ["bob", "ada", "bob"]);
    let ids: Vec<_> = told.iter().map(|item| item.change.unwrap().new.unwrap().id).collect();
    let wanted = ["bob 5", "ada 3", "bob 2"].map(|text| cas_core::name::Hash::of(text.as_bytes()));
    assert_eq!(ids, wanted);
    for item in &told {
        assert_eq!(item.message, format!("{} writes b.md", item.request.actor));
        assert_eq!(item.request.commit, item.new);
    }
    for pair in told.windows(2) {
        assert_eq!(pair[0].change.unwrap().previous, pair[1].change.unwrap().new);
    }
    assert_eq!(audit(&store, "b.md", Some("ada")).await, [told[1].clone()]);
    assert!(audit(&store, "b.md", Some("eve")).await.is_empty());
    // Pages that end within an entry lose and repeat nothing.
    for limit in 1..4 {
        let (book, name) = guide();
        let (mut items, mut after) = (Vec::new(), None);
        let repo = repo(&store, "test");
        loop {
            let filter =
                AuditFilter { path: BookPath::parse("b.md").unwrap(), ..AuditFilter::default() };
            let names = vec![name.clone()];
            let page = repo.audit_page(&book, names, filter, after.as_ref(), limit);
            let page = page.await.unwrap();
            assert!(page.items.len() <= limit);
            items.extend(page.items);
            match page.next {
                Some(next) => after = Some(next.to_string().parse().unwrap()),
                None => break,
            }
        }
        assert_eq!(items, told, "{limit} at a time");
    }
}

#[tokio::test]
async fn invariant_attributed_the_largest_group_can_be_signed() {
    let names: Vec<_> = (0..130).map(|n| (format!("actor-{n}"), format!("{n}.md"))).collect();
    let writes: Vec<_> =
        names.iter().map(|(actor, path)| (actor.as_str(), path.as_str())).collect();
    let (store, key) = written(&writes).await;
    let (book, name) = guide();
    let keys = [key.verifier()];
    let proof = LogProof { keys: &keys, signed_from: SignedFrom::Start, checkpoint: None };
    let report = prove_log(&store, &book, &name, &proof).await.unwrap();
    assert_eq!(report.faults, []);
    assert_eq!(report.signed, report.entries);
    let most = audit(&store, "", None).await;
    let most = most.iter().map(|item| item.entry.entry.requests().len()).max();
    assert_eq!(most, Some(cas_core::refs::GROUP_REQUESTS));
}
