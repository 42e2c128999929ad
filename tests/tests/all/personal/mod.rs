//! Personal branches: what they follow, what is read while they are not there, and what they cost.

mod command;
mod costs;
mod following;
mod forking;
mod http;
mod http_branches;
mod http_restore;
mod http_sources;
mod http_sync;
mod http_upstream;
mod making;
mod opening;

use cas_core::name::{CommitId, Operation, RefName, Revision};
use cas_core::refs::{LogEntry, Upstream};
use cas_core::repo::{Precondition, Repository};

use crate::world::{World, book, is, put, request};

/// Readers follow `main` as it moves; whoever drafts stays where a draft began.
const RULES: &[u8] = b"[[personal]]\npattern = \"users/*\"\nfollow = \"live\"\n\n\
    [[personal]]\npattern = \"drafts/*\"\nupstream = \"draft\"\n";

/// A book whose `main` has these rules and `docs/a.md`.
async fn guide() -> World {
    let world = World::new().await;
    let edits = [
        put("book.toml", RULES, Precondition::Absent),
        put("docs/a.md", b"a", Precondition::Absent),
    ];
    let begin = request(&RefName::main(), "begin");
    world.plain.edit(&begin, Operation::put(), &edits).await.unwrap();
    world
}

fn named(name: &str) -> RefName {
    RefName::parse(name).unwrap()
}

fn revision(text: &str) -> Revision {
    Revision::parse(&format!("book@{text}")).unwrap()
}

/// Changes `docs/a.md` of `main` and gives the new version.
async fn base_moves(repo: &Repository, from: &[u8], to: &[u8]) -> CommitId {
    let id = format!("base {}", String::from_utf8_lossy(to));
    let edits = [put("docs/a.md", to, is(from))];
    let request = request(&RefName::main(), &id);
    repo.edit(&request, Operation::put(), &edits).await.unwrap().commit
}

async fn head(repo: &Repository, name: &str) -> Option<LogEntry> {
    repo.store().refs().head(&book(), &named(name)).await.unwrap()
}

async fn target(repo: &Repository, name: &str) -> CommitId {
    head(repo, name).await.unwrap().entry.target.unwrap()
}

async fn upstream(repo: &Repository, name: &str) -> Option<Upstream> {
    head(repo, name).await.unwrap().entry.upstream()
}
