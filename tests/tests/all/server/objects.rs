//! Blobs, trees and commits by id.

use serde_json::json;

use super::{Served, create_file, id_of, quoted};

const TEXT: &str = "0123456789abcdef";

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_is_its_bytes_under_its_id_for_ever() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "a.md", TEXT).await;
    let url = format!("/v1/blobs/{}", id_of(TEXT.as_bytes()));
    let answer = client.get(&url).await.expect(200);
    assert_eq!(answer.body, TEXT);
    assert_eq!(answer.header("etag"), quoted(&id_of(TEXT.as_bytes())));
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-security-policy"), "sandbox");
    assert!(!answer.header("cas-request-id").is_empty());
    let head = client.request("HEAD", &url).send().await.expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), ("16", 0));
    let known = client.request("GET", &url).header("if-none-match", answer.header("etag"));
    assert_eq!(known.send().await.expect(304).body.len(), 0);
    let absent = client.get(&format!("/v1/blobs/{}", id_of(b"absent"))).await.expect(404);
    assert_eq!(absent.code(), "no_object");
    assert_eq!(client.get("/v1/blobs/ABC").await.expect(400).code(), "bad_name");
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_blob_are_its_slices() {
    let served = Served::start().await;
    let client = served.client();
    create_file(&client, "a.md", TEXT).await;
    let large: Vec<u8> = (0..9_000_000_u32).map(|n| (n / 7 % 251) as u8).collect();
    client.put(&format!("{}/large.bin", super::FILES), large.clone()).await.expect(201);
    for bytes in [TEXT.as_bytes(), large.as_slice()] {
        let url = format!("/v1/blobs/{}", id_of(bytes));
        let get = |range: &str| client.request("GET", &url).header("range", range);
        let size = bytes.len();
        let mut ranges =
            vec![("bytes=0-0", 0..1), ("bytes=3-7", 3..8), ("bytes=-5", size - 5..size)];
        if size > 5_000_000 {
            ranges.push(("bytes=4194300-4194310", 4_194_300..4_194_311));
            ranges.push(("bytes=8999999-99999999", 8_999_999..9_000_000));
        }
        for (text, range) in ranges {
            let answer = get(text).send().await.expect(206);
            assert_eq!(answer.body, bytes[range.clone()], "{text} of {size}");
            let said = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            assert_eq!(answer.header("content-range"), said);
        }
        // Several at once, as RFC 9110 section 14.6 frames them.
        let answer = get("bytes=0-1,4-5").send().await.expect(206);
        let media_type = answer.header("content-type").to_owned();
        let boundary = media_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let text = answer.text();
        let parts: Vec<_> = text.split(&format!("--{boundary}")).collect();
        assert_eq!(parts.len(), 4, "{text}");
        assert!(parts[1].contains(&format!("Content-Range: bytes 0-1/{size}\r\n")), "{text}");
        assert!(parts[2].contains(&format!("Content-Range: bytes 4-5/{size}\r\n")), "{text}");
        assert_eq!(parts[3], "--\r\n");
        // If-Range names another version: all of it.
        let stale = get("bytes=0-1").header("if-range", "\"other\"");
        assert_eq!(stale.send().await.expect(200).body, bytes);
        let fresh = get("bytes=0-1").header("if-range", &quoted(&id_of(bytes)));
        assert_eq!(fresh.send().await.expect(206).body, bytes[..2]);
        let out = get(&format!("bytes={size}-")).send().await.expect(416);
        assert_eq!((out.code().as_str(), &out.json()["size"]), ("bad_range", &json!(size)));
        assert_eq!(get("bytes=x-y").send().await.expect(200).body, bytes, "not understood");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_and_commits_are_their_encoding_or_json() {
    let served = Served::start().await;
    let client = served.client();
    let made = create_file(&client, "ch/a.md", TEXT).await.json();
    for kind in ["tree", "commit"] {
        let id = made[kind].as_str().unwrap();
        let url = format!("/v1/{kind}s/{id}");
        let stored = client.get(&url).await.expect(200);
        assert_eq!(stored.header("content-type"), "application/cbor");
        assert_eq!(stored.header("etag"), quoted(id));
        assert_eq!(id_of(&stored.body), id, "exactly the stored bytes");
        let json = client.request("GET", &url).header("accept", "application/json");
        let json = json.send().await.expect(200);
        assert_eq!(json.json()[kind], id);
        assert_ne!(json.header("etag"), stored.header("etag"));
    }
    let tree = client.request("GET", &format!("/v1/trees/{}", made["tree"].as_str().unwrap()));
    let tree = tree.header("accept", "application/json").send().await.json();
    let entry = &tree["entries"][0];
    assert_eq!((&entry["name"], &entry["kind"]), (&json!("ch"), &json!("tree")));
    assert_eq!((&entry["size"], &entry["files"]), (&json!(16), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_blob_never_arrives_whole() {
    let served = Served::start().await;
    let client = served.client();
    let large = vec![7_u8; 6_000_000];
    client.put(&format!("{}/l.bin", super::FILES), large.clone()).await.expect(201);
    create_file(&client, "s.md", TEXT).await;
    for bytes in [large.as_slice(), TEXT.as_bytes()] {
        let id = id_of(bytes);
        let path = served.folder.path().join("blobs").join(&id[..2]).join(&id[2..]);
        let mut bad = bytes.to_vec();
        bad[bytes.len() / 2] ^= 1;
        std::fs::write(path, bad).unwrap();
        match client.request("GET", &format!("/v1/blobs/{id}")).try_send().await {
            Ok(answer) => assert_eq!(answer.expect(500).code(), "damaged"),
            Err(error) => assert!(error.is_body() || error.is_decode(), "{error:?}"),
        }
        let range = client.request("GET", &format!("/v1/blobs/{id}")).header("range", "bytes=0-1");
        let answer = range.send().await.expect(500);
        assert_eq!(answer.code(), "damaged");
        assert!(!answer.text().contains(&id[2..]), "nothing of the inside: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_problem_with_a_code() {
    let served = Served::start().await;
    let client = served.client();
    assert_eq!(client.get("/v1/nothing").await.expect(404).code(), "no_route");
    assert_eq!(client.delete("/v1/books").await.expect(405).code(), "no_method");
    assert_eq!(client.get("/v1/books?limit=x").await.expect(400).code(), "bad_query");
    assert_eq!(client.get("/v1/books/no/refs").await.expect(404).code(), "no_book");
    let own = client.request("GET", "/healthz").header("cas-request-id", "mine-1").send().await;
    assert_eq!(own.header("cas-request-id"), "mine-1");
    let bad = client.request("GET", "/healthz").header("cas-request-id", "not one").send().await;
    assert_ne!(bad.header("cas-request-id"), "not one");
}
