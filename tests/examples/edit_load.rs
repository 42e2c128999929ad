//! How many edits a second one branch takes: clients of a server over a store in a folder, each
//! writing files of its own to the same branch.
//!
//! ```sh
//! cargo run --release -p cas-tests --example edit_load -- [CLIENTS] [EDITS EACH] [FOLDER]
//! ```

use std::path::{Path, PathBuf};
use std::time::Instant;

use cas_core::env::Env;
use cas_core::name::{Actor, BookId, RefName};
use cas_core::repo::Repository;
use cas_core::store::{Location, Store, StoreError, Variables, Writers, connect, create};
use cas_tests::server::TestServer;
use cas_tests::tell;
use futures::future::join_all;

#[tokio::main]
#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let clients: usize = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let edits: usize = arguments.next().map_or(Ok(50), |text| text.parse())?;
    let place = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(place)?;
    let store = store_at(folder.path()).await?;
    let server = TestServer::start(&store, &Env::system());
    server.client().put("/v1/books/guide", "").await.expect(201);
    let started = Instant::now();
    join_all((0..clients).map(|client| {
        let http = server.client().with("cas-actor", &format!("client-{client}"));
        async move {
            for n in 0..edits {
                let path = format!("/v1/books/guide/refs/main/files/{client}/{n}.md");
                http.put(&path, format!("lesson {n} of {client}\n")).await.expect(201);
            }
        }
    }))
    .await;
    let (took, all) = (started.elapsed().as_secs_f64(), u32::try_from(clients * edits)?);
    let repo = Repository::new(store, Env::system(), Actor::parse("reader")?, 4);
    let entries = repo.ref_log(&BookId::parse("guide")?, &RefName::main(), usize::MAX).await?;
    tell(&format!(
        "{clients} clients, {all} edits of one branch in {took:.2} s: {:.0} edits a second, in {} entries",
        f64::from(all) / took,
        entries.len()
    ));
    Ok(())
}

async fn store_at(folder: &Path) -> Result<Store, StoreError> {
    let location = Location::Folder(folder.to_owned());
    let bucket = connect(&location, true, &Variables::new())?.bucket;
    create(&bucket, "the folder", Writers::Any, &Env::system()).await?;
    Ok(Store::in_bucket(&bucket, &Env::system()))
}
