//! A store with a great many objects, a fifth of its branches deleted: what `bench/gc` collects.
//!
//! ```sh
//! cargo run --release -p cas-tests --example gc_load -- make STORE BRANCHES PAGES
//! cargo run --release -p cas-tests --example gc_load -- check STORE BRANCHES PAGES
//! cargo run --release -p cas-tests --example gc_load -- git BRANCHES PAGES | git fast-import
//! ```
//!
//! A book of 2,000 files; every branch adds so many pages of its own in four folders. Of five
//! branches one is deleted afterwards. `check` compares every version that is left with what it must
//! be, entry by entry, and looks that nothing is there of those that are gone.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::Path;

use bytes::Bytes;
use cas_core::env::{Env, Timestamp};
use cas_core::name::{Actor, BlobId, BookId, CommitId, EntryName, Operation, RefName, TreeId};
use cas_core::object::{Commit, Entry, EntryKind, Kind, Metadata, Tree};
use cas_core::refs::{Expectation, RefUpdate};
use cas_core::store::{Location, Session, Store, Variables, Writers, connect, create};
use cas_tests::tell;

type Failure = Box<dyn std::error::Error>;

const FOLDERS: usize = 20;
const FILES: usize = 100;
const OWN_FOLDERS: usize = 4;
/// How many branches are written together.
const TOGETHER: usize = 200;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["make", store, branches, pages] => {
            make(Path::new(store), branches.parse()?, pages.parse()?).await
        }
        ["check", store, branches, pages] => {
            check(Path::new(store), branches.parse()?, pages.parse()?).await
        }
        ["git", branches, pages] => stream(branches.parse()?, pages.parse()?),
        _ => {
            Err("make STORE BRANCHES PAGES, check STORE BRANCHES PAGES, or git BRANCHES PAGES"
                .into())
        }
    }
}

const fn is_deleted(branch: usize) -> bool {
    branch.is_multiple_of(5)
}

fn base_text(folder: usize, file: usize) -> String {
    format!("Lesson {file} of chapter {folder}, as everybody has it.\n").repeat(20)
}

fn own_text(branch: usize, page: usize) -> String {
    format!("What reader {branch} wrote on page {page}.\n").repeat(10)
}

fn name_of(branch: usize) -> Result<RefName, Failure> {
    Ok(RefName::parse(&format!("users/{branch:06}"))?)
}

/// The pages of a branch in one of its folders.
fn pages_in(folder: usize, pages: usize) -> impl Iterator<Item = usize> {
    (folder..pages).step_by(OWN_FOLDERS)
}

fn id_of(tree: &Tree) -> TreeId {
    TreeId::of(&tree.encode())
}

fn folder_of(files: impl Iterator<Item = (String, String)>) -> Result<Tree, Failure> {
    let entries = files.map(|(name, text)| {
        let (id, size) = (BlobId::of(text.as_bytes()), text.len() as u64);
        Ok(Entry::blob(EntryName::parse(&name)?, EntryKind::File, id, size))
    });
    Ok(Tree::from_entries(entries.collect::<Result<Vec<_>, Failure>>()?)?)
}

fn folders_of(folders: &[(String, Tree)]) -> Result<Tree, Failure> {
    let entries = folders
        .iter()
        .map(|(name, tree)| Ok(Entry::tree(EntryName::parse(name)?, id_of(tree), tree)));
    Ok(Tree::from_entries(entries.collect::<Result<Vec<_>, Failure>>()?)?)
}

fn base() -> Result<Vec<(String, Tree)>, Failure> {
    let folder = |folder| {
        let files = (0..FILES).map(|file| (format!("{file:02}.md"), base_text(folder, file)));
        Ok((format!("{folder:02}-chapter"), folder_of(files)?))
    };
    (0..FOLDERS).map(folder).collect()
}

/// The folders of a branch's own.
fn own(branch: usize, pages: usize) -> Result<Vec<(String, Tree)>, Failure> {
    let folder = |folder| {
        let files = pages_in(folder, pages)
            .map(|page| (format!("page-{page:03}.md"), own_text(branch, page)));
        Ok((format!("{folder}-own"), folder_of(files)?))
    };
    (0..OWN_FOLDERS).map(folder).collect()
}

/// The root of a branch, with what it holds of its own.
fn version(
    base: &[(String, Tree)],
    branch: usize,
    pages: usize,
) -> Result<(Tree, Vec<(String, Tree)>), Failure> {
    let mut folders = base.to_vec();
    let mut own = own(branch, pages)?;
    own.push(("mine".to_owned(), folders_of(&own)?));
    folders.extend(own.last().cloned());
    Ok((folders_of(&folders)?, own))
}

async fn put_texts(session: &Session, texts: impl Iterator<Item = String>) -> Result<(), Failure> {
    for text in texts {
        session.put_blob(Bytes::from(text)).await?;
    }
    Ok(())
}

async fn put_commit(
    session: &Session,
    root: &Tree,
    parents: Vec<CommitId>,
) -> Result<CommitId, Failure> {
    let (tree, _) = session.put_tree(root).await?;
    let commit = Commit {
        tree,
        parents,
        author: Actor::parse("writer")?,
        committed_at: Timestamp::from_micros(1_700_000_000_000_000),
        message: "Write".to_owned(),
        metadata: Metadata::new(),
    };
    Ok(session.put_commit(&commit).await?)
}

async fn make(home: &Path, branches: usize, pages: usize) -> Result<(), Failure> {
    std::fs::create_dir_all(home)?;
    let store = open(home).await?;
    let base = base()?;
    let session = store.session().await?;
    let texts = (0..FOLDERS * FILES).map(|at| base_text(at / FILES, at % FILES));
    put_texts(&session, texts).await?;
    for (_, tree) in &base {
        session.put_tree(tree).await?;
    }
    let first = put_commit(&session, &folders_of(&base)?, Vec::new()).await?;
    session.publish().await?;
    move_all(&store, vec![(RefName::main(), Some(first))]).await?;
    for from in (0..branches).step_by(TOGETHER) {
        let session = store.session().await?;
        let mut moves = Vec::new();
        for branch in from..(from + TOGETHER).min(branches) {
            put_texts(&session, (0..pages).map(|page| own_text(branch, page))).await?;
            let (root, own) = version(&base, branch, pages)?;
            for (_, tree) in &own {
                session.put_tree(tree).await?;
            }
            let commit = put_commit(&session, &root, vec![first]).await?;
            moves.push((name_of(branch)?, Some(commit)));
        }
        session.publish().await?;
        move_all(&store, moves).await?;
    }
    let gone = (0..branches).filter(|branch| is_deleted(*branch));
    move_all(
        &store,
        gone.map(|branch| Ok((name_of(branch)?, None))).collect::<Result<_, Failure>>()?,
    )
    .await
}

async fn open(home: &Path) -> Result<Store, Failure> {
    let location = Location::Folder(home.to_owned());
    let bucket = connect(&location, true, &Variables::new())?.bucket;
    if !home.join("format").exists() {
        create(&bucket, "the folder", Writers::Any, &Env::system()).await?;
    }
    Ok(Store::in_bucket(&bucket, &Env::system()))
}

async fn move_all(store: &Store, moves: Vec<(RefName, Option<CommitId>)>) -> Result<(), Failure> {
    let mut updates = Vec::new();
    for (name, target) in moves {
        updates.push(RefUpdate {
            book: BookId::parse("guide")?,
            name,
            expect: if target.is_some() { Expectation::Absent } else { Expectation::Any },
            target,
            actor: Actor::parse("writer")?,
            operation: if target.is_some() { Operation::edit() } else { Operation::delete() },
            message: String::new(),
            request_id: Env::system().request_id(),
            metadata: Metadata::new(),
            began: Timestamp::from_micros(u64::MAX),
        });
    }
    for answer in store.refs().update_all(&updates).await {
        answer?;
    }
    Ok(())
}

async fn check(home: &Path, branches: usize, pages: usize) -> Result<(), Failure> {
    let store = open(home).await?;
    let (base, book) = (base()?, BookId::parse("guide")?);
    for (_, tree) in &base {
        is_there(&store, tree).await?;
    }
    let mut looked = 0_u64;
    for branch in 0..branches {
        let (root, own) = version(&base, branch, pages)?;
        if is_deleted(branch) {
            for (_, tree) in own.iter().filter(|(name, _)| name != "mine") {
                for entry in tree.entries() {
                    if store.size(Kind::Blob, &entry.id).await?.is_some() {
                        return Err(
                            format!("branch {branch}: {} was not collected", entry.id).into()
                        );
                    }
                }
            }
            continue;
        }
        let head = store.refs().head(&book, &name_of(branch)?).await?;
        let target = head.and_then(|head| head.entry.target).ok_or("a branch is gone")?;
        let commit = store.get_commit(&target).await?;
        if commit.tree != id_of(&root) {
            return Err(format!("branch {branch} holds something else").into());
        }
        store.get_tree(&id_of(&root)).await?;
        for (_, tree) in &own {
            is_there(&store, tree).await?;
            looked += tree.entries().len() as u64;
        }
    }
    tell(&format!("every version is whole: {looked} entries of branches looked at"));
    Ok(())
}

/// Whether a tree is there, and with the right length every blob in it.
async fn is_there(store: &Store, tree: &Tree) -> Result<(), Failure> {
    store.get_tree(&id_of(tree)).await?;
    for entry in tree.entries().iter().filter(|entry| !entry.kind.is_tree()) {
        if store.size(Kind::Blob, &entry.id).await? != Some(entry.totals.size) {
            return Err(format!("blob {} is not there", entry.id).into());
        }
    }
    Ok(())
}

/// The same for `git fast-import`.
fn stream(branches: usize, pages: usize) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut text = String::new();
    begin(&mut text, "refs/heads/main", None);
    for at in 0..FOLDERS * FILES {
        let path = format!("{:02}-chapter/{:02}.md", at / FILES, at % FILES);
        file(&mut text, &path, &base_text(at / FILES, at % FILES));
    }
    out.write_all(text.as_bytes())?;
    for branch in 0..branches {
        text.clear();
        begin(&mut text, &format!("refs/heads/users/{branch:06}"), Some("refs/heads/main"));
        for page in 0..pages {
            let path = format!("mine/{}-own/page-{page:03}.md", page % OWN_FOLDERS);
            file(&mut text, &path, &own_text(branch, page));
        }
        out.write_all(text.as_bytes())?;
    }
    // Deleted afterwards, with `git update-ref --stdin`.
    Ok(out.flush()?)
}

fn begin(text: &mut String, name: &str, from: Option<&str>) {
    let _ = write!(
        text,
        "commit {name}\ncommitter w <w@example.org> 1700000000 +0000\ndata 5\nWrite\n"
    );
    if let Some(from) = from {
        let _ = writeln!(text, "from {from}");
    }
}

fn file(text: &mut String, path: &str, content: &str) {
    let _ = write!(text, "M 100644 inline {path}\ndata {}\n{content}\n", content.len());
}
