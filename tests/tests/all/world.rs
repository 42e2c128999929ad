//! A book in memory, and what the tests of the invariants do to it: scripts, edits, races.

use std::sync::Arc;

use bytes::Bytes;
use cas_core::env::{Env, Timestamp};
use cas_core::name::{
    Actor, BlobId, BookId, BookPath, CommitId, HashPrefix, Operation, RefName, RequestId,
};
use cas_core::object::{Commit, Metadata, Tree};
use cas_core::refs::{Expectation, LogEntry, RefError, RefUpdate};
use cas_core::repo::{
    Content, Edit, EditReport, PathEdit, Precondition, RepoError, Repository, VersionRequest,
};
use cas_core::store::{Bucket, Store};
use cas_tests::env::test_env;
use cas_tests::faulty::{FaultyStore, snapshot};
use cas_tests::invariants;
use cas_tests::mutant::{Flaw, MutantStore};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use tokio::sync::Semaphore;

/// A store in memory with a book in it, as it was made: without faults.
pub(crate) struct World {
    pub(crate) memory: Arc<InMemory>,
    /// The store as it is, for setting up and for checking.
    pub(crate) plain: Repository,
    /// The book's first version.
    pub(crate) first: CommitId,
}

impl World {
    pub(crate) async fn new() -> Self {
        let memory = Arc::new(InMemory::new());
        let plain = repository(memory.clone(), 0, "ada");
        let session = plain.store().session().await.unwrap();
        let (tree, _) = session.put_tree(&Tree::default()).await.unwrap();
        let commit = Commit {
            tree,
            parents: Vec::new(),
            author: actor("ada"),
            committed_at: Timestamp::from_micros(1),
            message: "first".to_owned(),
            metadata: Metadata::new(),
        };
        let first = session.put_commit(&commit).await.unwrap();
        session.publish().await.unwrap();
        let main = RefName::main();
        plain.create_ref(&plain.ref_request(&book(), &main, ""), first).await.unwrap();
        Self { memory, plain, first }
    }

    pub(crate) fn faulty(&self) -> FaultyStore {
        FaultyStore::new(self.memory.clone())
    }

    pub(crate) fn mutant(&self, flaw: Flaw) -> Arc<MutantStore> {
        Arc::new(MutantStore::new(self.memory.clone(), flaw))
    }

    /// The log of a ref as it is, oldest first.
    pub(crate) async fn log(&self, name: &RefName) -> Vec<LogEntry> {
        let log = invariants::log(self.plain.store(), &book(), name).await;
        log.unwrap()
    }

    /// The paths and ids of the files that a branch holds now.
    pub(crate) async fn files(&self, name: &RefName) -> Vec<(String, BlobId)> {
        let head = self.plain.store().refs().head(&book(), name).await.unwrap();
        let commit = head.unwrap().entry.target.unwrap();
        let commit = self.plain.store().get_commit(&commit).await.unwrap();
        let items = self.plain.list(commit.tree, &BookPath::root(), true).await;
        items.unwrap().into_iter().map(|item| (item.path.to_string(), BlobId(item.id))).collect()
    }

    /// Everything that must hold of any store at any time.
    pub(crate) async fn check(&self, context: &str) {
        let store = self.plain.store();
        assert_eq!(invariants::linear(store).await, [""; 0], "linear: {context}");
        assert_eq!(invariants::closed(store).await, [""; 0], "closed: {context}");
        let all = snapshot(&*self.memory).await.unwrap();
        let dangling = invariants::leaves_first(&all);
        assert_eq!(dangling, [""; 0], "leaves first: {context}");
    }
}

/// What one step of a script was, and what it was told.
pub(crate) struct Step {
    pub(crate) operation: Operation,
    pub(crate) name: RefName,
    /// For edits: what to repeat.
    pub(crate) request: Option<VersionRequest>,
    pub(crate) answer: Result<Answer, RepoError>,
}

pub(crate) enum Answer {
    Entry(LogEntry),
    Edit(EditReport),
}

/// Creates a branch, edits it twice, deletes it, restores it and resets it. Steps that fail are
/// passed over: what comes after them then fails as well, in its own way.
pub(crate) async fn script(repo: &Repository, first: CommitId) -> Vec<Step> {
    let name = user();
    let mut steps = Vec::new();
    let step = |operation, request, answer| Step { operation, name: user(), request, answer };
    let created = repo.create_ref(&repo.ref_request(&book(), &name, "fork"), first).await;
    steps.push(step(Operation::create(), None, created.map(Answer::Entry)));
    for n in [1, 2] {
        let request = request(&name, &format!("edit-{n}"));
        let edits = script_edits(n);
        let edited = repo.edit(&request, Operation::put(), &edits).await;
        let edited = edited.map(Answer::Edit);
        steps.push(step(Operation::put(), Some(request), edited));
    }
    let delete = repo.ref_request(&book(), &name, "delete");
    let deleted = repo.delete_ref(&delete, Expectation::Any).await.map(|deleted| deleted.entry);
    steps.push(step(Operation::delete(), None, deleted.map(Answer::Entry)));
    let restored = repo.restore_branch(&repo.ref_request(&book(), &name, "restore")).await;
    steps.push(step(Operation::restore(), None, restored.map(Answer::Entry)));
    let again = repo.ref_request(&book(), &name, "again");
    let reset = repo.reset_branch(&again, Expectation::Any, first).await;
    steps.push(step(Operation::reset(), None, reset.map(Answer::Entry)));
    steps
}

/// The edits of step `n` of the script: one new file, then a change to it and another beside it.
pub(crate) fn script_edits(n: u32) -> Vec<PathEdit> {
    match n {
        1 => vec![put("part/one.md", b"one", Precondition::Absent)],
        _ => vec![
            put("part/one.md", b"one, changed", is(b"one")),
            put("part/deep/two.md", b"two", Precondition::Unsaid),
        ],
    }
}

/// Where the answers to `steps` are not what the log says.
pub(crate) fn uncertain(steps: &[Step], log: &[LogEntry]) -> Vec<String> {
    let mut faults = Vec::new();
    for step in steps {
        let request = step.request.as_ref();
        let made: Vec<_> = log
            .iter()
            .filter(|entry| match request {
                Some(request) => entry.entry.request_id == request.request_id,
                None => entry.entry.operation == step.operation,
            })
            .collect();
        let what = format!("{} of {}", step.operation, step.name);
        match &step.answer {
            Ok(Answer::Entry(entry)) => {
                // A reset to where the branch is already is answered with what is there.
                let unchanged = step.operation == Operation::reset() && made.is_empty();
                if made != [entry] && !(unchanged && log.last() == Some(entry)) {
                    faults.push(format!("{what} was acknowledged but the log has {made:?}"));
                }
            }
            Ok(Answer::Edit(report)) => {
                let targets: Vec<_> = made.iter().map(|entry| entry.entry.target).collect();
                if targets != [Some(report.commit)] {
                    faults.push(format!("{what} was acknowledged but the log has {made:?}"));
                }
            }
            Err(error) => {
                // Only an answer that says so may leave it open.
                let open = matches!(error, RepoError::Ref(RefError::FateUnknown { .. }));
                if made.len() > usize::from(open) {
                    faults.push(format!("{what} failed with {error} but the log has {made:?}"));
                }
            }
        }
    }
    faults
}

/// Updates of one ref, each asked for until it is answered with an entry.
pub(crate) fn updates(first: CommitId, second: CommitId) -> Vec<RefUpdate> {
    use Expectation::{Absent, Any, Is};
    let moves = [
        (Absent, Some(first)),
        (Is(first), Some(second)),
        (Any, Some(first)),
        (Is(first), None),
        (Absent, Some(second)),
    ];
    let update = |(n, (expect, target))| RefUpdate {
        book: book(),
        name: user(),
        expect,
        target,
        actor: actor("ada"),
        operation: Operation::reset(),
        message: String::new(),
        request_id: RequestId::parse(&format!("update-{n}")).unwrap(),
        metadata: Metadata::new(),
        began: Timestamp::from_micros(u64::MAX),
    };
    moves.into_iter().enumerate().map(update).collect()
}

/// What two writers do to one branch: each its own edits.
pub(crate) type Edits = fn(writer: usize) -> Vec<PathEdit>;

pub(crate) fn distinct_files(writer: usize) -> Vec<PathEdit> {
    let path = ["part/a.md", "part/b.md", "other/c.md"][writer];
    vec![put(path, path.as_bytes(), Precondition::Absent)]
}

pub(crate) fn the_same_new_file(writer: usize) -> Vec<PathEdit> {
    let content: &[u8] = [b"by 0", b"by 1", b"by 2"][writer];
    vec![put("part/a.md", content, Precondition::Absent)]
}

pub(crate) fn the_same_old_file(writer: usize) -> Vec<PathEdit> {
    let content: &[u8] = [b"by 0", b"by 1", b"by 2"][writer];
    vec![put("old.md", content, is(b"old"))]
}

/// One file moved to different names: whoever comes second finds it gone.
pub(crate) fn moves_of_one_file(writer: usize) -> Vec<PathEdit> {
    vec![PathEdit {
        path: path("old.md"),
        edit: Edit::Move { to: path(["a.md", "b.md", "c.md"][writer]) },
        precondition: is(b"old"),
    }]
}

/// A world where `main` has the file `old.md`.
pub(crate) async fn world_with_a_file() -> World {
    let world = World::new().await;
    let old = [put("old.md", b"old", Precondition::Absent)];
    let request = request(&RefName::main(), "old");
    world.plain.edit(&request, Operation::put(), &old).await.unwrap();
    world
}

/// Writer `writer` does its edits over `store`.
pub(crate) async fn write(store: Arc<dyn ObjectStore>, writer: usize, edits: Edits) -> Told {
    write_in(&repository(store, writer, "ada"), writer, edits).await
}

pub(crate) async fn write_in(repo: &Repository, writer: usize, edits: Edits) -> Told {
    let request = request(&RefName::main(), &format!("writer-{writer}"));
    repo.edit(&request, Operation::put(), &edits(writer)).await
}

/// What a writer was told.
pub(crate) type Told = Result<EditReport, RepoError>;

/// How several writers fared.
pub(crate) struct Race {
    pub(crate) world: World,
    /// What each was told.
    pub(crate) told: Vec<Told>,
    /// Whether the first writer ended before another was to come between.
    pub(crate) over: bool,
    /// The same for the second writer.
    pub(crate) inner_over: bool,
}

/// *No lost update*: every acknowledged change is in the head, and nothing else is.
pub(crate) async fn lost_updates(race: &Race, edits: Edits) -> Vec<String> {
    let mut faults = Vec::new();
    let files = race.world.files(&RefName::main()).await;
    for (writer, told) in race.told.iter().enumerate() {
        let done = edits(writer).iter().all(|edit| match &edit.edit {
            Edit::Put(content) => files.contains(&(edit.path.to_string(), content.id())),
            Edit::Move { to } => files.iter().any(|(path, _)| path == to.as_str()),
            Edit::Remove { .. } | Edit::Place(_) => true,
        });
        if told.is_ok() != done {
            faults.push(format!("writer {writer} was told {told:?}, the files are {files:?}"));
        }
    }
    faults
}

/// Runs writer 0 up to its `n`-th call, then writer 1 up to its `m`-th, then writer 0 to its end,
/// then writer 1 to its end.
pub(crate) async fn crossed(n: u64, m: u64, edits: Edits, flaw: Option<Flaw>) -> Race {
    let world = world_with_a_file().await;
    let base: Arc<dyn ObjectStore> = match flaw {
        None => world.memory.clone(),
        Some(flaw) => world.mutant(flaw),
    };
    // Gates: each is opened when its time has come, or when it will not come any more.
    let gate = || Arc::new(Semaphore::new(0));
    let (second_may_start, first_may_end, second_may_end) = (gate(), gate(), gate());
    let (start, resume) = (second_may_start.clone(), first_may_end.clone());
    let first = FaultyStore::new(base.clone()).with_hook(n, move || async move {
        start.add_permits(1);
        let _ = resume.acquire().await;
    });
    let (resume, end) = (first_may_end.clone(), second_may_end.clone());
    let second = FaultyStore::new(base).with_hook(m, move || async move {
        resume.add_permits(1);
        let _ = end.acquire().await;
    });
    let run_first = async {
        let told = write(Arc::new(first.clone()), 0, edits).await;
        second_may_start.add_permits(1);
        second_may_end.add_permits(1);
        told
    };
    let run_second = async {
        let _ = second_may_start.acquire().await;
        let told = write(Arc::new(second.clone()), 1, edits).await;
        first_may_end.add_permits(1);
        told
    };
    let (first_told, second_told) = tokio::join!(run_first, run_second);
    Race {
        world,
        told: vec![first_told, second_told],
        over: first.calls() < n,
        inner_over: second.calls() < m,
    }
}

/// *Shared*: how many keys are new below each folder.
pub(crate) async fn new_keys(
    world: &World,
    repo: &Repository,
    act: impl AsyncFnOnce(&Repository),
) -> [usize; 4] {
    let before = snapshot(&*world.memory).await.unwrap();
    act(repo).await;
    let after = snapshot(&*world.memory).await.unwrap();
    ["blobs/", "trees/", "commits/", "refs/"].map(|folder| {
        let new = after.keys().filter(|key| !before.contains_key(key));
        new.filter(|key| key.as_ref().starts_with(folder)).count()
    })
}

pub(crate) async fn fork(repo: &Repository) {
    let first = repo.store().refs().entry(&book(), &RefName::main(), 1).await;
    let first = first.unwrap().unwrap().entry.target.unwrap();
    repo.create_ref(&repo.ref_request(&book(), &user(), "fork"), first).await.unwrap();
}

pub(crate) fn repository(store: Arc<dyn ObjectStore>, seed: usize, who: &str) -> Repository {
    let env = test_env(u32::try_from(seed).unwrap());
    Repository::new(store_of(store, &env), env, actor(who), 1)
}

pub(crate) fn store_of(store: Arc<dyn ObjectStore>, env: &Env) -> Store {
    Store::in_bucket(&Bucket::new(store), env)
}

pub(crate) fn request(branch: &RefName, id: &str) -> VersionRequest {
    VersionRequest {
        book: book(),
        branch: branch.clone(),
        message: id.to_owned(),
        request_id: RequestId::parse(&id.replace(' ', "-")).unwrap(),
    }
}

pub(crate) fn put(at: &str, bytes: &[u8], precondition: Precondition) -> PathEdit {
    PathEdit {
        path: path(at),
        edit: Edit::Put(Content::from_bytes(Bytes::copy_from_slice(bytes))),
        precondition,
    }
}

pub(crate) fn remove(at: &str) -> PathEdit {
    PathEdit {
        path: path(at),
        edit: Edit::Remove { recursive: false },
        precondition: Precondition::Unsaid,
    }
}

pub(crate) fn is(bytes: &[u8]) -> Precondition {
    Precondition::Is(HashPrefix::parse(&BlobId::of(bytes).to_string()).unwrap())
}

pub(crate) fn path(text: &str) -> BookPath {
    BookPath::parse(text).unwrap()
}

pub(crate) fn book() -> BookId {
    BookId::parse("book").unwrap()
}

pub(crate) fn user() -> RefName {
    RefName::parse("users/Ada").unwrap()
}

pub(crate) fn actor(who: &str) -> Actor {
    Actor::parse(who).unwrap()
}
