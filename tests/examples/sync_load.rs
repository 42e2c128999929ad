//! Many personal branches, one change to the base, one fleet sync: how fast, and is it right.
//!
//! ```sh
//! cargo run --release -p cas-tests --example sync_load -- [BRANCHES] [GIT-BRANCHES] [FOLDER]
//! ```
//!
//! A book of 2,000 files; every branch edits 1 to 5 of them, all different; then the base changes
//! 1 % of its files. Some branches are looked at through live reads before, all are brought
//! forward, and a sample is compared with a merge done by hand, file by file. git makes the same
//! merges: for all at once with one `git merge-tree --stdin` and one `git fast-import`, and with
//! processes for each; half of them synced as ours are, half with git's defaults.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use cas_core::env::{Env, Timestamp};
use cas_core::name::{
    Actor, BlobId, BookId, BookPath, CommitId, EntryName, Operation, RefName, Revision, TreeId,
};
use cas_core::object::{Commit, Entry, EntryKind, Metadata, Tree};
use cas_core::refs::{Expectation, Follow, RefUpdate, Upstream};
use cas_core::repo::{Repository, SyncReport, SyncRequest, SyncStatus};
use cas_core::store::{Location, Session, Store, Variables, Writers, connect, create};
use cas_tests::tell;

type Failure = Box<dyn std::error::Error>;

const PARTS: usize = 20;
const CHAPTERS: usize = 10;
const LESSONS: usize = 10;
const FILES: usize = PARTS * CHAPTERS * LESSONS;
const LINES: usize = 60;
/// How many branches are written together.
const TOGETHER: usize = 1_000;

/// How many branches git merges in processes of their own.
const ONE_BY_ONE: usize = 200;

/// The edits of one branch, or of the base: file, line, text.
type Edits = BTreeMap<usize, (usize, String)>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let branches: usize = arguments.next().map_or(Ok(100_000), |text| text.parse())?;
    let for_git: usize = arguments.next().map_or(Ok(2_000), |text| text.parse())?;
    let place = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(place)?;
    let store = store_at(&folder.path().join("store")).await?;
    let base = write_base(&store, None, &Edits::new()).await?;
    move_all(&store, &[(RefName::main(), None, base)]).await?;
    let started = now();
    write_branches(&store, base, branches).await?;
    tell(&format!("{branches} branches written in {:.1} s", started.elapsed().as_secs_f64()));
    let changed = write_base(&store, Some(base), &base_edits()).await?;
    move_all(&store, &[(RefName::main(), Some(base), changed)]).await?;

    let mut rates = Vec::new();
    if for_git > 0 {
        rates = git(&folder.path().join("git"), for_git.min(branches))?;
    }
    let seen = live_trees(&store, branches).await?;
    live_reads(&store).await?;
    let (preview, took) = sync(&store, "users/*", true).await?;
    say("preview", &preview, took);
    let (report, took) = sync(&store, "users/*", false).await?;
    say("sync", &report, took);
    let rate = rate(usize::try_from(report.branches)?, took);
    let (again, took) = sync(&store, "users/*", false).await?;
    say("sync again", &again, took);
    for (how, git) in rates {
        tell(&format!("git, {how}: {git:.0} branches/s; cas: {rate:.0}, {:.1} x", rate / git));
    }
    check(&store, branches).await?;
    if live_trees(&store, branches).await? != seen {
        return Err("a live read showed another tree than the sync made".into());
    }
    tell("live reads before the sync showed the same trees");
    tell(&format!("most memory: {} MiB", peak_mib()));
    let summed: u64 = report.outcomes.values().sum();
    if summed != report.branches || report.branches != branches as u64 {
        return Err("the report does not add up".into());
    }
    Ok(())
}

fn say(what: &str, report: &SyncReport, took: f64) {
    let sums: Vec<_> = SyncStatus::ALL
        .into_iter()
        .filter(|status| report.count(*status) > 0)
        .map(|status| format!("{} {}", report.count(status), status.as_str()))
        .collect();
    let rate = rate(usize::try_from(report.branches).unwrap_or(0), took);
    tell(&format!("{what}: {} in {took:.2} s, {rate:.0} branches/s", sums.join(", ")));
}

fn repo(store: &Store) -> Result<Repository, Failure> {
    Ok(Repository::new(store.clone(), Env::system(), Actor::parse("fleet")?, 4))
}

async fn sync(store: &Store, pattern: &str, dry_run: bool) -> Result<(SyncReport, f64), Failure> {
    let request = SyncRequest { dry_run, ..SyncRequest::new(BookId::parse("guide")?, pattern) };
    let started = now();
    let report = repo(store)?.sync(&request, &mut |_, _| Box::pin(std::future::ready(()))).await?;
    Ok((report, started.elapsed().as_secs_f64()))
}

#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
fn now() -> Instant {
    Instant::now()
}

async fn store_at(home: &Path) -> Result<Store, Failure> {
    std::fs::create_dir_all(home)?;
    let location = Location::Folder(home.to_owned());
    let bucket = connect(&location, true, &Variables::new())?.bucket;
    create(&bucket, "the folder", Writers::Any, &Env::system()).await?;
    Ok(Store::in_bucket(&bucket, &Env::system()))
}

/// The text of a file after these edits.
fn text(file: usize, edits: &[&Edits]) -> String {
    let mut lines: Vec<String> = (0..LINES)
        .map(|line| format!("Line {line} of lesson {file}, as it was first written."))
        .collect();
    for edits in edits {
        if let Some((line, text)) = edits.get(&file) {
            text.clone_into(&mut lines[*line]);
        }
    }
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// The base changes 1 % of its files, in line 5.
fn base_edits() -> Edits {
    (0..FILES).step_by(100).map(|file| (file, (5, "This line was corrected.".to_owned()))).collect()
}

/// Branch `n` changes line 40 of 1 to 5 files, each to a text of its own. Every tenth branch
/// changes a file that the base changes too.
fn branch_edits(n: usize) -> Edits {
    let mut state = n as u64 + 1;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or(0) % below
    };
    let mut edits = Edits::new();
    for _ in 0..=random(5) {
        edits.insert(random(FILES), (40, format!("What reader {n} wrote.")));
    }
    if n.is_multiple_of(10) {
        edits.insert(random(FILES / 100) * 100, (40, format!("What reader {n} wrote.")));
    }
    edits
}

fn path_of(file: usize) -> (String, String, String) {
    let (lesson, chapter, part) =
        (file % LESSONS, file / LESSONS % CHAPTERS, file / LESSONS / CHAPTERS);
    (format!("{part:02}-part"), format!("{chapter:02}-chapter"), format!("{lesson:02}-lesson.md"))
}

/// A book written by hand: what the three levels are.
struct Book<'a> {
    session: &'a Session,
    blobs: Vec<(BlobId, u64)>,
}

impl Book<'_> {
    async fn tree(&self, entries: Vec<Entry>) -> Result<(Tree, TreeId), Failure> {
        let tree = Tree::from_entries(entries)?;
        let (id, _) = self.session.put_tree(&tree).await?;
        Ok((tree, id))
    }

    async fn chapter(&self, part: usize, chapter: usize) -> Result<Entry, Failure> {
        let first = (part * CHAPTERS + chapter) * LESSONS;
        let lessons = (first..first + LESSONS).map(|file| {
            let (id, size) = self.blobs[file];
            Ok(Entry::blob(EntryName::parse(&path_of(file).2)?, EntryKind::File, id, size))
        });
        let (tree, id) = self.tree(lessons.collect::<Result<_, Failure>>()?).await?;
        Ok(Entry::tree(EntryName::parse(&path_of(first).1)?, id, &tree))
    }

    async fn part(&self, part: usize, known: &[Entry]) -> Result<(Vec<Entry>, Entry), Failure> {
        let mut chapters = known.to_vec();
        for chapter in known.len()..CHAPTERS {
            chapters.push(self.chapter(part, chapter).await?);
        }
        let (tree, id) = self.tree(chapters.clone()).await?;
        let name = EntryName::parse(&path_of(part * CHAPTERS * LESSONS).0)?;
        Ok((chapters, Entry::tree(name, id, &tree)))
    }
}

async fn commit(
    session: &Session,
    tree: TreeId,
    parent: Option<CommitId>,
) -> Result<CommitId, Failure> {
    let commit = Commit {
        tree,
        parents: parent.into_iter().collect(),
        author: Actor::parse("writer")?,
        committed_at: Timestamp::from_micros(1_700_000_000_000_000),
        message: "Write".to_owned(),
        metadata: Metadata::new(),
    };
    Ok(session.put_commit(&commit).await?)
}

async fn write_base(
    store: &Store,
    parent: Option<CommitId>,
    edits: &Edits,
) -> Result<CommitId, Failure> {
    let session = store.session().await?;
    let mut blobs = Vec::new();
    for file in 0..FILES {
        let bytes = Bytes::from(text(file, &[edits]));
        let size = bytes.len() as u64;
        blobs.push((session.put_blob(bytes).await?.0, size));
    }
    let book = Book { session: &session, blobs };
    let mut parts = Vec::new();
    for part in 0..PARTS {
        parts.push(book.part(part, &[]).await?.1);
    }
    let (_, root) = book.tree(parts).await?;
    let commit = commit(&session, root, parent).await?;
    session.publish().await?;
    Ok(commit)
}

async fn write_branches(store: &Store, base: CommitId, branches: usize) -> Result<(), Failure> {
    let session = store.session().await?;
    let mut book = Book { session: &session, blobs: Vec::new() };
    for file in 0..FILES {
        let text = text(file, &[]);
        book.blobs.push((BlobId::of(text.as_bytes()), text.len() as u64));
    }
    let mut parts = Vec::new();
    for part in 0..PARTS {
        parts.push(book.part(part, &[]).await?);
    }
    for first in (0..branches).step_by(TOGETHER) {
        let session = store.session().await?;
        let mut moves = Vec::new();
        for n in first..(first + TOGETHER).min(branches) {
            let edits = branch_edits(n);
            let mut blobs = book.blobs.clone();
            for file in edits.keys() {
                let bytes = Bytes::from(text(*file, &[&edits]));
                let size = bytes.len() as u64;
                blobs[*file] = (session.put_blob(bytes).await?.0, size);
            }
            let own = Book { session: &session, blobs };
            let mut entries: Vec<Entry> = parts.iter().map(|(_, part)| part.clone()).collect();
            let mut touched: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for file in edits.keys() {
                let part = file / LESSONS / CHAPTERS;
                touched.entry(part).or_default().push(file / LESSONS % CHAPTERS);
            }
            for (part, chapters) in touched {
                let mut all = parts[part].0.clone();
                for chapter in chapters {
                    all[chapter] = own.chapter(part, chapter).await?;
                }
                entries[part] = own.part(part, &all).await?.1;
            }
            let (_, root) = own.tree(entries).await?;
            moves.push((branch(n)?, Some(base), commit(&session, root, Some(base)).await?));
        }
        session.publish().await?;
        move_all(store, &moves).await?;
    }
    Ok(())
}

fn branch(n: usize) -> Result<RefName, Failure> {
    Ok(RefName::parse(&format!("users/{n:07}"))?)
}

/// Moves refs: a branch from nothing, with what it follows; `main` from where it is.
async fn move_all(
    store: &Store,
    moves: &[(RefName, Option<CommitId>, CommitId)],
) -> Result<(), Failure> {
    let mut updates = Vec::new();
    for (name, before, target) in moves {
        let mut metadata = Metadata::new();
        let is_main = *name == RefName::main();
        if let (false, Some(base)) = (is_main, *before) {
            let upstream = Upstream { name: RefName::main(), follow: Follow::Live, base };
            upstream.write(&mut metadata)?;
        }
        updates.push(RefUpdate {
            book: BookId::parse("guide")?,
            name: name.clone(),
            expect: if is_main { Expectation::from_target(*before) } else { Expectation::Absent },
            target: Some(*target),
            actor: Actor::parse("writer")?,
            operation: Operation::edit(),
            message: String::new(),
            request_id: Env::system().request_id(),
            metadata,
            began: Timestamp::from_micros(u64::MAX),
        });
    }
    for answer in store.refs().update_all(&updates).await {
        answer?;
    }
    Ok(())
}

/// What readers of a sample of branches see.
async fn live_trees(store: &Store, branches: usize) -> Result<Vec<TreeId>, Failure> {
    let repo = repo(store)?;
    let mut trees = Vec::new();
    for n in (0..branches).step_by((branches / 200).max(1)) {
        let revision = Revision::head(BookId::parse("guide")?, branch(n)?);
        trees.push(repo.open(&revision).await?.tree);
    }
    Ok(trees)
}

/// How long it takes to read one file: of a live branch for the first time after the base changed
/// and when warm, and of a plain one.
async fn live_reads(store: &Store) -> Result<(), Failure> {
    // A branch with five edits, and one without that points at the base's older version.
    let edited = (0..1_000).find(|n| branch_edits(*n).len() >= 5).unwrap_or(0);
    let plain = RefName::parse("plain")?;
    let first = repo(store)?.find_ref(&BookId::parse("guide")?, &branch(edited)?).await?.commit;
    move_all(store, &[(plain.clone(), None, first)]).await?;
    let path = BookPath::parse("07-part/03-chapter/05-lesson.md")?;
    let read = async |repo: &Repository, name: &RefName| -> Result<f64, Failure> {
        let started = now();
        let revision = Revision::head(BookId::parse("guide")?, name.clone());
        let reading = repo.open(&revision).await?;
        reading.repo.read_file(reading.tree, &path).await?;
        Ok(started.elapsed().as_secs_f64() * 1e6)
    };
    let (mut cold, mut cold_plain) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        // A new repository remembers no merge.
        cold.push(read(&repo(store)?, &branch(edited)?).await?);
        cold_plain.push(read(&repo(store)?, &plain).await?);
    }
    let one = repo(store)?;
    let (mut warm, mut warm_plain) = (Vec::new(), Vec::new());
    for _ in 0..2_000 {
        warm.push(read(&one, &branch(edited)?).await?);
        warm_plain.push(read(&one, &plain).await?);
    }
    let [cold, cold_plain, warm, warm_plain] = [cold, cold_plain, warm, warm_plain].map(median);
    tell(&format!(
        "a file of a live branch with five edits: first {cold:.0} µs (plain {cold_plain:.0}), warm {warm:.0} µs (plain {warm_plain:.0}, {:.2} x)",
        warm / warm_plain
    ));
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Compares a sample of branches with a merge done by hand.
async fn check(store: &Store, branches: usize) -> Result<(), Failure> {
    let repo = repo(store)?;
    let base = base_edits();
    let mut checked = 0;
    for n in (0..branches).step_by((branches / 200).max(1)) {
        let own = branch_edits(n);
        let found = repo.find_ref(&BookId::parse("guide")?, &branch(n)?).await?;
        let tree = store.get_commit(&found.commit).await?.tree;
        for file in 0..FILES {
            let (part, chapter, lesson) = path_of(file);
            let path = BookPath::parse(&format!("{part}/{chapter}/{lesson}"))?;
            let (_, id, _) = repo.file(tree, &path).await?;
            if id != BlobId::of(text(file, &[&base, &own]).as_bytes()) {
                return Err(format!("branch {n} is wrong at {path}").into());
            }
        }
        checked += 1;
    }
    tell(&format!("{checked} branches compared, file by file: all right"));
    Ok(())
}

/// How git is to sync: all that it writes, as we do, or what it syncs by default.
const SYNCED: [(&str, &str); 2] =
    [("synced", "core.fsync=all"), ("by its defaults", "core.fsync=committed,-loose-object")];

/// The same merges by git: how, and branches per second. Nothing where git is not installed or is too
/// old.
fn git(home: &Path, branches: usize) -> Result<Vec<(String, f64)>, Failure> {
    std::fs::create_dir_all(home)?;
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(home).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        command.args(arguments).stdin(Stdio::null());
        command
    };
    let Ok(made) = git(&["init", "-q", "--bare"]).output() else { return Ok(Vec::new()) };
    if !made.status.success() {
        return Ok(Vec::new());
    }
    let mut stream = String::new();
    let data = |text: &str| format!("data {}\n{text}\n", text.len());
    let head = |name: &str, from: Option<&str>| {
        let from = from.map_or_else(String::new, |from| format!("from {from}\n"));
        format!("commit {name}\ncommitter a <a@example.org> 1700000000 +0000\ndata 0\n{from}")
    };
    let file = |file: usize, edits: &Edits| {
        let (part, chapter, lesson) = path_of(file);
        format!("M 100644 inline {part}/{chapter}/{lesson}\n{}", data(&text(file, &[edits])))
    };
    stream.push_str(&head("refs/heads/base", None));
    for n in 0..FILES {
        stream.push_str(&file(n, &Edits::new()));
    }
    stream.push_str(&head("refs/heads/main", Some("refs/heads/base")));
    let base = base_edits();
    for n in base.keys() {
        stream.push_str(&file(*n, &base));
    }
    for n in 0..branches {
        let edits = branch_edits(n);
        stream.push_str(&head(&format!("refs/heads/users/{n:07}"), Some("refs/heads/base")));
        for n in edits.keys() {
            stream.push_str(&file(*n, &edits));
        }
    }
    run(git(&["-c", "core.fsync=all", "fast-import", "--quiet"]), &stream)?;
    let main = run(git(&["rev-parse", "main"]), "")?.trim().to_owned();
    let mut rates = Vec::new();
    for (half, (how, fsync)) in SYNCED.into_iter().enumerate() {
        let git = |arguments: &[&str]| git(&[&["-c", fsync], arguments].concat());
        let all = half * branches / 2..(half + 1) * branches / 2;
        let few = all.end - ONE_BY_ONE.min(all.len() / 2)..all.end;
        let branches = all.start..few.start;
        let wishes: String = branches.clone().fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "users/{n:07} main");
            text
        });
        let started = now();
        let merged = run(git(&["merge-tree", "--write-tree", "--stdin"]), &wishes)?;
        // Each answer: 1 for clean, NUL, the tree, NUL, perhaps messages, NUL.
        let trees: Vec<&str> = merged.split('\0').filter(|part| part.len() == 40).collect();
        if trees.len() != branches.len() {
            return Err(format!("git merged {} of {}", trees.len(), branches.len()).into());
        }
        let mut stream = String::new();
        for (n, tree) in branches.clone().zip(&trees) {
            // One process makes all commits, as a script that is after speed would.
            let name = format!("refs/heads/users/{n:07}");
            let head = head(&name, Some(&format!("{name}^0")));
            let _ = write!(stream, "{head}merge {main}\nM 040000 {tree} \n");
        }
        run(git(&["fast-import", "--quiet", "--force"]), &stream)?;
        let took = started.elapsed().as_secs_f64();
        rates.push((format!("one process for all, {how}"), rate(branches.len(), took)));
        // One branch after the other, as a script does it that has no need to hurry.
        let started = now();
        for n in few.clone() {
            let name = format!("refs/heads/users/{n:07}");
            let tree = run(git(&["merge-tree", "--write-tree", &name, "main"]), "")?;
            let make = ["commit-tree", "-m", "Sync", "-p", &name, "-p", "main", tree.trim()];
            let made = run(git(&make), "")?;
            run(git(&["update-ref", &name, made.trim()]), "")?;
        }
        let took = started.elapsed().as_secs_f64();
        rates.push((format!("processes for each, {how}"), rate(few.len(), took)));
    }
    Ok(rates)
}

/// How many a second.
fn rate(number: usize, seconds: f64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / seconds
}

fn run(mut command: Command, input: &str) -> Result<String, Failure> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut pipe = child.stdin.take().ok_or("no pipe")?;
    let input = input.to_owned();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer panicked")??;
    if !output.status.success() {
        return Err("git failed".into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The most memory that this process had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
