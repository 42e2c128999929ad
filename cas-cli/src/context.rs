//! What every command works with: the store, the actor, the way to answer.

use std::path::PathBuf;
use std::sync::Arc;

use cas_core::env::Env;
use cas_core::folder::Progress;
use cas_core::name::{Actor, RequestId};
use cas_core::repo::Repository;
use cas_core::store::{self, Bucket, LocalStore, Store, StoreError};

use crate::commands::Global;
use crate::error::CommandError;
use crate::location::Location;
use crate::output::Output;
use crate::progress::progress;

/// What every command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// The repository.
    pub(crate) repo: Repository,
    /// Gives request ids.
    env: Env,
    /// Where it is.
    pub(crate) location: Location,
    /// How answers are given.
    pub(crate) output: Output,
    /// Who hears how far long work is.
    pub(crate) progress: Arc<dyn Progress>,
}

impl Context {
    /// Opens the store that the user named; the default one is made when it is first used.
    pub(crate) async fn open(global: &Global) -> Result<Self, CommandError> {
        let env = Env::system();
        let location = location(global)?;
        let bucket = open_bucket(&location, location.is_default)?;
        if location.is_default {
            store::create(&bucket, &location.to_string(), &env).await?;
        } else {
            store::open(&bucket, &location.to_string()).await?;
        }
        let jobs = global.jobs.unwrap_or_else(default_jobs);
        let repo =
            Repository::new(Store::in_bucket(&bucket, &env), env.clone(), actor(global)?, jobs);
        let progress = progress(global.quiet);
        Ok(Self { repo, env, location, output: Output::new(global), progress })
    }

    /// A request id that nobody used before.
    pub(crate) fn request_id(&self) -> RequestId {
        self.env.request_id()
    }

    /// Where the index of an imported folder is kept; `None` if there is no place for caches.
    pub(crate) fn import_index(folder: &std::path::Path) -> Option<PathBuf> {
        use etcetera::BaseStrategy;
        use std::os::unix::ffi::OsStrExt;
        let whole = std::fs::canonicalize(folder).ok()?;
        let name = cas_core::name::Hash::of(whole.as_os_str().as_bytes()).to_hex();
        let caches = etcetera::choose_base_strategy().ok()?.cache_dir();
        Some(caches.join("cas").join("import").join(format!("{}.idx", &name[..32])))
    }
}

/// The location that the user named, or the default one.
pub(crate) fn location(global: &Global) -> Result<Location, CommandError> {
    match &global.store {
        Some(text) => Ok(Location::parse(text)?),
        None => Location::default_store().ok_or_else(|| {
            CommandError::Usage(
                "there is no home folder to keep the default store in: say --store PATH".to_owned(),
            )
        }),
    }
}

/// The bucket at a location, making the folder if it may be made.
pub(crate) fn open_bucket(location: &Location, make: bool) -> Result<Bucket, CommandError> {
    let opened =
        if make { LocalStore::create(&location.path) } else { LocalStore::open(&location.path) };
    match opened {
        Ok(local) => Ok(Bucket::local(local)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(StoreError::NoStore { location: location.to_string() }.into())
        }
        Err(source) => {
            Err(CommandError::Io { action: format!("open the store at {location}"), source })
        }
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

/// A folder is limited by the machine: a few tasks for each core keep it busy.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from) * 2
}
