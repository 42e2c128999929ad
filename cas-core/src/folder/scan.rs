//! Walking a folder: names and statuses of everything in it, without opening a file.

use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustix::fs::FileType;

use super::handle::Handle;
use super::ignored::{IGNORE_FILE, Rules};
use super::index::Known;
use super::stat::{Fingerprint, Tick};
use crate::limits;
use crate::name::{BookPath, EntryName};
use crate::object::EntryKind;
use crate::repo::PathFault;

/// Everything that an import would take from a folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The folders: the root first, each after the one that holds it.
    pub(super) folders: Vec<ScannedFolder>,
    /// Whether something decided what is taken that is not taken itself, so that nobody sees it
    /// change: an ignore file that is left out.
    pub(super) is_hidden: bool,
    /// What no book can hold.
    pub(super) faults: Vec<PathFault>,
}

#[derive(Debug)]
pub(super) struct ScannedFolder {
    /// Its path; empty for the root.
    pub(super) path: String,
    /// Its status, if it was settled before the folder was listed, and shows whatever comes or goes.
    pub(super) stat: Option<Fingerprint>,
    /// Whether it is the store's own, and was not looked into.
    pub(super) is_store: bool,
    /// The position of the folder that holds it, and its name there; none for the root.
    pub(super) parent: Option<(usize, EntryName)>,
    pub(super) files: Vec<ScannedFile>,
    /// What is known of each file.
    pub(super) known: Vec<Option<Known>>,
}

#[derive(Debug)]
pub(super) struct ScannedFile {
    pub(super) name: EntryName,
    pub(super) kind: EntryKind,
    pub(super) stat: Fingerprint,
}

impl ScannedFolder {
    /// A folder that is not read yet.
    const fn new(path: String, parent: Option<(usize, EntryName)>) -> Self {
        Self { path, stat: None, is_store: false, parent, files: Vec::new(), known: Vec::new() }
    }

    /// The path of an entry of this folder.
    pub(super) fn join(&self, name: &str) -> String {
        join(&self.path, name)
    }
}

/// A folder still to be read.
struct Job {
    at: usize,
    /// The handle of the folder that holds it, and its name there; the root has its own.
    within: Arc<Handle>,
    name: Option<EntryName>,
    path: String,
    rules: Rules,
}

#[derive(Default)]
struct Shared {
    jobs: Vec<Job>,
    running: usize,
    scan: Scan,
}

/// Says what is known of the files in the folder at a path; one for each, or nothing.
pub(super) type Recall<'a> = dyn Fn(&str, &[ScannedFile]) -> Vec<Option<Known>> + Sync + 'a;

/// Walks `root` on a few threads, which ask `recall` while the files are fresh in their minds.
///
/// The folder with the device and inode `skip`, which is the store's own, is left out. What is
/// wrong with single entries is in [`Scan::faults`]; an error is the whole folder's.
pub(super) fn scan(
    root: &Path,
    rules: &Rules,
    skip: Option<(u64, u64)>,
    recall: &Recall<'_>,
) -> std::io::Result<Scan> {
    let handle = Arc::new(Handle::open(root)?);
    let shared = Mutex::new(Shared::default());
    {
        let mut first = shared.lock().unwrap_or_else(PoisonError::into_inner);
        first.scan.folders.push(ScannedFolder::new(String::new(), None));
        first.jobs.push(Job {
            at: 0,
            within: handle,
            name: None,
            path: String::new(),
            rules: rules.clone(),
        });
    }
    let wake = Condvar::new();
    std::thread::scope(|scope| {
        for _ in 1..threads() {
            scope.spawn(|| work(&shared, &wake, skip, recall));
        }
        work(&shared, &wake, skip, recall);
    });
    let mut scan = shared.into_inner().unwrap_or_else(PoisonError::into_inner).scan;
    scan.faults.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(scan)
}

/// How many threads look at statuses: more than this wait for each other.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// Takes folders from the stack until none is left and nobody can add one.
fn work(shared: &Mutex<Shared>, wake: &Condvar, skip: Option<(u64, u64)>, recall: &Recall<'_>) {
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut guard = lock();
    loop {
        let Some(job) = guard.jobs.pop() else {
            if guard.running == 0 {
                wake.notify_all();
                return;
            }
            guard = wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        guard.running += 1;
        drop(guard);
        let found = read_folder(&job, skip).map(|mut found| {
            found.known = recall(&job.path, &found.files);
            found
        });
        guard = lock();
        guard.running -= 1;
        match found {
            Ok(found) => add(&mut guard, &job, found),
            Err(error) => {
                let reason = format!("the folder cannot be read: {error}");
                guard.scan.faults.push(PathFault { path: job.path, reason });
            }
        }
        wake.notify_all();
    }
}

/// What one folder holds.
struct FoundFolder {
    handle: Arc<Handle>,
    stat: Option<Fingerprint>,
    is_store: bool,
    is_hidden: bool,
    rules: Rules,
    files: Vec<ScannedFile>,
    known: Vec<Option<Known>>,
    folders: Vec<EntryName>,
    faults: Vec<PathFault>,
}

fn add(shared: &mut Shared, job: &Job, found: FoundFolder) {
    let FoundFolder { handle, stat, is_store, is_hidden, rules, files, known, folders, faults } =
        found;
    shared.scan.faults.extend(faults);
    shared.scan.is_hidden |= is_hidden;
    let folder = &mut shared.scan.folders[job.at];
    (folder.stat, folder.is_store) = (stat, is_store);
    (folder.files, folder.known) = (files, known);
    for name in folders {
        let at = shared.scan.folders.len();
        let path = join(&job.path, name.as_str());
        let parent = Some((job.at, name.clone()));
        shared.scan.folders.push(ScannedFolder::new(path.clone(), parent));
        shared.jobs.push(Job {
            at,
            within: handle.clone(),
            name: Some(name),
            path,
            rules: rules.clone(),
        });
    }
}

fn read_folder(job: &Job, skip: Option<(u64, u64)>) -> std::io::Result<FoundFolder> {
    let handle = match &job.name {
        None => job.within.clone(),
        Some(name) => Arc::new(job.within.folder(name.as_str())?),
    };
    let seen = Tick::now();
    let stat = handle.fingerprint()?;
    let mut found = FoundFolder {
        rules: job.rules.clone(),
        stat: (stat.settled_before(seen) && handle.notes_names()).then_some(stat),
        handle,
        is_store: false,
        is_hidden: false,
        files: Vec::new(),
        known: Vec::new(),
        folders: Vec::new(),
        faults: Vec::new(),
    };
    found.is_store = job.name.is_some() && skip.is_some_and(|skip| is_same(&found.handle, skip));
    if found.is_store {
        return Ok(found);
    }
    let mut entries = Vec::new();
    for entry in found.handle.entries()? {
        let entry = entry?;
        if entry.file_name() != c"." && entry.file_name() != c".." {
            entries.push(entry);
        }
    }
    if entries.iter().any(|entry| entry.file_name() == IGNORE_FILE) {
        match job.rules.enter(&found.handle, &job.path) {
            Ok(rules) => found.rules = rules,
            Err(reason) => {
                let path = join(&job.path, &IGNORE_FILE.to_string_lossy());
                found.faults.push(PathFault { path, reason });
                return Ok(found);
            }
        }
    }
    // The path of each entry in turn.
    let mut path = join(&job.path, "");
    let above = path.len();
    for entry in entries {
        let raw = entry.file_name();
        let Ok(text) = raw.to_str() else {
            let path = join(&job.path, &raw.to_string_lossy());
            found.faults.push(PathFault { path, reason: "a name is UTF-8".to_owned() });
            continue;
        };
        path.truncate(above);
        path.push_str(text);
        let mut is_folder = entry.file_type() == FileType::Directory;
        let mut stat = None;
        if !is_folder {
            match found.handle.stat_raw(raw) {
                Ok(found) => {
                    is_folder = found.kind() == Some(EntryKind::Tree);
                    stat = Some(found);
                }
                // Gone since the folder was listed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
        }
        if found.rules.leave_out(&path, text, is_folder) {
            found.is_hidden |= raw == IGNORE_FILE;
            continue;
        }
        match check(&path, text, stat) {
            Err(reason) => found.faults.push(PathFault { path: path.clone(), reason }),
            Ok((name, None)) => found.folders.push(name),
            Ok((name, Some((kind, stat)))) => found.files.push(ScannedFile { name, kind, stat }),
        }
    }
    Ok(found)
}

/// The name and kind of an entry, or why no book can hold it.
fn check(
    path: &str,
    name: &str,
    stat: Option<Fingerprint>,
) -> Result<(EntryName, Option<(EntryKind, Fingerprint)>), String> {
    let name = EntryName::parse(name).map_err(|error| error.rule)?;
    if path.len() > limits::PATH_BYTES || path.split('/').count() > limits::PATH_SEGMENTS {
        BookPath::parse(path).map_err(|error| error.rule)?;
    }
    let Some(stat) = stat else {
        return Ok((name, None));
    };
    match stat.kind() {
        None => Err(format!("it is {}; a book holds files, folders and symlinks", stat.special())),
        Some(EntryKind::Tree) => Ok((name, None)),
        Some(kind) if stat.size <= limits::BLOB_BYTES => Ok((name, Some((kind, stat)))),
        Some(_) => {
            Err(format!("it has {} bytes, over the limit of {}", stat.size, limits::BLOB_BYTES))
        }
    }
}

#[expect(clippy::unnecessary_cast, reason = "types differ between systems")]
fn is_same(handle: &Handle, skip: (u64, u64)) -> bool {
    handle.stat_self().is_ok_and(|stat| (stat.st_dev as u64, stat.st_ino as u64) == skip)
}

/// The path of `name` in the folder at `path`.
pub(super) fn join(path: &str, name: &str) -> String {
    let mut joined = String::with_capacity(path.len() + 1 + name.len());
    if !path.is_empty() {
        joined.push_str(path);
        joined.push('/');
    }
    joined.push_str(name);
    joined
}
