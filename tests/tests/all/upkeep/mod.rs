//! Care for a store as a whole: what a check finds, and what a repair puts right.

mod command;
mod copying;
mod drill;
mod forget;
mod sound;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use cas_core::folder::NoProgress;
use cas_core::name::{Operation, RefName};
use cas_core::object::Kind;
use cas_core::refs::Expectation;
use cas_core::repo::Precondition;
use cas_core::store::{Bucket, Store};
use cas_core::upkeep::{Fault, FsckReport, FsckRequest, Upkeep};
use cas_tests::env::test_env;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path as Key;

use crate::world::{World, actor, book, is, put, remove, request};

/// A book with a history, a personal branch that was brought forward, a tag, and a branch that was
/// deleted.
async fn library() -> World {
    let world = World::new().await;
    let repo = &world.plain;
    let main = RefName::main();
    let edits = [
        put("docs/a.md", b"a", Precondition::Absent),
        put("docs/deep/b.md", b"b", Precondition::Absent),
        put("img/c.png", b"c", Precondition::Absent),
    ];
    let first = repo.edit(&request(&main, "begin"), Operation::put(), &edits).await.unwrap();
    for name in ["users/ada", "drafts/new", "tags/v1"] {
        let name = RefName::parse(name).unwrap();
        let asked = repo.ref_request(&book(), &name, "");
        repo.create_ref(&asked, first.commit).await.unwrap();
    }
    let ada = request(&RefName::parse("users/ada").unwrap(), "mine");
    let own = [put("docs/a.md", b"hers", is(b"a"))];
    repo.edit(&ada, Operation::put(), &own).await.unwrap();
    let edits = [put("docs/deep/b.md", b"bb", is(b"b")), remove("img/c.png")];
    repo.edit(&request(&main, "on"), Operation::put(), &edits).await.unwrap();
    let draft = RefName::parse("drafts/new").unwrap();
    let asked = repo.ref_request(&book(), &draft, "");
    repo.delete_ref(&asked, Expectation::Any).await.unwrap();
    world
}

fn upkeep(memory: &Arc<InMemory>) -> Upkeep {
    Upkeep::new(Bucket::new(memory.clone()), test_env(900), 4, Arc::new(NoProgress))
}

/// A check of everything.
async fn checked(memory: &Arc<InMemory>) -> FsckReport {
    let request = FsckRequest { sample_ppm: 1_000_000, repair_from: None };
    upkeep(memory).fsck(&request).await.unwrap()
}

/// A check that takes from `mirror` what is not right.
async fn repaired(memory: &Arc<InMemory>, mirror: &Arc<InMemory>) -> FsckReport {
    let repair_from = Some(Store::in_bucket(&Bucket::new(mirror.clone()), &test_env(901)));
    upkeep(memory).fsck(&FsckRequest { sample_ppm: 1_000_000, repair_from }).await.unwrap()
}

type Contents = BTreeMap<Key, Bytes>;

/// A store in memory that holds just this.
async fn holding(contents: &Contents) -> Arc<InMemory> {
    let memory = Arc::new(InMemory::new());
    for (key, bytes) in contents {
        memory.put(key, bytes.clone().into()).await.unwrap();
    }
    memory
}

/// The faults as text: `problem kind id` or `ref#seq: reason`.
fn told(report: &FsckReport) -> Vec<String> {
    let told = report.faults.iter().map(|fault| match fault {
        Fault::Object { kind, id, problem, .. } => format!("{} {kind} {id}", problem.as_str()),
        Fault::Log { name, seq, reason, .. } => format!("{name}#{seq}: {reason}"),
        Fault::Token { reason } => reason.clone(),
    });
    told.collect()
}

/// The keys of the objects of a kind.
fn objects(contents: &Contents, kind: Kind) -> Vec<Key> {
    let folder = format!("{}/", cas_core::store::layout::folder(kind));
    contents.keys().filter(|key| key.as_ref().starts_with(&folder)).cloned().collect()
}
