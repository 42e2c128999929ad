//! Archives through a server: headers, conditions, ranges, and connections that break off.

use std::sync::Arc;

use cas_core::name::{BlobId, BookId, RefName, TreeId};
use cas_core::object::{Commit, Kind, Metadata};
use cas_core::repo::{ArchiveFormat, Repository};
use cas_core::store::layout;
use cas_tests::planted::{Planted, plant};
use cas_tests::server::TestServer;
use cas_tests::web::Client;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::archive::{everything, in_memory, noise, whole};
use super::world::actor;

/// A server over a store in memory.
pub(crate) fn served() -> (Arc<InMemory>, Repository, TestServer) {
    let (memory, repo) = in_memory();
    let server = TestServer::start(repo.store(), &cas_tests::env::test_env(7));
    (memory, repo, server)
}

/// Makes `tree` the newest version of a book's branch, which is made if need be.
pub(crate) async fn publish(repo: &Repository, book: &str, branch: &str, tree: TreeId) -> String {
    let (book, name) = (BookId::parse(book).unwrap(), RefName::parse(branch).unwrap());
    let head = repo.store().refs().head(&book, &name).await.unwrap();
    let parents: Vec<_> = head.iter().filter_map(|head| head.entry.target).collect();
    let session = repo.store().session().await.unwrap();
    let commit = Commit {
        tree,
        parents,
        author: actor("ada"),
        committed_at: cas_core::env::Timestamp::from_micros(1),
        message: String::new(),
        metadata: Metadata::new(),
    };
    let id = session.put_commit(&commit).await.unwrap();
    session.publish().await.unwrap();
    let update = cas_core::refs::RefUpdate {
        book,
        name,
        expect: cas_core::refs::Expectation::Any,
        target: Some(id),
        actor: actor("ada"),
        operation: cas_core::name::Operation::put(),
        message: String::new(),
        request_id: cas_core::env::Env::system().request_id(),
        metadata: Metadata::new(),
        began: cas_core::env::Timestamp::from_micros(u64::MAX),
    };
    repo.store().refs().update(&update).await.unwrap();
    id.to_string()
}

fn url(tree: TreeId, format: ArchiveFormat) -> String {
    format!("/v1/trees/{tree}/archive.{format}")
}

#[tokio::test]
async fn a_tree_comes_as_the_archive_that_the_core_makes() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &everything()).await;
    let client = server.client();
    let media = ["application/x-tar", "application/zstd", "application/zip"];
    for (format, media_type) in ArchiveFormat::ALL.into_iter().zip(media) {
        let answer = client.get(&url(tree, format)).await.expect(200);
        assert!(answer.body == whole(&repo, tree, format).await, "{format}");
        assert_eq!(answer.header("content-type"), media_type);
        assert!(answer.header("etag").starts_with(&format!("\"{tree}-1-")));
        assert!(answer.header("cache-control").ends_with("max-age=31536000, immutable"));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let name = format!("attachment; filename=\"{}.{format}\"", tree.short());
        assert_eq!(answer.header("content-disposition"), name);
        let is_tar = format == ArchiveFormat::Tar;
        assert_eq!(answer.header("accept-ranges"), if is_tar { "bytes" } else { "none" });
        assert_eq!(!answer.header("content-length").is_empty(), is_tar);

        let head = client.request("HEAD", &url(tree, format)).send().await.expect(200);
        assert_eq!(head.header("etag"), answer.header("etag"));
        assert_eq!(head.header("content-length"), answer.header("content-length"));
        assert!(head.body.is_empty());
        let again = client.request("GET", &url(tree, format));
        let again = again.header("if-none-match", answer.header("etag")).send().await.expect(304);
        assert_eq!(again.header("etag"), answer.header("etag"));
    }
}

#[tokio::test]
async fn a_tar_is_resumed_where_it_broke_off() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &everything()).await;
    let client = server.client();
    let all = client.get(&url(tree, ArchiveFormat::Tar)).await.expect(200);
    let (length, etag) = (all.body.len(), all.header("etag").to_owned());
    let ranged = async |range: String, if_range: &str| {
        let request = client.request("GET", &url(tree, ArchiveFormat::Tar)).header("range", &range);
        let request =
            if if_range.is_empty() { request } else { request.header("if-range", if_range) };
        request.send().await
    };
    for (start, end) in [(0, 0), (100, 99_999), (length / 2, length - 1), (length - 1, length - 1)]
    {
        let part = ranged(format!("bytes={start}-{end}"), &etag).await.expect(206);
        assert!(part.body == all.body[start..=end], "{start}-{end}");
        assert_eq!(part.header("content-range"), format!("bytes {start}-{end}/{length}"));
        assert_eq!(part.header("etag"), etag);
    }
    let rest = ranged("bytes=5000-".to_owned(), "").await.expect(206);
    assert!(rest.body == all.body[5000..]);
    let last = ranged("bytes=-1024".to_owned(), "").await.expect(206);
    assert!(last.body == all.body[length - 1024..]);
    // Of another archive; several at once; none that can be understood: everything.
    for (range, if_range) in [("bytes=5-9", "\"other\""), ("bytes=1-2,5-9", ""), ("lines=1-2", "")]
    {
        assert!(ranged(range.to_owned(), if_range).await.expect(200).body == all.body, "{range}");
    }
    let beyond = ranged(format!("bytes={length}-"), "").await.expect(416);
    assert_eq!(beyond.code(), "bad_range");
    let zip = client.request("GET", &url(tree, ArchiveFormat::Zip)).header("range", "bytes=1-2");
    zip.send().await.expect(200);
}

#[tokio::test]
async fn a_ref_comes_as_what_it_points_at_now() {
    let (_, repo, server) = served();
    let client = server.client();
    let tree = plant(repo.store(), &everything()).await;
    let commit = publish(&repo, "guide", "users/ada", tree).await;
    let at = "/v1/books/guide/refs/users%2Fada/archive.tar";
    let first = client.get(at).await.expect(200);
    assert!(first.body == whole(&repo, tree, ArchiveFormat::Tar).await);
    assert_eq!(first.header("cas-commit"), commit);
    assert_eq!(first.header("cache-control"), "private, no-cache");
    let name = format!("attachment; filename=\"guide-{}.tar\"", &commit[..12]);
    assert_eq!(first.header("content-disposition"), name);
    let again = |etag: &str| client.request("GET", at).header("if-none-match", etag);
    again(first.header("etag")).send().await.expect(304);
    let other = plant(repo.store(), &[Planted::file("a", "b")]).await;
    publish(&repo, "guide", "users/ada", other).await;
    let moved = again(first.header("etag")).send().await.expect(200);
    assert!(moved.body == whole(&repo, other, ArchiveFormat::Tar).await);
}

#[tokio::test]
async fn a_path_and_patterns_choose_over_http_too() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &everything()).await;
    let client = server.client();
    let at = url(tree, ArchiveFormat::Tar);
    let all = client.get(&at).await.expect(200);
    let some = client.get(&format!("{at}?glob=*.md&glob=bin/**")).await.expect(200);
    let same = client.get(&format!("{at}?glob=bin%2F%2A%2A&glob=%2A.md")).await.expect(200);
    assert!(some.body == same.body && some.header("etag") == same.header("etag"));
    assert!(some.header("etag") != all.header("etag"));
    assert_eq!(some.body.len(), 2 * 1024 + 1024, "two small files and the end");
    let below = client.get(&format!("{at}?path=ch1/")).await.expect(200);
    assert!(below.body.len() < all.body.len());
    assert_eq!(client.get(&format!("{at}?path=nowhere")).await.expect(404).code(), "no_path");
    assert_eq!(client.get(&format!("{at}?path=../x")).await.expect(400).code(), "bad_name");
    assert_eq!(client.get(&format!("{at}?glob=%5Ba")).await.expect(400).code(), "bad_pattern");
    assert_eq!(client.get(&format!("{at}?path=a&path=b")).await.expect(400).code(), "bad_query");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &[]).await;
    publish(&repo, "guide", "main", tree).await;
    let client = server.client();
    let code = async |path: &str| client.get(path).await.expect(404).code();
    let nobody = "0".repeat(64);
    assert_eq!(code(&format!("/v1/trees/{nobody}/archive.tar")).await, "no_object");
    assert_eq!(code(&format!("/v1/trees/{tree}/archive.rar")).await, "no_route");
    assert_eq!(code(&format!("/v1/trees/{tree}/tar")).await, "no_route");
    assert_eq!(code("/v1/books/guide/refs/nowhere/archive.tar").await, "no_ref");
    assert_eq!(code("/v1/books/nothing/refs/main/archive.tar").await, "no_book");
    client.get("/v1/trees/xyz/archive.tar").await.expect(400);
    let empty = client.get(&url(tree, ArchiveFormat::Tar)).await.expect(200);
    assert_eq!(empty.body.len(), 1024);
}

/// Spoils, or removes, the blob with these bytes.
async fn harm(memory: &InMemory, content: &[u8], missing: bool) {
    let key = layout::object(Kind::Blob, BlobId::of(content).hash());
    if missing {
        return memory.delete(&key).await.unwrap();
    }
    let mut bytes = content.to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    memory.put(&key, bytes.into()).await.unwrap();
}

async fn breaks_off(client: &Client, path: &str) -> bool {
    match client.request("GET", path).try_send().await {
        Ok(answer) if answer.status == 200 => false,
        Ok(answer) => panic!("{path}: {} {}", answer.status, answer.text()),
        Err(_) => true,
    }
}

#[tokio::test]
async fn a_connection_breaks_off_where_a_blob_is_missing_or_damaged() {
    for missing in [true, false] {
        let (memory, repo, server) = served();
        let bad = noise(2_000_000, 1);
        let files = [
            Planted::file("a.png", noise(500_000, 2)),
            Planted::file("b.png", bad.clone()),
            Planted::file("c.png", noise(500_000, 3)),
        ];
        let tree = plant(repo.store(), &files).await;
        harm(&memory, &bad, missing).await;
        let client = server.client();
        for format in ArchiveFormat::ALL {
            let path = url(tree, format);
            assert!(breaks_off(&client, &path).await, "{format}, missing: {missing}");
            // What does not need the blob is not harmed, and the server goes on.
            client.get(&format!("{path}?glob=a.png")).await.expect(200);
        }
    }
}

#[tokio::test]
async fn what_is_wrong_before_the_first_piece_is_answered_as_a_problem() {
    let (memory, repo, server) = served();
    let tree = plant(repo.store(), &[Planted::file("a", "first"), Planted::file("b", "x")]).await;
    harm(&memory, b"first", false).await;
    let client = server.client();
    for format in ArchiveFormat::ALL {
        let answer = client.get(&url(tree, format)).await.expect(500);
        assert_eq!(answer.code(), "damaged");
        assert!(!answer.text().contains(&BlobId::of(b"first").to_string()), "no internals");
    }
}
