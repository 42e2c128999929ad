//! Processes that write at random while others collect, and days pass within seconds.
//!
//! `CAS_TEST_CHURN_SECONDS` says how long, `CAS_TEST_CHURN_SEED` in which order; with
//! `CAS_TEST_CHURN_HEEDLESS` writers heed no list, and something is soon lost.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cas_core::env::{Clock, Env, Timestamp};
use cas_core::error::ErrorKind;
use cas_core::folder::NoProgress;
use cas_core::limits;
use cas_core::name::{BlobId, BookPath, CommitId, HashPrefix, Operation, RefName, TreeId};
use cas_core::refs::Expectation;
use cas_core::repo::{Precondition, RepoError, Repository};
use cas_core::store::{Bucket, LocalStore, Store};
use cas_core::upkeep::{FsckRequest, GcReport, GcRequest, Grace, Retention, Upkeep, UpkeepError};
use cas_tests::faulty::snapshot;
use cas_tests::hurried::{HurriedClock, HurriedStore};
use cas_tests::{invariants, tell};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::collect::heedless_store;
use crate::world::{actor, book, put, remove, request};

const PROCESSES: u64 = 16;
/// How many of them collect.
const COLLECTORS: u64 = 2;
const SECONDS: u64 = 10;
/// In how many leaps a day passes, and how long one who collected rests, so that it does.
const LEAPS: u64 = 5;
const REST: Duration = Duration::from_millis(250);
/// How long a collection takes that is slow.
const SLOW: Duration = Duration::from_millis(500);
/// How many times as long it may take until something was deleted.
const PATIENCE: u32 = 20;
/// How long a writer pauses after each turn, so that collections come to their end.
const PAUSE: Duration = Duration::from_millis(100);

/// Which of the processes one is: its number.
const NUMBER: &str = "CAS_CHURN_NUMBER";
/// The folder with the store and the clock.
const FOLDER: &str = "CAS_CHURN_FOLDER";
/// Whether the store is one as `cas` has them in a folder; else it is any bucket.
const LOCAL: &str = "CAS_CHURN_LOCAL";

/// One store at a time: the machine is busy enough.
static TURN: Mutex<()> = Mutex::new(());

/// How many texts there are: few, so that what is condemned comes again.
const TEXTS: u64 = 10;
const PATHS: u64 = 4;

type Files = BTreeMap<String, BlobId>;

#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// The store and the clock of all processes.
struct Shared {
    folder: PathBuf,
    clock: HurriedClock,
    env: Env,
    store: Arc<dyn ObjectStore>,
    bucket: Bucket,
}

impl Shared {
    fn open(folder: &Path, local: bool) -> Self {
        let clock = HurriedClock::open(folder.join("clock")).unwrap();
        let env = Env { clock: Arc::new(clock.clone()), ..Env::system() };
        let at = folder.join("store");
        let hurried = |store| Arc::new(HurriedStore::new(store, clock.clone()));
        let (store, bucket) = if local {
            let files = LocalStore::open(&at).unwrap();
            let store = hurried(Arc::new(files.clone()));
            (store.clone(), Bucket::local_seen_as(files, store))
        } else {
            let files = LocalFileSystem::new_with_prefix(at).unwrap();
            let store = hurried(Arc::new(files));
            (store.clone(), Bucket::new(store))
        };
        Self { folder: folder.to_owned(), clock, env, store, bucket }
    }

    fn repository(&self, who: &str) -> Repository {
        let bucket = self.bucket.clone();
        let store = if std::env::var_os("CAS_TEST_CHURN_HEEDLESS").is_some() {
            heedless_store(bucket, &self.env)
        } else {
            Store::in_bucket(&bucket, &self.env)
        };
        Repository::new(store, self.env.clone(), actor(who), 2)
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::new(self.bucket.clone(), self.env.clone(), 4, Arc::new(NoProgress))
    }

    /// How many collections came to their end, and whether one deleted anything.
    fn collected(&self) -> (u64, bool) {
        let notes = std::fs::read(self.folder.join("collected")).unwrap_or_default();
        (notes.len() as u64, notes.contains(&b'!'))
    }

    fn note_collection(&self, deleted: bool) {
        let path = self.folder.join("collected");
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(if deleted { b"!" } else { b"." }).unwrap();
    }

    /// Whether everybody is to come to an end.
    fn is_over(&self) -> bool {
        self.folder.join("over").exists()
    }

    async fn gc(&self, retention: Retention) -> Result<GcReport, UpkeepError> {
        let grace = Grace::Shared(limits::GRACE);
        let request = GcRequest { actor: actor("gc"), retention, grace, dry_run: false };
        self.upkeep().gc(&request).await
    }
}

/// A folder that stays when a test fails.
struct Kept(Option<TempDir>);

impl Kept {
    fn path(&self) -> &Path {
        self.0.as_ref().unwrap().path()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take_if(|_| std::thread::panicking()) {
            tell(&format!("churn: the store is kept at {}", folder.keep().display()));
        }
    }
}

/// Somebody who writes.
struct Writer {
    shared: Shared,
    repo: Repository,
    random: Random,
    name: String,
    /// A branch that nobody else moves.
    own: RefName,
    /// What is in each version that it ever had.
    versions: BTreeMap<CommitId, Files>,
    done: u64,
    refused: u64,
}

impl Writer {
    async fn run(mut self) {
        let main = self.head(&RefName::main()).await.unwrap();
        let files = self.files(main).await.unwrap();
        self.versions.insert(main, files);
        let own = self.repo.ref_request(&book(), &self.own, "begin");
        self.repo.create_ref(&own, main).await.unwrap();
        while !self.shared.is_over() {
            let began = self.shared.clock.now();
            let did = self.turn().await;
            self.judge(did, began, "a turn");
            tokio::time::sleep(PAUSE).await;
            let began = self.shared.clock.now();
            let read = self.look().await;
            self.judge(read, began, "a look");
        }
        tell(&format!("churned writes {} refused {}", self.done, self.refused));
    }

    /// Fails unless an error is one that may be: somebody was faster, or it took too long.
    fn judge(&mut self, outcome: Result<(), RepoError>, began: Timestamp, what: &str) {
        let Err(error) = outcome else {
            self.done += 1;
            return;
        };
        self.refused += 1;
        let took = self.shared.clock.now().as_micros() - began.as_micros();
        let is_late = u128::from(took) >= (limits::GRACE / 2).as_micros();
        let may_be = [ErrorKind::NotFound, ErrorKind::Conflict, ErrorKind::Unavailable];
        let name = &self.name;
        let hours = took / 3_600_000_000;
        let fits = is_late || may_be.contains(&error.kind());
        assert!(fits, "{name}, {what} of {hours} hours: {error:?}");
    }

    async fn turn(&mut self) -> Result<(), RepoError> {
        let (own, main) = (self.own.clone(), RefName::main());
        match self.random.below(10) {
            0..=4 => self.edit(&own).await,
            5 => self.edit(&main).await,
            6..=7 => {
                // Back to a version that only the log names, if anything does.
                let at = self.random.below(self.versions.len() as u64);
                let to = *self.versions.keys().nth(usize::try_from(at).unwrap()).unwrap();
                let asked = self.repo.ref_request(&book(), &own, "back");
                self.repo.reset_branch(&asked, Expectation::Any, to).await.map(|_| ())
            }
            8 => {
                let asked = self.repo.ref_request(&book(), &own, "away");
                self.repo.delete_ref(&asked, Expectation::Any).await?;
                let asked = self.repo.ref_request(&book(), &own, "back again");
                self.repo.restore_branch(&asked).await.map(|_| ())
            }
            _ => {
                let name = RefName::parse(&format!("drafts/{}", self.random.below(6))).unwrap();
                let asked = self.repo.ref_request(&book(), &name, "draft");
                let log = self.repo.ref_log(&book(), &main, 40).await?;
                let at = self.random.below(log.len() as u64);
                let target = log[usize::try_from(at).unwrap()].entry.target;
                match (self.head(&name).await, target) {
                    (None, Some(target)) => self.repo.create_ref(&asked, target).await.map(|_| ()),
                    _ => self.repo.delete_ref(&asked, Expectation::Any).await.map(|_| ()),
                }
            }
        }
    }

    /// Puts or removes a file.
    async fn edit(&mut self, branch: &RefName) -> Result<(), RepoError> {
        let Some(head) = self.head(branch).await else { return Ok(()) };
        let mut files = self.files(head).await?;
        let path = format!("part{0}/{0}.md", self.random.below(PATHS));
        let text = format!("text {}", self.random.below(TEXTS));
        let before = files.get(&path).copied();
        let edit = match before {
            Some(_) if self.random.below(4) == 0 => {
                files.remove(&path);
                remove(&path)
            }
            before => {
                files.insert(path.clone(), BlobId::of(text.as_bytes()));
                let is = |id: BlobId| Precondition::Is(HashPrefix::parse(&id.to_string()).unwrap());
                put(&path, text.as_bytes(), before.map_or(Precondition::Absent, is))
            }
        };
        let asked = request(branch, self.repo.ref_request(&book(), branch, "").request_id.as_str());
        let made = self.repo.edit(&asked, Operation::put(), &[edit]).await;
        if *branch == self.own {
            // Whatever was answered: it was done, or it was not.
            if let Some(now) = self.head(branch).await {
                self.versions.entry(now).or_insert(files);
            }
        }
        made.map(|_| ())
    }

    /// Reads what is there: everything of the own branch is as the model has it.
    async fn look(&mut self) -> Result<(), RepoError> {
        for branch in [self.own.clone(), RefName::main()] {
            let Some(head) = self.head(&branch).await else { continue };
            let files = self.files(head).await.inspect_err(|_| tell(&format!("at {branch}")))?;
            if branch == self.own {
                let expected = &self.versions[&head];
                assert_eq!(&files, expected, "{}: {branch} at {head}", self.name);
            }
            for id in files.values() {
                self.repo.store().spool_blob(id).await?;
            }
        }
        Ok(())
    }

    async fn head(&self, name: &RefName) -> Option<CommitId> {
        let head = self.repo.store().refs().head(&book(), name).await.unwrap();
        head.and_then(|head| head.entry.target)
    }

    async fn files(&self, commit: CommitId) -> Result<Files, RepoError> {
        let tree: TreeId = self.repo.store().get_commit(&commit).await?.tree;
        let items = self.repo.list(tree, &BookPath::root(), true).await?;
        Ok(items.into_iter().map(|item| (item.path.to_string(), BlobId(item.id))).collect())
    }
}

/// Somebody who collects.
async fn collect(shared: &Shared, mut random: Random) {
    let (mut deleted, mut rescued, mut failed) = (0, 0, 0);
    while !shared.is_over() {
        let retention = match random.below(4) {
            0 => Retention::All,
            1 => Retention::Newest(2),
            2 => Retention::Since(Duration::from_hours(30)),
            _ => Retention::Newest(1),
        };
        match shared.gc(retention).await {
            Ok(report) => {
                deleted += report.deleted.objects;
                rescued += report.rescued.objects;
                shared.note_collection(report.deleted.objects > 0);
            }
            // The other one may be deleting what is being marked, and hours pass in the middle of a
            // request. Whether anything is damaged is looked at in the end.
            Err(error) => {
                tell(&format!("a collection that keeps {retention:?}: {error}"));
                failed += 1;
            }
        }
        tokio::time::sleep(REST).await;
        if random.below(12) == 0 {
            let _ = shared.upkeep().gc_cancel(&actor("gc")).await;
        }
    }
    tell(&format!("churned deleted {deleted} rescued {rescued} failed {failed}"));
}

/// What each of the processes does, which are this test binary again.
#[tokio::test]
async fn one_of_the_processes() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let (who, seed) = (number(NUMBER, 0), number("CAS_TEST_CHURN_SEED", 1));
    let shared = Shared::open(Path::new(&folder), std::env::var_os(LOCAL).is_some());
    let random = Random(seed * PROCESSES + who);
    if who < COLLECTORS {
        return collect(&shared, random).await;
    }
    let name = format!("w{who}");
    let (repo, own) = (shared.repository(&name), RefName::parse(&format!("users/{name}")).unwrap());
    let (versions, done, refused) = (BTreeMap::new(), 0, 0);
    Writer { shared, repo, random, name, own, versions, done, refused }.run().await;
}

#[test]
fn invariant_gc_safe_16_processes_some_of_which_collect_in_a_bucket() {
    churn(false);
}

#[test]
fn invariant_gc_safe_16_processes_some_of_which_collect_in_a_folder() {
    churn(true);
}

fn churn(local: bool) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = Kept(Some(tempfile::tempdir().unwrap()));
    let folder = kept.path();
    std::fs::create_dir(folder.join("store")).unwrap();
    let shared = Shared::open(folder, local);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let repo = shared.repository("ada");
        let asked = repo.ref_request(&book(), &RefName::main(), "begin");
        repo.create_book(&asked).await.unwrap();
    });
    let own = std::env::current_exe().unwrap();
    let start = |who: u64| {
        let mut command = Command::new(&own);
        command.args(["--exact", "churn::one_of_the_processes", "--nocapture"]);
        command.env(FOLDER, folder).env(NUMBER, who.to_string());
        if local {
            command.env(LOCAL, "yes");
        }
        let said = File::create(folder.join(format!("said-{who}"))).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said).spawn().unwrap()
    };
    let mut processes: Vec<_> = (0..PROCESSES).map(start).collect();
    let mut random = Random(number("CAS_TEST_CHURN_SEED", 1));
    // Minutes, until collections have come to their end, and then a day in a moment. On a machine
    // that is busy elsewhere they take long, and time passes more slowly.
    let (mut leaps, mut enough) = (0, COLLECTORS);
    let (began, mut newest, mut since) = (Instant::now(), 0, Instant::now());
    let time = Duration::from_secs(number("CAS_TEST_CHURN_SECONDS", SECONDS));
    while processes.iter_mut().any(|process| process.try_wait().unwrap().is_none()) {
        std::thread::sleep(Duration::from_millis(10 + random.below(30)));
        let (collected, deleted) = shared.collected();
        if leaps == 0 && collected >= enough {
            (leaps, enough) = (LEAPS, collected + COLLECTORS);
        }
        if collected > newest {
            (newest, since) = (collected, Instant::now());
        }
        let passed = began.elapsed();
        if passed > time && (deleted || passed > time * PATIENCE) && !shared.is_over() {
            File::create(folder.join("over")).unwrap();
        }
        let most = if since.elapsed() < SLOW { 12 } else { 2 };
        let minutes = if leaps == 0 { random.below(most) } else { 300 };
        leaps -= leaps.min(1);
        shared.clock.leap(Duration::from_mins(minutes)).unwrap();
    }
    let ended: Vec<_> = processes.iter_mut().map(|process| process.wait().unwrap()).collect();
    let mut sums = BTreeMap::<String, u64>::new();
    for (who, status) in ended.into_iter().enumerate() {
        let said = std::fs::read_to_string(folder.join(format!("said-{who}"))).unwrap();
        assert!(status.success(), "process {who}: {said}");
        let line = said.lines().find_map(|line| line.split_once("churned ")).unwrap().1;
        let words: Vec<_> = line.split(' ').collect();
        for pair in words.chunks(2) {
            *sums.entry(pair[0].to_owned()).or_default() += pair[1].parse::<u64>().unwrap();
        }
    }
    tell(&format!("churn: {sums:?}"));
    assert!(sums["deleted"] > 0 && sums["writes"] > sums["refused"], "{sums:?}");
    runtime.block_on(check(&shared));
}

/// Whether everything is whole that anything names, now and when all is collected that may be.
async fn check(shared: &Shared) {
    for retention in [Retention::All, Retention::All, Retention::Newest(1), Retention::Newest(1)] {
        // No process is left that could mind.
        shared.gc(retention).await.unwrap();
        shared.clock.leap(limits::GRACE * 2).unwrap();
    }
    let store = Store::in_bucket(&shared.bucket, &shared.env);
    assert_eq!(invariants::linear(&store).await, [""; 0], "linear");
    assert_eq!(invariants::closed_heads(&store).await, [""; 0], "closed");
    let halves = invariants::leaves_first(&snapshot(&*shared.store).await.unwrap());
    assert_eq!(halves, [""; 0], "versions by half");
    let whole = FsckRequest { sample_ppm: 1_000_000, repair_from: None };
    let report = shared.upkeep().fsck(&whole).await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
}
