//! What every command works with: the store, the actor, the way to answer.

use std::path::PathBuf;
use std::sync::Arc;

use cas_core::access::Tokens;
use cas_core::env::{Env, Timestamp};
use cas_core::folder::Progress;
use cas_core::name::{Actor, BookId, RequestId, Revision};
use cas_core::repo::{Reading, Repository, Source};
use cas_core::sign::SigningKey;
use cas_core::store::{
    self, Bucket, Cache, Location, MemoryCache, Store, Variables, Writers, connect, connect_server,
};
use cas_core::upkeep::Upkeep;
use cas_server::{App, Caches, Settings};

use crate::commands::Global;
use crate::error::CommandError;
use crate::keys;
use crate::output::{Output, count};
use crate::progress::progress;

/// How many objects are moved at once over a network, where waiting is most of the time.
const REMOTE_JOBS: usize = 64;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// The repository.
    pub(crate) repo: Repository,
    /// In whose name changes are made.
    pub(crate) actor: Actor,
    /// Whether somebody said in whose name.
    pub(crate) actor_was_said: bool,
    /// Gives request ids.
    env: Env,
    /// Where it is.
    pub(crate) location: Location,
    /// What it is in; nothing if a server keeps it.
    bucket: Option<Bucket>,
    /// Signs what is written, if there is one.
    pub(crate) signing_key: Option<SigningKey>,
    /// The cache that it is read through.
    disk: Option<Cache>,
    /// How many objects are moved at once.
    jobs: usize,
    /// How answers are given.
    pub(crate) output: Output,
    /// Who hears how far long work is.
    pub(crate) progress: Arc<dyn Progress>,
}

impl Context {
    /// Opens the store that the user named; the default one is made when it is first used, and one
    /// in memory always is.
    pub(crate) async fn open(global: &Global) -> Result<Self, CommandError> {
        let env = Env::system();
        let output = Output::new(global);
        let Place { location, is_default } = place(global)?;
        let make = is_default || location == Location::Memory;
        let signing_key = global.signing_key.as_deref().map(keys::signing_key).transpose()?;
        let mut disk = None;
        let (mut store, bucket) = match &location {
            Location::Http(url) => (connect_server(url, &variables(), &env)?.store, None),
            _ => {
                let bucket = connect(&location, make, &variables())?.bucket;
                let shown = location.to_string();
                let marker = if make {
                    store::create(&bucket, &shown, Writers::Any, &env).await?.0
                } else {
                    store::open(&bucket, &shown).await?
                };
                if let Some(notice) = notice(marker.writers) {
                    output.warn(notice);
                }
                let store = match &signing_key {
                    Some(key) => Store::in_bucket_signed(&bucket, &env, key.clone()),
                    None => Store::in_bucket(&bucket, &env),
                };
                (store, Some(bucket))
            }
        };
        let jobs = global.jobs.unwrap_or_else(|| default_jobs(&location));
        if let Some(folder) = global.cache.as_ref().filter(|_| location.is_remote()) {
            let cache = Cache::open(folder, global.cache_size.0)
                .map_err(CommandError::io(format!("use the cache {}", folder.display())))?;
            store = store.cached(cache.clone());
            disk = Some(cache);
        }
        let (actor, actor_was_said) = (actor(global)?, global.actor.is_some());
        let repo = Repository::new(store, env.clone(), actor.clone(), jobs);
        let progress = progress(global.quiet);
        Ok(Self {
            repo,
            actor,
            actor_was_said,
            env,
            location,
            bucket,
            signing_key,
            disk,
            jobs,
            output,
            progress,
        })
    }

    /// Refuses a signing key where a server keeps the store: what it writes is signed by it, with
    /// its own key, and nobody should believe to have signed what is not.
    pub(crate) fn must_sign_here(&self) -> Result<(), CommandError> {
        if self.signing_key.is_none() || self.bucket.is_some() {
            return Ok(());
        }
        Err(CommandError::Usage(format!(
            "{} is kept by a server, which signs what it writes with a key of its own \
             (`cas serve --signing-key FILE`): leave out --signing-key and CAS_SIGNING_KEY",
            self.location
        )))
    }

    /// Waits until what was begun and given up is cleaned away.
    pub(crate) async fn close(&self) {
        if let Some(bucket) = &self.bucket {
            bucket.finish().await;
        }
    }

    /// Opens a version for reading, and says so where it is another than the one that was named.
    pub(crate) async fn reading(&self, revision: &Revision) -> Result<Reading, CommandError> {
        let reading = self.repo.open(revision).await?;
        let (Some(name), Some(upstream)) = (&reading.name, &reading.upstream) else {
            return Ok(reading);
        };
        let (book, upstream) = (&reading.book, &upstream.name);
        match &reading.live {
            None if reading.source == Source::Upstream => {
                self.output.remark(&format!("there is no {book}@{name} yet: this is {upstream}"));
            }
            Some(sides) if !sides.conflicts().is_empty() => {
                let paths = count(sides.conflicts().len() as u64, "path", "paths");
                self.output.remark(&format!(
                    "{book}@{name} and {upstream} changed the same at {paths}: \
                     its own is shown; `cas sync {book}@{name} --dry-run` says where"
                ));
            }
            _ => {}
        }
        Ok(reading)
    }

    /// A request id that nobody used before.
    pub(crate) fn request_id(&self) -> RequestId {
        self.env.request_id()
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// The tokens of the store, where it is.
    pub(crate) fn tokens(&self) -> Result<Tokens, CommandError> {
        Ok(Tokens::new(self.bucket()?.clone(), self.env.clone()))
    }

    /// The store as a whole, to be checked and cared for where it is.
    pub(crate) fn upkeep(&self) -> Result<Upkeep, CommandError> {
        let bucket = self.bucket.clone().ok_or_else(|| {
            CommandError::Usage(format!(
                "{} is kept by a server: it is checked where it is kept; name its folder or bucket \
                 with --store",
                self.location
            ))
        })?;
        Ok(Upkeep::new(bucket, self.env.clone(), self.jobs, self.progress.clone()))
    }

    /// Another store, wherever it is, with its bucket if there is one.
    pub(crate) async fn other(
        &self,
        location: &Location,
    ) -> Result<(Store, Option<Bucket>), CommandError> {
        open_store(location, &self.env).await
    }

    /// The store, to be served with a cache in memory of so many bytes.
    pub(crate) fn app(&self, settings: Settings, memory_bytes: u64) -> Result<App, CommandError> {
        let bucket = self.bucket()?;
        let memory = (memory_bytes > 0).then(|| MemoryCache::new(memory_bytes));
        let mut store = self.repo.store().clone();
        if let Some(memory) = &memory {
            store = store.cached_in_memory(memory.clone());
        }
        let caches = Caches { memory, disk: self.disk.clone() };
        Ok(App::in_bucket(bucket, store, self.env.clone(), settings, caches))
    }

    fn bucket(&self) -> Result<&Bucket, CommandError> {
        self.bucket.as_ref().ok_or_else(|| {
            CommandError::Usage(format!(
                "{} is kept by a server: tokens are made, and a store is served, where it is kept; \
                 name its folder or bucket with --store",
                self.location
            ))
        })
    }

    /// Where the index of a folder imported into this store is kept; `None` if there is no place
    /// for caches.
    ///
    /// Each store has its own, so that what an index remembers was put into this very store.
    pub(crate) fn import_index(folder: &std::path::Path, location: &Location) -> Option<PathBuf> {
        use std::os::unix::ffi::OsStrExt;
        let folder = std::fs::canonicalize(folder).ok()?;
        derived("import", folder.as_os_str().as_bytes(), location)
    }

    /// Where the paths that the branches of a book changed are kept, if there is a place for it.
    pub(crate) fn branch_index(book: &BookId, location: &Location) -> Option<PathBuf> {
        derived("branches", book.as_str().as_bytes(), location)
    }
}

/// The store at a place, which must be there, with its bucket if there is one.
pub(crate) async fn open_store(
    location: &Location,
    env: &Env,
) -> Result<(Store, Option<Bucket>), CommandError> {
    if let Location::Http(url) = location {
        return Ok((connect_server(url, &variables(), env)?.store, None));
    }
    let bucket = connect(location, false, &variables())?.bucket;
    store::open(&bucket, &location.to_string()).await?;
    Ok((Store::in_bucket(&bucket, env), Some(bucket)))
}

/// The file in the user's cache folder for something about a store that can be found out again.
fn derived(kind: &str, what: &[u8], location: &Location) -> Option<PathBuf> {
    use etcetera::BaseStrategy;
    use std::os::unix::ffi::OsStrExt;
    let mut name = what.to_vec();
    name.push(0);
    match location.as_folder() {
        Some(store) => {
            let store = std::fs::canonicalize(store).ok()?;
            name.extend_from_slice(store.as_os_str().as_bytes());
        }
        None => name.extend_from_slice(location.to_string().as_bytes()),
    }
    let name = cas_core::name::Hash::of(&name).to_hex();
    let caches = etcetera::choose_base_strategy().ok()?.cache_dir();
    Some(caches.join("cas").join(kind).join(format!("{}.idx", &name[..32])))
}

/// The place that the user named, or the default one.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) location: Location,
    /// Whether nobody named it.
    pub(crate) is_default: bool,
}

/// The place that the user named, or the default one.
pub(crate) fn place(global: &Global) -> Result<Place, CommandError> {
    use etcetera::BaseStrategy;
    if let Some(text) = &global.store {
        return Ok(Place { location: Location::parse(text)?, is_default: false });
    }
    let folders = etcetera::choose_base_strategy().map_err(|_| {
        CommandError::Usage(
            "there is no home folder to keep the default store in: say --store LOCATION".to_owned(),
        )
    })?;
    let folder = folders.data_dir().join("cas").join("store");
    Ok(Place { location: Location::Folder(folder), is_default: true })
}

/// The settings of every command with where each comes from, as `cas config show` tells them.
pub(crate) fn resolved_settings(
    global: &Global,
    location: &Location,
) -> Result<Vec<(&'static str, String, String)>, CommandError> {
    // Options that clap reads from the command line or a variable; it does not say which here.
    let from = |given: bool, flag: &str, variable: &str| match given {
        false => "the default".to_owned(),
        true if !flag_was_given(flag) && std::env::var_os(variable).is_some() => {
            format!("the variable {variable}")
        }
        true => format!("the option {flag}"),
    };
    let mut settings = vec![
        ("store", location.to_string(), from(global.store.is_some(), "--store", "CAS_STORE")),
        ("actor", actor(global)?.to_string(), from(global.actor.is_some(), "--actor", "CAS_ACTOR")),
        (
            "jobs",
            global.jobs.unwrap_or_else(|| default_jobs(location)).to_string(),
            from(global.jobs.is_some(), "--jobs", "CAS_JOBS"),
        ),
    ];
    let cache = match &global.cache {
        Some(folder) if location.is_remote() => {
            format!("{}, at most {}", folder.display(), global.cache_size)
        }
        Some(_) => "unused: the store is on this machine".to_owned(),
        None => "none".to_owned(),
    };
    settings.push(("cache", cache, from(global.cache.is_some(), "--cache", "CAS_CACHE")));
    let key = match &global.signing_key {
        Some(said) => keys::signing_key(said)?.verifier().to_string(),
        None => "none".to_owned(),
    };
    let source = from(global.signing_key.is_some(), "--signing-key", "CAS_SIGNING_KEY");
    settings.push(("signing-key", key, source));
    Ok(settings)
}

/// Whether an option was said, on the command line or by its variable.
pub(crate) fn was_given(flag: &str, variable: &str) -> bool {
    flag_was_given(flag) || std::env::var_os(variable).is_some()
}

/// Whether an option stands on the command line.
pub(crate) fn flag_was_given(flag: &str) -> bool {
    std::env::args_os().any(|arg| {
        arg.to_str().is_some_and(|arg| arg == flag || arg.starts_with(&format!("{flag}=")))
    })
}

/// The environment, as far as it is text.
pub(crate) fn variables() -> Variables {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// What a user must know of a store that not everybody may write to.
pub(crate) fn notice(writers: Writers) -> Option<&'static str> {
    match writers {
        Writers::Any => None,
        Writers::One => Some(
            "this store is for one writer at a time: its bucket does not keep racing writers apart, \
             and changes made at once can be lost",
        ),
        Writers::Nobody => Some(
            "this store is closed for writing: its bucket failed the proof that it keeps racing \
             writers apart; `cas doctor` proves it again",
        ),
    }
}

/// The actor that the user named, or `user@host`.
fn actor(global: &Global) -> Result<Actor, CommandError> {
    if let Some(actor) = &global.actor {
        return Ok(actor.clone());
    }
    let plain = |text: String| {
        text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect::<String>()
    };
    let user = whoami::username().map(plain).unwrap_or_default();
    let host = whoami::hostname().map(plain).unwrap_or_default();
    if user.is_empty() {
        return Err(CommandError::Usage(
            "it is not known who you are: say --actor NAME or set CAS_ACTOR".to_owned(),
        ));
    }
    let host = if host.is_empty() { "localhost" } else { &host };
    Ok(Actor::parse(&format!("{user}@{host}"))?)
}

/// A folder is limited by the machine: a few tasks for each core keep it busy. A bucket is limited
/// by waiting.
pub(crate) fn default_jobs(location: &Location) -> usize {
    if location.is_remote() {
        return REMOTE_JOBS;
    }
    std::thread::available_parallelism().map_or(2, usize::from) * 2
}
