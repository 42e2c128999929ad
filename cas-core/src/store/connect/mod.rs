//! From a location and the environment to a bucket that can be used.
//!
//! Nothing is asked of the network here: the first request is the caller's. The environment comes
//! in as [`Variables`], so that this module reads no global state, and every setting that was
//! found is told with where it came from.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "gcs")]
mod gcs;
mod lists;
mod patience;
#[cfg(feature = "s3")]
mod profile;
#[cfg(feature = "s3")]
mod s3;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::list::PaginatedListStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::location::Location;
use super::{Bucket, LocalStore, Store, StoreError, remote};
use crate::env::Env;

use patience::PatientConnector;

/// How long one try of one request may take in all. A part of a large blob has 8 MiB, so this
/// asks for 140 kB/s.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may stand still.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// For how long a request that fails is tried again: a minute of throttling is survived.
const RETRY_TIMEOUT: Duration = Duration::from_mins(2);

/// The longest pause between two tries.
const MAX_BACKOFF: Duration = Duration::from_secs(10);

/// The environment's variables, by name.
pub type Variables = BTreeMap<String, String>;

/// One setting of a connection, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What it is, e.g. `region`.
    pub name: &'static str,
    /// Its value; of a secret only that it is there.
    pub value: String,
    /// Where it came from.
    pub source: Source,
}

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The location itself.
    Location,
    /// A variable of the environment.
    Variable(String),
    /// A profile in one of AWS's files.
    Profile {
        /// The profile.
        name: String,
        /// The file.
        file: String,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location => f.write_str("the store's location"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Profile { name, file } => write!(f, "the profile {name} in {file}"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A bucket, and the settings by which it was found.
#[derive(Debug)]
pub struct Connection {
    /// The bucket.
    pub bucket: Bucket,
    /// The settings, in the order in which a person would ask for them.
    pub settings: Vec<Setting>,
}

/// A store behind a server, and the settings by which it is spoken to.
#[derive(Debug)]
pub struct ServerConnection {
    /// The store.
    pub store: Store,
    /// The settings, in the order in which a person would ask for them.
    pub settings: Vec<Setting>,
}

/// The store behind the server at `url`, with the token of the variable `CAS_TOKEN`.
pub fn connect_server(
    url: &str,
    variables: &Variables,
    env: &Env,
) -> Result<ServerConnection, StoreError> {
    let (store, settings) = remote::connect(url, variables, env)?;
    Ok(ServerConnection { store, settings })
}

/// The bucket at `location`. A folder must exist unless it may be made; a server shows no bucket.
pub fn connect(
    location: &Location,
    make: bool,
    variables: &Variables,
) -> Result<Connection, StoreError> {
    match location {
        Location::Folder(path) => {
            let opened = if make { LocalStore::create(path) } else { LocalStore::open(path) };
            let local = opened.map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => {
                    StoreError::NoStore { location: location.to_string() }
                }
                _ => StoreError::io(format!("open the store at {location}"))(source),
            })?;
            Ok(Connection { bucket: Bucket::local(local), settings: Vec::new() })
        }
        Location::Memory => {
            let store = Arc::new(object_store::memory::InMemory::new());
            Ok(Connection { bucket: Bucket::new(store), settings: Vec::new() })
        }
        Location::Http(_) => Err(StoreError::NoBucket { location: location.to_string() }),
        #[cfg(feature = "s3")]
        Location::S3(place) => s3::connect(place, variables),
        #[cfg(feature = "gcs")]
        Location::Gcs { bucket, prefix } => gcs::connect(bucket, prefix, variables),
        #[cfg(feature = "azure")]
        Location::Azure { container, prefix } => azure::connect(container, prefix, variables),
        #[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure")))]
        #[allow(unreachable_patterns, reason = "which schemes are left depends on the features")]
        other => Err(StoreError::BadLocation {
            location: other.to_string(),
            rule: "this program was built without the feature for this kind of bucket",
        }),
    }
}

/// A bucket over the network, at a prefix.
///
/// `once` is the same bucket by the same connections, but asked once only.
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
fn remote<S>(
    store: S,
    once: S,
    prefix: &object_store::path::Path,
    settings: Vec<Setting>,
) -> Connection
where
    S: ObjectStore + PaginatedListStore + Clone,
{
    let pages = Arc::new(store.clone());
    let bucket = Bucket::remote(Arc::new(store), pages, prefix.clone());
    Connection { bucket: bucket.with_single_tries(Arc::new(once)), settings }
}

/// What every client over the network is set to.
fn client_options() -> ClientOptions {
    let agent = concat!("cas/", env!("CARGO_PKG_VERSION"));
    let options = ClientOptions::new()
        .with_timeout(REQUEST_TIMEOUT)
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT);
    match agent.parse() {
        Ok(agent) => options.with_user_agent(agent),
        Err(_) => options,
    }
}

/// How requests that fail are tried again: exponential backoff with jitter, until
/// [`RETRY_TIMEOUT`].
///
/// The base is 3 because each pause is drawn evenly between the first and the base times the one
/// before: with 2 the pauses would not grow.
fn retry_config() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: MAX_BACKOFF,
        base: 3.0,
    };
    RetryConfig { backoff, max_retries: 100, retry_timeout: RETRY_TIMEOUT }
}

/// No request is tried again.
fn no_retries() -> RetryConfig {
    RetryConfig { max_retries: 0, ..retry_config() }
}

/// Makes HTTP clients that give up soon while nothing was ever reached.
fn connector() -> PatientConnector {
    PatientConnector::default()
}

/// A secret's value for a person: that it is there, and of long ones enough to tell which.
pub(super) fn masked(secret: &str) -> String {
    match secret.char_indices().rev().nth(3) {
        Some((at, _)) if secret.len() >= 12 => format!("…{}", &secret[at..]),
        _ => "set".to_owned(),
    }
}

/// An error of a client that could not even be set up.
fn unusable(location: impl fmt::Display) -> impl FnOnce(object_store::Error) -> StoreError {
    let location = location.to_string();
    move |source| StoreError::Backend { action: "connect to", key: location, source }
}
