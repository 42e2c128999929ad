//! Where a test user's store is: a folder, the S3 server of this process, a bucket from outside, or
//! behind a server of stores in this process.
//!
//! A test that says nothing gets what [`VARIABLE`] says, so that the same tests run over all of
//! them. Each user has a prefix of its own in a bucket, never used before.

use std::sync::{Arc, OnceLock};

use cas_core::env::Env;
use cas_core::store::{Bucket, Location, Store, Variables, Writers, connect, create};
use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::s3::Server;
use crate::server::TestServer;

/// The variable that says where the stores of tests are: nothing for folders, `s3` for the S3 server
/// of this process, `http` for servers of stores, or the URL of a bucket.
pub const VARIABLE: &str = "CAS_TEST_STORE";

/// Where a store is.
#[derive(Debug, Clone)]
pub enum Place {
    /// The folder `store` in the user's home.
    Folder,
    /// A prefix in the bucket of a server in this process.
    Server(Arc<Server>, String),
    /// A prefix in a bucket from outside, as a URL; the credentials are in the environment.
    Outside(String),
    /// In memory, behind a server of its own in this process.
    Http(Arc<Served>),
}

/// A store in memory, and the server that shows it.
#[derive(Debug)]
pub struct Served {
    raw: Arc<InMemory>,
    server: TestServer,
}

impl Served {
    /// A new store.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn start() -> Self {
        let (raw, env) = (Arc::new(InMemory::new()), Env::system());
        let bucket = Bucket::new(raw.clone());
        let made = block_on(create(&bucket, "memory", Writers::Any, &env));
        made.expect("a store in memory can be made");
        let server = TestServer::start(&Store::in_bucket(&bucket, &env), &env);
        Self { raw, server }
    }
}

impl Place {
    /// What the environment asks for, at a prefix that nobody used before.
    pub fn from_environment() -> Self {
        match std::env::var(VARIABLE).ok().as_deref() {
            None | Some("") => Self::Folder,
            Some("s3") => {
                static SERVER: OnceLock<Arc<Server>> = OnceLock::new();
                Self::on(SERVER.get_or_init(|| Arc::new(Server::start())))
            }
            Some("http") => Self::Http(Arc::new(Served::start())),
            Some(url) => Self::below(url),
        }
    }

    /// A new prefix in the bucket of `server`.
    pub fn on(server: &Arc<Server>) -> Self {
        Self::Server(server.clone(), new_prefix())
    }

    /// A new prefix in the bucket at `url`, which has no prefix itself.
    pub fn below(url: &str) -> Self {
        let (bucket, options) = url.split_once('?').unwrap_or((url, ""));
        Self::Outside(format!("{}/{}?{options}", bucket.trim_end_matches('/'), new_prefix()))
    }

    /// The URL; `None` for a folder.
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Folder => None,
            Self::Server(server, prefix) => Some(server.url(prefix)),
            Self::Outside(url) => Some(url.clone()),
            Self::Http(served) => Some(served.server.url().to_owned()),
        }
    }

    /// The variables by which the binary gets the credentials.
    pub fn environment(&self) -> Vec<(String, String)> {
        match self {
            Self::Folder | Self::Http(_) => Vec::new(),
            Self::Server(server, _) => server.environment(),
            Self::Outside(_) => {
                let aws = |(name, _): &(String, String)| name.starts_with("AWS_");
                std::env::vars().filter(aws).collect()
            }
        }
    }

    /// What no command may ever print.
    pub(crate) fn secret(&self) -> Option<String> {
        let mut variables = self.environment().into_iter();
        variables.find(|(name, _)| name == "AWS_SECRET_ACCESS_KEY").map(|(_, secret)| secret)
    }

    /// Makes a store in the bucket, without proving the bucket as `cas init` does: that takes a
    /// hundred requests, and one proof is enough for all tests. `false` for a folder.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub(crate) fn make_store(&self) -> bool {
        let Some(url) = self.url() else { return false };
        if matches!(self, Self::Http(_)) {
            return true;
        }
        let location = Location::parse(&url).expect("the tests know how to write a location");
        let variables: Variables = self.environment().into_iter().collect();
        let made = block_on(async {
            let bucket = connect(&location, true, &variables)?.bucket;
            create(&bucket, &url, Writers::Any, &Env::system()).await
        });
        assert!(made.expect("a store can be made").1, "the prefix is new");
        true
    }

    /// Every key below the prefix and what tells its content apart. Nothing for a folder.
    ///
    /// # Panics
    ///
    /// If the bucket cannot be listed.
    pub(crate) fn listed(&self) -> Vec<(String, String)> {
        let Some(url) = self.url() else { return Vec::new() };
        let list = match (self, Location::parse(&url)) {
            (Self::Http(served), _) => block_on(served.raw.list(None).try_collect::<Vec<_>>()),
            (_, Ok(Location::S3(place))) => block_on(async {
                self.client(&place.bucket, &url)
                    .list(Some(&place.prefix))
                    .try_collect::<Vec<_>>()
                    .await
            }),
            _ => panic!("the tests' buckets are S3's"),
        };
        let list = list.expect("the bucket can be listed").into_iter();
        let mut found: Vec<_> = list
            // As in a bucket, something stands before the store's own keys.
            .map(|meta| match self {
                Self::Http(_) => (format!("store/{}", meta.location), meta),
                _ => (meta.location.to_string(), meta),
            })
            .map(|(key, meta)| (key, format!("{} {:?}", meta.size, meta.e_tag)))
            .collect();
        found.sort_unstable();
        found
    }

    /// Puts an object below the prefix behind the client's back.
    ///
    /// # Panics
    ///
    /// If it cannot be put, or the place is a folder.
    pub fn insert(&self, key: &str, bytes: Vec<u8>) {
        if let Self::Http(served) = self {
            let put = block_on(async { served.raw.put(&Key::from(key), bytes.into()).await });
            put.expect("an object can be put");
            return;
        }
        let url = self.url().expect("the place is a bucket");
        let Ok(Location::S3(place)) = Location::parse(&url) else {
            panic!("the tests' buckets are S3's");
        };
        let key = Key::from(format!("{}/{key}", place.prefix));
        let put =
            block_on(async { self.client(&place.bucket, &url).put(&key, bytes.into()).await });
        put.expect("an object can be put");
    }

    fn client(&self, bucket: &str, url: &str) -> AmazonS3 {
        let Ok(Location::S3(place)) = Location::parse(url) else {
            panic!("the tests' buckets are S3's");
        };
        let mut builder = AmazonS3Builder::new()
            .with_allow_http(true)
            .with_virtual_hosted_style_request(false)
            .with_bucket_name(bucket)
            .with_region(place.region.unwrap_or_else(|| "us-east-1".to_owned()));
        if let Some(endpoint) = place.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        for (name, value) in self.environment() {
            if let Ok(key) = name.to_ascii_lowercase().parse() {
                builder = builder.with_config(key, value);
            }
        }
        builder.build().expect("the client's configuration is complete")
    }
}

/// A prefix that nobody used before.
fn new_prefix() -> String {
    format!("test-{:032x}", u128::from_be_bytes(Env::system().entropy.bytes()))
}

/// Waits for requests, from a thread that is in no runtime.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be made").block_on(future)
    };
    // A test may be in a runtime of its own.
    std::thread::scope(|scope| scope.spawn(run).join()).expect("requests do not panic")
}
