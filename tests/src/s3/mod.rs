//! An S3 server in the process: good by default, bad on demand, and counting what arrives.
//!
//! Signatures are checked and objects kept in memory. Every [`Server`] has a port, a thread and a
//! bucket of its own, so that tests do not meet, and synchronous tests can point the real binary
//! at it. What is good about it: writes under a condition are one step, reads and lists are
//! consistent, lists are in bytewise order, and multipart uploads follow R2's rules for parts.
//! What it leaves out: attributes and tags of objects, versions, checksums other than the
//! one in the signature, and completing an upload a second time.

mod behaviour;
mod bucket;
pub(crate) mod counts;
mod front;
mod list;
mod protocol;
mod store;
mod upload;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, RetryConfig};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

pub use self::behaviour::Behaviour;
use self::bucket::{Bucket, Object};
pub use self::counts::Counts;
use self::front::Front;
use self::store::Buckets;
use crate::loopback::Loopback;

const BUCKET: &str = "books";
const REGION: &str = "us-east-1";
const ACCESS_KEY: &str = "test-key";
const SECRET_KEY: &str = "test-secret";

/// A running server. Dropping it stops it and forgets what it holds.
#[derive(Debug)]
pub struct Server {
    front: Front,
    loopback: Loopback,
}

impl Server {
    /// A good server on a free port.
    ///
    /// # Panics
    ///
    /// If there is no port or thread to be had.
    pub fn start() -> Self {
        Self::start_with(Behaviour::default())
    }

    /// A server on a free port that behaves as told.
    ///
    /// # Panics
    ///
    /// If there is no port or thread to be had.
    pub fn start_with(behaviour: Behaviour) -> Self {
        Self::start_at(0, behaviour).expect("a free port and a thread are to be had")
    }

    /// The same on a given port; 0 is any that is free.
    ///
    /// # Panics
    ///
    /// Never: the bucket is made in an empty server.
    pub fn start_at(port: u16, behaviour: Behaviour) -> io::Result<Self> {
        let buckets = Buckets::new(Arc::new(Mutex::new(behaviour)));
        buckets.create(BUCKET).expect("a new server has no bucket of that name");
        let mut service = S3ServiceBuilder::new(buckets.clone());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let front = Front { buckets, counts: Arc::default(), service: service.build() };
        let answering = front.clone();
        let loopback = Loopback::serve(port, move |request| answering.clone().answer(request))?;
        Ok(Self { front, loopback })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.loopback.address())
    }

    /// The address that it listens on, for a proxy in front of it.
    pub fn address(&self) -> std::net::SocketAddr {
        self.loopback.address()
    }

    /// The bucket that is there from the start. What follows is all about this one.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The URL by which the binary finds a store under `prefix` in the bucket.
    pub fn url(&self, prefix: &str) -> String {
        self.url_through(&self.endpoint(), prefix)
    }

    /// The same by way of another endpoint, such as a proxy's.
    pub fn url_through(&self, endpoint: &str, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}?endpoint={endpoint}&region={REGION}")
    }

    /// The variables by which the binary gets the credentials.
    pub fn environment(&self) -> Vec<(String, String)> {
        [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    }

    /// A client of the bucket.
    ///
    /// # Panics
    ///
    /// Never: its configuration is complete.
    pub fn object_store(&self) -> AmazonS3 {
        self.client().build().expect("the client's configuration is complete")
    }

    /// The same before it is built, for a test that wants something else about it.
    pub fn client(&self) -> AmazonS3Builder {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(5),
            max_backoff: Duration::from_millis(50),
            base: 2.0,
        };
        AmazonS3Builder::new()
            .with_endpoint(self.endpoint())
            .with_allow_http(true)
            .with_virtual_hosted_style_request(false)
            .with_region(REGION)
            .with_bucket_name(BUCKET)
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(SECRET_KEY)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff,
                max_retries: 3,
                retry_timeout: Duration::from_secs(10),
            })
    }

    /// How many requests arrived since the start or the last reset.
    pub fn counts(&self) -> Counts {
        *self.front.counts()
    }

    /// Counts from zero again.
    pub fn reset_counts(&self) {
        *self.front.counts() = Counts::default();
    }

    /// How many multipart uploads are neither completed nor aborted.
    pub fn uploads(&self) -> usize {
        self.with(|bucket| bucket.uploads.len())
    }

    /// Everything in the bucket: each key with its bytes.
    pub fn snapshot(&self) -> BTreeMap<String, Bytes> {
        self.with(|bucket| {
            let objects = bucket.objects.iter();
            objects.map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
        })
    }

    /// Puts an object there behind the clients' backs, over what is there.
    pub fn insert(&self, key: &str, bytes: impl Into<Bytes>) {
        let object = Object::new(bytes.into(), None);
        self.with(|bucket| drop(bucket.objects.insert(key.to_owned(), object)));
    }

    /// Takes an object away behind the clients' backs, and gives it.
    pub fn remove(&self, key: &str) -> Option<Bytes> {
        self.with(|bucket| bucket.objects.remove(key).map(|object| object.bytes))
    }

    /// Takes away all objects and unfinished uploads.
    pub fn clear(&self) {
        self.with(|bucket| {
            bucket.objects.clear();
            bucket.uploads.clear();
        });
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.front.buckets.behaviour());
    }

    /// How it behaves, with what is left of the fields that count.
    pub fn behaviour(&self) -> Behaviour {
        self.front.buckets.behaviour().clone()
    }

    fn with<T>(&self, action: impl FnOnce(&mut Bucket) -> T) -> T {
        let done = self.front.buckets.with(BUCKET, |bucket| Ok(action(bucket)));
        done.expect("nothing takes the bucket away")
    }
}
