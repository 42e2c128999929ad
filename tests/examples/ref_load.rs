//! How long it takes to create many branches in a store in a folder: together, one after the
//! other, and, where git is at hand, by `git update-ref --stdin` with synced refs.
//!
//! ```sh
//! cargo run --release -p cas-tests --example ref_load -- [BRANCHES] [ROUNDS] [FOLDER]
//! ```
//!
//! Everything is new in each round and stays until the end: file systems look for free inodes
//! longer where some were freed a moment ago.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use cas_core::env::Env;
use cas_core::name::{Actor, BookId, CommitId, Operation, RefName};
use cas_core::object::Metadata;
use cas_core::refs::{Expectation, RefError, RefUpdate, UpdateOutcome};
use cas_core::store::{Location, Store, Variables, Writers, connect, create};
use cas_tests::tell;

type Failure = Box<dyn std::error::Error>;

/// Seconds that each round took.
#[derive(Default)]
struct Times {
    together: Vec<f64>,
    moved: Vec<f64>,
    single: Vec<f64>,
    heads: Vec<f64>,
    cold_heads: Vec<f64>,
    names: Vec<f64>,
    git: Vec<f64>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let branches: usize = arguments.next().map_or(Ok(10_000), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let place = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(place)?;
    let mut times = Times::default();
    for round in 0..rounds {
        let home = |name: &str| folder.path().join(format!("{name}-{round}"));
        together(&home("together"), branches, &mut times).await?;
        let single = single(&home("single"), branches).await?;
        times.single.push(single);
        times.git.extend(git(&home("git"), branches)?);
    }
    let each = f64::from(u32::try_from(branches)?);
    for (what, seconds) in [
        ("created together", times.together),
        ("moved together", times.moved),
        ("heads read, by the same store", times.heads),
        ("heads read, by another store", times.cold_heads),
        ("names listed", times.names),
        ("created one by one", times.single),
        ("created by git", times.git),
    ] {
        if let Some(median) = median(seconds) {
            tell(&format!("{what}: {median:.3} s, {:.1} µs each", median / each * 1e6));
        }
    }
    Ok(())
}

/// Creates branches in a new store and moves them, all in one call each; then reads them.
async fn together(home: &Path, branches: usize, times: &mut Times) -> Result<(), Failure> {
    let (first, second) = (CommitId::of(b"first"), CommitId::of(b"second"));
    let store = store_at(home).await?;
    let updates = updates(branches, Expectation::Absent, first)?;
    let (took, answers) = timed(store.refs().update_all(&updates)).await;
    times.together.push(took);
    all_moved(answers)?;
    let updates = self::updates(branches, Expectation::Is(first), second)?;
    let (took, answers) = timed(store.refs().update_all(&updates)).await;
    times.moved.push(took);
    all_moved(answers)?;
    times.heads.push(heads(&store, &updates, second).await?);
    let other = open(home)?;
    times.cold_heads.push(heads(&other, &updates, second).await?);
    let (took, names) = timed(other.refs().names(&BookId::parse("guide")?)).await;
    times.names.push(took);
    if names?.len() == branches { Ok(()) } else { Err("a branch is not listed".into()) }
}

async fn heads(store: &Store, updates: &[RefUpdate], target: CommitId) -> Result<f64, Failure> {
    let (took, wrong) = timed(async {
        for update in updates {
            let head = store.refs().head(&update.book, &update.name).await?;
            if head.and_then(|head| head.entry.target) != Some(target) {
                return Err(Failure::from("a branch is not where it was moved"));
            }
        }
        Ok(())
    })
    .await;
    wrong.map(|()| took)
}

async fn single(home: &Path, branches: usize) -> Result<f64, Failure> {
    let store = store_at(home).await?;
    let updates = updates(branches, Expectation::Absent, CommitId::of(b"first"))?;
    let (took, answers) = timed(async {
        let mut answers = Vec::with_capacity(branches);
        for update in &updates {
            answers.push(store.refs().update(update).await);
        }
        answers
    })
    .await;
    all_moved(answers)?;
    Ok(took)
}

/// The same by git; nothing where it is not installed.
#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
fn git(home: &Path, branches: usize) -> Result<Option<f64>, Failure> {
    std::fs::create_dir_all(home)?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(home).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        command.args(["-c", "core.fsync=reference"]).args(arguments).stdin(Stdio::null());
        command
    };
    let Ok(made) = git(&["init", "-q"]).output() else { return Ok(None) };
    let tree = git(&["write-tree"]).output()?;
    let commit = git(&["commit-tree", "-m", "first", std::str::from_utf8(&tree.stdout)?.trim()]);
    let commit = { commit }.output()?;
    if !(made.status.success() && commit.status.success()) {
        return Err("git makes no commit".into());
    }
    let commit = std::str::from_utf8(&commit.stdout)?.trim();
    let wishes: String =
        (0..branches).map(|n| format!("create refs/heads/users/{n:06} {commit}\n")).collect();
    let started = Instant::now();
    let mut child = git(&["update-ref", "--stdin"]).stdin(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no pipe")?.write_all(wishes.as_bytes())?;
    if !child.wait()?.success() {
        return Err("git creates no refs".into());
    }
    Ok(Some(started.elapsed().as_secs_f64()))
}

/// A new store. Refs are kept whatever they point at, so it needs no commits.
async fn store_at(home: &Path) -> Result<Store, Failure> {
    std::fs::create_dir_all(home)?;
    let location = Location::Folder(home.to_owned());
    let bucket = connect(&location, true, &Variables::new())?.bucket;
    create(&bucket, "the folder", Writers::Any, &Env::system()).await?;
    Ok(Store::in_bucket(&bucket, &Env::system()))
}

/// Another opening of the same store.
fn open(home: &Path) -> Result<Store, Failure> {
    let location = Location::Folder(home.to_owned());
    let bucket = connect(&location, false, &Variables::new())?.bucket;
    Ok(Store::in_bucket(&bucket, &Env::system()))
}

/// One wish for each branch.
fn updates(
    branches: usize,
    expect: Expectation,
    target: CommitId,
) -> Result<Vec<RefUpdate>, Failure> {
    let (book, actor) = (BookId::parse("guide")?, Actor::parse("fleet")?);
    let update = |n| {
        Ok(RefUpdate {
            book: book.clone(),
            name: RefName::parse(&format!("users/{n:06}"))?,
            expect,
            target: Some(target),
            actor: actor.clone(),
            operation: Operation::reset(),
            message: String::new(),
            request_id: Env::system().request_id(),
            metadata: Metadata::new(),
            began: cas_core::env::Timestamp::from_micros(u64::MAX),
        })
    };
    (0..branches).map(update).collect()
}

fn all_moved(answers: Vec<Result<UpdateOutcome, RefError>>) -> Result<(), Failure> {
    for answer in answers {
        if let UpdateOutcome::Refused(head) = answer? {
            return Err(format!("refused at {head:?}").into());
        }
    }
    Ok(())
}

/// What `act` gives, and how many seconds it took.
#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
async fn timed<T>(act: impl Future<Output = T>) -> (f64, T) {
    let started = Instant::now();
    let given = act.await;
    (started.elapsed().as_secs_f64(), given)
}

fn median(mut seconds: Vec<f64>) -> Option<f64> {
    seconds.sort_unstable_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied()
}
