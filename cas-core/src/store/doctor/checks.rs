//! The checks, one function each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path as Key;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Check, Examination, Finding, Findings, Measured};
use crate::env::Env;
use crate::error::ErrorKind;
use crate::name::Hash;
use crate::store::bucket::Put;
use crate::store::{Bucket, ByteStream, StoreError, layout};

/// How many writers race for one key.
const RACERS: usize = 16;

/// How often they race before a store is made, and in a full examination.
const ROUNDS: [usize; 2] = [3, 8];

/// How often a put whose connection breaks is tried again.
const TRIES: u32 = 4;

/// How many small requests are measured.
const SAMPLES: usize = 8;

/// Size of the large object, in bytes: two parts, the second smaller.
const LARGE_BYTES: usize = 12 * 1024 * 1024;

/// Largest object read whole here, in bytes.
const LIMIT: u64 = 64 * 1024;

/// Who is known for ignoring the condition of a put.
const IGNORES: &str = "servers made before S3 had conditional writes (August 2024) ignore If-None-Match: \
                       update it, or use another";

/// Who is known for letting racing puts all win.
const RACY: &str = "Garage (2.5) and s3s-fs (0.14) are known for it; MinIO, Ceph, SeaweedFS, R2 and Amazon S3 \
                    let one win: use one of those";

/// One examination of a bucket.
#[derive(Debug)]
pub(super) struct Proof {
    bucket: Bucket,
    folder: Key,
    env: Env,
    /// Every key that may be there.
    written: Mutex<BTreeSet<Key>>,
}

/// What a check found: a sentence, or what is wrong.
type Outcome = Result<String, Fault>;

/// Why a check did not pass.
enum Fault {
    /// The bucket did something else; who is known for it, or what may be done.
    Wrong(String, Option<&'static str>),
    /// It could not be asked, or refused.
    Failed(StoreError),
}

impl Proof {
    pub(super) fn new(bucket: Bucket, folder: Key, env: Env) -> Self {
        Self { bucket, folder, env, written: Mutex::default() }
    }

    pub(super) async fn run(
        &self,
        examination: Examination,
        tell: &(dyn Fn(&'static str) + Sync),
    ) -> Result<Findings, StoreError> {
        let full = examination == Examination::Full;
        let mut findings = Findings { checks: Vec::new(), measured: None };
        // The first request shows whether there is a bucket, and whether it may be read.
        tell("reach");
        self.bucket.read(&self.key("absent"), LIMIT).await?;
        self.bucket.first_below(&Key::from(layout::REFS)).await?;

        // Says whether the check passed. A connection that breaks, a bucket that asks for fewer
        // requests, or credentials that expire are no finding: they end the examination.
        let mut add = |name: &'static str, is_safety: bool, outcome: Outcome| {
            let finding = match outcome {
                Ok(detail) => Finding::Passed(detail),
                Err(Fault::Wrong(reason, hint)) => Finding::Failed { reason, hint },
                Err(Fault::Failed(error))
                    if error.kind() == ErrorKind::Unavailable
                        || error.kind() == ErrorKind::PermissionDenied
                            && is_safety
                            && name != "write" =>
                {
                    return Err(error);
                }
                Err(Fault::Failed(error)) => said(&error),
            };
            let passed = matches!(finding, Finding::Passed(_));
            findings.checks.push(Check { name, is_safety, finding });
            Ok(passed)
        };
        tell("write");
        if !add("write", true, self.writes().await)? {
            // Nothing else can be asked of a bucket that takes nothing.
            return Ok(findings);
        }
        tell("read after write");
        add("read after write", true, self.reads_what_it_wrote().await)?;
        tell("put-if-absent");
        let refuses = add("put-if-absent", true, self.refuses_a_second_put().await)?;
        tell("racing puts");
        let rounds = ROUNDS[usize::from(full)];
        if refuses {
            add("racing puts", true, self.lets_one_racer_win(rounds).await)?;
        }
        tell("list after write");
        add("list after write", true, self.lists_what_it_wrote().await)?;
        tell("list order");
        add("list order", true, self.lists_in_order().await)?;
        tell("overwrite");
        add("overwrite", false, self.overwrites().await)?;
        tell("delete");
        add("delete", false, self.deletes().await)?;
        if !full {
            return Ok(findings);
        }
        tell("ranges");
        add("ranges", false, self.gives_ranges().await)?;
        tell("large objects");
        let (outcome, rates) = self.takes_large_objects().await;
        add("large objects", false, outcome)?;
        tell("latency");
        if let Some((up, down)) = rates
            && let Ok((read, write)) = self.latency().await
        {
            findings.measured = Some(Measured {
                read,
                write,
                upload_bytes_per_second: up,
                download_bytes_per_second: down,
            });
        }
        Ok(findings)
    }

    /// Removes whatever was written, as far as it can be.
    pub(super) async fn clean(&self) {
        let keys = std::mem::take(&mut *self.keys());
        for key in &keys {
            for attempt in 1..=TRIES {
                match self.bucket.delete(key).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => {
                        tokio::time::sleep(self.env.backoff(attempt + 4)).await;
                    }
                    // What cannot be removed does no harm.
                    _ => break,
                }
            }
        }
        if let Some(local) = self.bucket.as_local() {
            local.remove_empty_folder(&self.folder);
            local.remove_empty_folder(&Key::from(layout::PROOFS));
        }
    }

    async fn writes(&self) -> Outcome {
        match self.put_new("first", b"first").await {
            Ok(Put::Created) => Ok("an object can be written".to_owned()),
            Ok(Put::Refused) => {
                Err(Fault::Wrong("it refuses a key that nobody wrote".to_owned(), None))
            }
            Err(error) => Err(Fault::Failed(error)),
        }
    }

    async fn reads_what_it_wrote(&self) -> Outcome {
        for nth in 0..4 {
            let name = format!("read-{nth}");
            let bytes = name.clone().into_bytes();
            self.put_new(&name, &bytes).await.map_err(Fault::Failed)?;
            if self.read(&name).await?.as_deref() != Some(bytes.as_slice()) {
                let reason = "an object just written cannot be read, or is another".to_owned();
                return Err(Fault::Wrong(
                    reason,
                    Some("a cache between here and the bucket answers for it"),
                ));
            }
        }
        Ok("what is written can be read at once".to_owned())
    }

    async fn refuses_a_second_put(&self) -> Outcome {
        let again = self.put_new("first", b"second").await.map_err(Fault::Failed)?;
        let found = self.read("first").await?;
        if found.as_deref() != Some(b"first") {
            let reason = "a put that must not overwrite did overwrite".to_owned();
            return Err(Fault::Wrong(reason, Some(IGNORES)));
        }
        if again == Put::Created {
            let reason = "a put that must not overwrite was said to have been done".to_owned();
            return Err(Fault::Wrong(reason, Some(IGNORES)));
        }
        Ok("a second put of a key is refused, and the first stays".to_owned())
    }

    async fn lets_one_racer_win(&self, rounds: usize) -> Outcome {
        for round in 0..rounds {
            let name = format!("race-{round}");
            let mut racers = JoinSet::new();
            let key = self.key(&name);
            let start = Arc::new(tokio::sync::Barrier::new(RACERS));
            for racer in 0..RACERS {
                let (bucket, key, start) = (self.bucket.clone(), key.clone(), start.clone());
                racers.spawn(async move {
                    start.wait().await;
                    let put = bucket.put_if_absent_once(&key, racer.to_string().into()).await;
                    (racer, put)
                });
            }
            let mut winners = Vec::new();
            while let Some(done) = racers.join_next().await {
                // What became of a put that failed nobody knows; the object tells. Where a key takes
                // one write a second the others are put off, and put off is not won.
                if let Ok((racer, Ok(Put::Created))) = done {
                    winners.push(racer);
                }
            }
            if winners.len() > 1 {
                let reason = format!(
                    "of {RACERS} puts racing for one key {} were told that they won",
                    winners.len()
                );
                return Err(Fault::Wrong(reason, Some(RACY)));
            }
            let found = self.read(&name).await?;
            let Some(found) = found.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()) else {
                let reason = format!("of {RACERS} puts racing for one key none left anything");
                let hint = "try again; the bucket may ask for fewer requests";
                return Err(Fault::Wrong(reason, Some(hint)));
            };
            if winners.first().is_some_and(|winner| winner.to_string() != found) {
                let reason = "a put told that it won was overwritten by one told that it lost";
                return Err(Fault::Wrong(reason.to_owned(), Some(RACY)));
            }
        }
        Ok(format!("of {RACERS} puts racing for one key one wins, {rounds} times"))
    }

    async fn lists_what_it_wrote(&self) -> Outcome {
        for nth in 0..4 {
            let name = format!("listed/{nth}");
            self.put_new(&name, b"x").await.map_err(Fault::Failed)?;
            let keys = self.bucket.keys(&self.key("listed")).await.map_err(Fault::Failed)?;
            if !keys.contains(&self.key(&name)) {
                let reason = "a list does not name an object just written".to_owned();
                let hint = "its lists lag behind: a ref would be read as it was before";
                return Err(Fault::Wrong(reason, Some(hint)));
            }
        }
        Ok("what is written is listed at once".to_owned())
    }

    async fn lists_in_order(&self) -> Outcome {
        let folder = self.key("order");
        // Neither the first nor the last comes first.
        for nth in [3, 1, 4, 0, 2] {
            let name = format!("order/{nth:04}");
            self.put_new(&name, b"x").await.map_err(Fault::Failed)?;
        }
        let wanted: Vec<_> = (0..5).map(|nth| self.key(&format!("order/{nth:04}"))).collect();
        let first = self.bucket.first_below(&folder).await.map_err(Fault::Failed)?;
        if first.as_ref() != wanted.first() {
            let reason = "a list of one key does not give the lowest".to_owned();
            return Err(Fault::Wrong(
                reason,
                Some("the newest entry of a ref could not be told from others"),
            ));
        }
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let Some(page) = self.bucket.page(&folder, 2, token.take()).await else {
                return Ok("names of one length are listed in order".to_owned());
            };
            let (keys, next) = page.map_err(Fault::Failed)?;
            found.extend(keys);
            token = next;
            if token.is_none() || found.len() > wanted.len() {
                break;
            }
        }
        if found == wanted {
            return Ok("names of one length are listed in order, page by page".to_owned());
        }
        Err(Fault::Wrong(
            format!("pages of two keys gave {} of 5 keys in order", found.len()),
            None,
        ))
    }

    async fn overwrites(&self) -> Outcome {
        let put = self.bucket.put(&self.key("first"), Bytes::from_static(b"third")).await;
        put.map_err(Fault::Failed)?;
        if self.read("first").await?.as_deref() == Some(b"third") {
            return Ok("a damaged object can be put right".to_owned());
        }
        Err(Fault::Wrong("an object that was put again is still what it was".to_owned(), None))
    }

    async fn deletes(&self) -> Outcome {
        let key = self.key("read-0");
        self.bucket.delete(&key).await.map_err(Fault::Failed)?;
        if self.read("read-0").await?.is_some() {
            return Err(Fault::Wrong(
                "an object that was deleted can still be read".to_owned(),
                None,
            ));
        }
        // Deleting what is gone is no error.
        self.bucket.delete(&key).await.map_err(Fault::Failed)?;
        Ok("what is deleted is gone".to_owned())
    }

    async fn gives_ranges(&self) -> Outcome {
        let bytes: Vec<u8> = (0..=255).collect();
        self.put_new("ranged", &bytes).await.map_err(Fault::Failed)?;
        for (range, wanted) in [(10..20, 10..20), (250..300, 250..256)] {
            let key = self.key("ranged");
            let found = self.bucket.range(&key, range).await.map_err(Fault::Failed)?;
            if found.as_deref() != Some(&bytes[wanted]) {
                return Err(Fault::Wrong(
                    "a part of an object is not what was asked for".to_owned(),
                    None,
                ));
            }
        }
        Ok("parts of objects can be read".to_owned())
    }

    /// One large object up and down, and the bytes a second of both.
    async fn takes_large_objects(&self) -> (Outcome, Option<(f64, f64)>) {
        // Not all equal, so that nothing is gained by compressing it.
        let mut bytes = vec![0; LARGE_BYTES];
        let mut xof = blake3::Hasher::new();
        xof.update(&self.env.entropy.bytes());
        xof.finalize_xof().fill(&mut bytes);
        let (id, key) = (Hash::of(&bytes), self.key("large"));
        let start = Instant::now();
        let sent = self.bucket.put_stream(&key, ByteStream::from_bytes(bytes.into())).await;
        let up = start.elapsed();
        if let Err(error) = sent {
            return (Err(Fault::Failed(error)), None);
        }
        let start = Instant::now();
        let found = match self.bucket.stream(&key).await {
            Ok(Some(stream)) => stream.collect(LARGE_BYTES as u64).await,
            Ok(None) => {
                return (Err(Fault::Wrong("a large object is not there".to_owned(), None)), None);
            }
            Err(error) => Err(error),
        };
        let down = start.elapsed();
        match found {
            Ok(found) if Hash::of(&found) == id => {
                let detail = "an object in several parts comes back as it was".to_owned();
                (Ok(detail), Some((rate(up), rate(down))))
            }
            Ok(_) => (Err(Fault::Wrong("a large object came back changed".to_owned(), None)), None),
            Err(error) => (Err(Fault::Failed(error)), None),
        }
    }

    /// The medians of reading and writing small objects.
    async fn latency(&self) -> Result<(Duration, Duration), StoreError> {
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for nth in 0..SAMPLES {
            let name = format!("timed-{nth}");
            let start = Instant::now();
            self.put_new(&name, b"a small object").await?;
            writes.push(start.elapsed());
            let start = Instant::now();
            self.bucket.read(&self.key(&name), LIMIT).await?;
            reads.push(start.elapsed());
        }
        reads.sort_unstable();
        writes.sort_unstable();
        Ok((reads[SAMPLES / 2], writes[SAMPLES / 2]))
    }

    /// A put-if-absent. One whose connection breaks says nothing about the bucket's rules, and is
    /// tried again, here or by the client itself; if it then finds its own bytes there, it was done
    /// the first time.
    async fn put_new(&self, name: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let (key, bytes) = (self.key(name), Bytes::copy_from_slice(bytes));
        let mut broken = 0;
        loop {
            match self.bucket.put_if_absent(&key, bytes.clone()).await {
                Err(error) if error.kind() == ErrorKind::Unavailable && broken < TRIES => {
                    broken += 1;
                    tokio::time::sleep(self.env.backoff(broken + 4)).await;
                }
                Ok(Put::Refused) => {
                    let found = self.bucket.read(&key, LIMIT).await?.and_then(Result::ok);
                    return Ok(if found.as_ref() == Some(&bytes) {
                        Put::Created
                    } else {
                        Put::Refused
                    });
                }
                other => return other,
            }
        }
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, Fault> {
        match self.bucket.read(&self.key(name), LIMIT).await {
            Ok(found) => Ok(found.and_then(Result::ok)),
            Err(error) => Err(Fault::Failed(error)),
        }
    }

    /// The key of this name, to be removed at the end.
    fn key(&self, name: &str) -> Key {
        let key = Key::from(format!("{}/{name}", self.folder));
        if name.rsplit('/').next().is_some_and(|last| !matches!(last, "listed" | "order")) {
            self.keys().insert(key.clone());
        }
        key
    }

    fn keys(&self) -> std::sync::MutexGuard<'_, BTreeSet<Key>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a refusal says of the check in which it came.
fn said(error: &StoreError) -> Finding {
    match error.cause() {
        Some(cause) => {
            Finding::Failed { reason: format!("{error}: {}", cause.summary), hint: cause.remedy }
        }
        None => Finding::Failed { reason: error.to_string(), hint: None },
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is told to three digits")]
fn rate(took: Duration) -> f64 {
    LARGE_BYTES as f64 / took.as_secs_f64().max(1e-6)
}
