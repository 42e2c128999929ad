//! Times a folder behind `object_store`: that crate's own `LocalFileSystem` against ours.
//!
//! ```text
//! cargo run --release -p cas-tests --example local_store [OBJECTS]
//! ```
//!
//! Prints microseconds for each object of 6,000 bytes: median, least and most of five rounds, the
//! stores in turn. The figures of `docs/decisions/0004-own-local-store.md` come from here.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use cas_core::env::Env;
use cas_core::name::Hash;
use cas_core::object::Kind;
use cas_core::store::{Bucket, BucketObjects, LocalStore, Objects};
use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

const ROUNDS: usize = 5;

/// One way to put all objects.
#[derive(Debug, Clone, Copy)]
enum Way {
    Theirs,
    TheirsSynced,
    Ours,
    OursStaged,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Theirs, "LocalFileSystem, no sync"),
    (Way::TheirsSynced, "LocalFileSystem, with_fsync"),
    (Way::Ours, "LocalStore, each put synced"),
    (Way::OursStaged, "LocalStore, staged and published"),
];

fn object(nth: usize) -> (Hash, Bytes) {
    let mut bytes = vec![0_u8; 6_000];
    blake3::Hasher::new().update(&nth.to_le_bytes()).finalize_xof().fill(&mut bytes);
    (Hash::of(&bytes), bytes.into())
}

fn key(id: &Hash) -> Key {
    let hex = id.to_hex();
    Key::from(format!("blobs/{}/{}", &hex[..2], &hex[2..]))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().nth(1).map_or(Ok(2_000), |text| text.parse())?;
    let objects: Vec<_> = (0..count).map(object).collect();
    let mut rows: Vec<[Vec<f64>; 3]> = WAYS.iter().map(|_| Default::default()).collect();
    let folders = tempfile::tempdir_in(".")?;
    for nth in 0..ROUNDS {
        for (row, (way, _)) in rows.iter_mut().zip(WAYS) {
            // All folders stay until the end: ext4 is slow to make files for some seconds after
            // others were deleted, because it does not use their inodes again so soon.
            let folder = folders.path().join(format!("{nth}-{way:?}"));
            // Lets the disk finish what the one before left to do.
            std::process::Command::new("sync").status()?;
            std::thread::sleep(std::time::Duration::from_secs(1));
            for (figures, figure) in row.iter_mut().zip(round(way, &objects, &folder).await?) {
                figures.push(figure);
            }
        }
    }
    println!(
        "µs for each of {count} objects of 6,000 bytes: median (least to most) of {ROUNDS} rounds\n"
    );
    println!("| store | put | get | list |\n|---|---|---|---|");
    for (row, (_, name)) in rows.iter_mut().zip(WAYS) {
        let [put, get, list] = row.each_mut().map(|figures| show(figures));
        println!("| {name} | {put} | {get} | {list} |");
    }
    Ok(())
}

fn show(figures: &mut [f64]) -> String {
    figures.sort_by(f64::total_cmp);
    format!("{:.1} ({:.1} to {:.1})", figures[ROUNDS / 2], figures[0], figures[ROUNDS - 1])
}

/// Puts, gets and lists all objects in a new folder, sixteen at once.
async fn round(
    way: Way,
    objects: &[(Hash, Bytes)],
    folder: &Path,
) -> Result<[f64; 3], Box<dyn std::error::Error>> {
    let local = LocalStore::create(folder)?;
    let theirs = LocalFileSystem::new_with_prefix(folder)?;
    let store: Arc<dyn ObjectStore> = match way {
        Way::Theirs => Arc::new(theirs),
        Way::TheirsSynced => Arc::new(theirs.with_fsync(true)),
        Way::Ours | Way::OursStaged => Arc::new(local.clone()),
    };
    let per_object = |start: Instant| {
        start.elapsed().as_secs_f64() * 1e6
            / f64::from(u32::try_from(objects.len()).unwrap_or(u32::MAX))
    };

    let start = now();
    if matches!(way, Way::OursStaged) {
        let writer =
            BucketObjects::new(Bucket::local(local.clone()), Env::system()).begin().await?;
        for (id, bytes) in objects {
            writer.write(Kind::Blob, id, bytes.clone()).await?;
        }
        writer.publish().await?;
    } else {
        let puts = futures::stream::iter(objects).map(|(id, bytes)| {
            let (store, id, bytes) = (store.clone(), *id, bytes.clone());
            async move { store.put(&key(&id), PutPayload::from_bytes(bytes)).await }
        });
        puts.buffer_unordered(16).try_collect::<Vec<_>>().await?;
    }
    let put = per_object(start);

    let start = now();
    let bucket = match way {
        Way::Ours | Way::OursStaged => Bucket::local(local),
        Way::Theirs | Way::TheirsSynced => Bucket::new(store.clone()),
    };
    let bucket = BucketObjects::new(bucket, Env::system());
    for (id, bytes) in objects {
        let read = bucket.read(Kind::Blob, id, u64::MAX).await?;
        assert!(read.as_ref() == Some(bytes), "what was put is read");
    }
    let get = per_object(start);

    let start = now();
    let listed: Vec<_> = store.list(Some(&Key::from("blobs"))).try_collect().await?;
    assert_eq!(listed.len(), objects.len());
    let list = per_object(start);
    Ok([put, get, list])
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}
