//! The commands whose calls are recorded, each as a program of its own would do it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cas_core::env::Env;
use cas_core::folder::{ImportOptions, NoProgress};
use cas_core::name::{Operation, RefName, RequestId};
use cas_core::refs::Expectation;
use cas_core::repo::{
    Precondition, Repository, SyncRequest, SyncStatus, UpstreamChoice, VersionRequest,
};
use cas_core::store::{Bucket, LocalStore, Store, Writers, create, open};
use cas_core::upkeep::{GcRequest, Grace, Retention, Upkeep};
use cas_tests::env::test_env;
use cas_tests::power::Recording;
use object_store::memory::InMemory;

use crate::world::{actor, book, put};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// `cas init`.
    Init,
    /// `cas import` of a version of the book: more files than are synced one by one, or a few of
    /// them changed and some gone.
    Import(usize),
    /// `cas put` of one file, which over HTTP would be repeated by its key.
    Put,
    /// `cas branch create --stdin`, more than are synced one by one.
    Branches,
    /// `cas put` of a page of each reader, and of one of the book.
    Edits,
    /// `cas sync` of every reader: more objects than are synced one by one.
    Sync,
    /// `cas reset` to the version before.
    Reset,
    /// `cas gc --grace 0`.
    Collect,
    /// `cas copy` of another book from another store.
    Copy,
}

/// In this order on one store.
pub(super) const COMMANDS: [Command; 10] = [
    Command::Init,
    Command::Import(0),
    Command::Put,
    Command::Import(1),
    Command::Branches,
    Command::Edits,
    Command::Sync,
    Command::Reset,
    Command::Collect,
    Command::Copy,
];

/// What the commands work on besides the store.
pub(super) struct Materials {
    home: tempfile::TempDir,
    other: Store,
}

impl Materials {
    pub(super) async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for version in 0..2_usize {
            for n in (0..20_usize).filter(|n| version == 0 || n % 7 != 3) {
                let path = home.path().join(format!("{version}/part{}/{n}.md", n % 3));
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let of = if n % 9 == 0 { version } else { 0 };
                fs::write(path, format!("# Lesson {n}\n\nversion {of}\n")).unwrap();
            }
        }
        let other = Store::in_bucket(&Bucket::new(Arc::new(InMemory::new())), &test_env(900));
        let repo = Repository::new(other.clone(), test_env(901), actor("eve"), 1);
        let request = repo.ref_request(&"copied".parse().unwrap(), &RefName::main(), "begin");
        repo.create_book(&request).await.unwrap();
        let mut edit = VersionRequest { branch: RefName::main(), ..version_request("eve", "1") };
        edit.book = request.book;
        let file = [put("x/copied.md", b"copied", Precondition::Absent)];
        repo.edit(&edit, Operation::put(), &file).await.unwrap();
        Self { home, other }
    }

    fn version(&self, version: usize) -> PathBuf {
        self.home.path().join(version.to_string())
    }
}

/// How many readers there are.
const READERS: u32 = 6;

fn reader(n: u32) -> RefName {
    RefName::parse(&format!("users/r{n}")).unwrap()
}

fn version_request(message: &str, id: &str) -> VersionRequest {
    VersionRequest {
        book: book(),
        branch: RefName::main(),
        message: message.to_owned(),
        request_id: RequestId::parse(id).unwrap(),
    }
}

impl Command {
    /// Does it in the store at `root`, as the process number `process`.
    pub(super) async fn run(
        self,
        materials: &Materials,
        root: &Path,
        recording: &Arc<Recording>,
        process: u32,
    ) -> Outcome {
        let env = test_env(process);
        let local = LocalStore::recorded(root, recording.clone())?;
        let bucket = Bucket::local(local);
        if self != Self::Init {
            open(&bucket, "a test's store").await?;
        }
        let repo = Repository::new(Store::in_bucket(&bucket, &env), env.clone(), actor("ada"), 1);
        match self {
            Self::Init => match open(&bucket, "a test's store").await {
                Ok(_) => Ok(()),
                Err(_) => {
                    Ok(create(&bucket, "a test's store", Writers::Any, &env).await.map(drop)?)
                }
            },
            Self::Import(version) => {
                let request = version_request("import", env.request_id().as_str());
                let options = ImportOptions::default();
                let folder = materials.version(version);
                repo.import(&folder, &request, &options, Arc::new(NoProgress)).await?;
                Ok(())
            }
            Self::Put => {
                let edit = [put("part0/new.md", b"new", Precondition::Unsaid)];
                repo.edit(&version_request("put", "put-1"), Operation::put(), &edit).await?;
                Ok(())
            }
            Self::Branches => branches(&repo).await,
            Self::Edits => edits(&repo).await,
            Self::Sync => sync(&repo).await,
            Self::Reset => reset(&repo).await,
            Self::Collect => collect(bucket, env).await,
            Self::Copy => {
                let upkeep = Upkeep::new(bucket, env, 1, Arc::new(NoProgress));
                upkeep.copy_from(&materials.other, &[]).await?;
                Ok(())
            }
        }
    }
}

async fn branches(repo: &Repository) -> Outcome {
    let names: Vec<_> = (0..READERS).map(reader).collect();
    let from = "book@main".parse()?;
    let start = repo.branch_start(&from, &UpstreamChoice::Default, None).await?;
    let request = RequestId::parse("branches-1")?;
    for made in repo.create_branches(&names, &start, "fork", Some(&request)).await? {
        made?;
    }
    Ok(())
}

async fn edits(repo: &Repository) -> Outcome {
    for n in 0..READERS {
        let id = format!("own-{n}");
        let request = VersionRequest { branch: reader(n), ..version_request("own", &id) };
        let page = [put(&format!("part0/own{n}.md"), b"own", Precondition::Unsaid)];
        repo.edit(&request, Operation::put(), &page).await?;
    }
    let page = [put("part0/new.md", b"newer", Precondition::Unsaid)];
    repo.edit(&version_request("put", "put-2"), Operation::put(), &page).await?;
    Ok(())
}

async fn sync(repo: &Repository) -> Outcome {
    let request = SyncRequest::new(book(), "users/*");
    let report = repo.sync(&request, &mut |_, _| Box::pin(std::future::ready(()))).await?;
    let fine = report.count(SyncStatus::Merged) + report.count(SyncStatus::UpToDate);
    if fine != u64::from(READERS) {
        return Err(format!("{report:?}").into());
    }
    Ok(())
}

async fn reset(repo: &Repository) -> Outcome {
    let log = cas_tests::invariants::log(repo.store(), &book(), &RefName::main()).await;
    let first = log.map_err(|error| error.to_string())?[0].entry.target.unwrap();
    let request = repo.ref_request(&book(), &RefName::main(), "back");
    repo.reset_branch(&request, Expectation::Any, first).await?;
    for n in 0..READERS {
        let request = repo.ref_request(&book(), &reader(n), "gone");
        repo.delete_ref(&request, Expectation::Any).await?;
    }
    Ok(())
}

async fn collect(bucket: Bucket, env: Env) -> Outcome {
    let upkeep = Upkeep::new(bucket, env, 1, Arc::new(NoProgress));
    let grace = Grace::Alone(std::time::Duration::ZERO);
    let retention = Retention::Newest(1);
    upkeep.gc(&GcRequest { actor: actor("gc"), retention, grace, dry_run: false }).await?;
    Ok(())
}
