//! Bodies that are slow, endless, of the wrong length, or nonsense.

use cas_server::Settings;
use cas_tests::raw::Raw;
use serde_json::json;

use super::{FILES, number, others_are_answered, served, served_with, short};

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let server = served(short()).await;
    let mut slow = Raw::connect(server.address()).await;
    let head =
        format!("PUT {FILES}/slow.md HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nbegun");
    slow.send(head.as_bytes()).await;
    others_are_answered(&server).await;
    let answer = slow.answer().await.expect("it is told why");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(String::from_utf8_lossy(&answer.body).contains("slow_body"));
    slow.hung_up().await;
    assert!(number(&server, "cas_dropped_total{reason=\"slow_body\"}").await >= 1.0);
    others_are_answered(&server).await;
}

#[tokio::test]
async fn a_body_without_end_is_stopped_at_its_limit() {
    let settings = Settings { blob_limit: 300_000, body_limit: 300_000, ..Settings::default() };
    let server = served_with(settings).await;
    for (head, name) in [
        (format!("PUT {FILES}/endless.md HTTP/1.1\r\n"), "file"),
        ("POST /v1/missing HTTP/1.1\r\nContent-Type: application/json\r\n".to_owned(), "json"),
        (format!("PUT /v1/trees/{} HTTP/1.1\r\n", "0".repeat(64)), "tree"),
        (
            "POST /v1/objects HTTP/1.1\r\nContent-Type: application/vnd.cas.objects+zstd\r\n"
                .to_owned(),
            "objects",
        ),
    ] {
        let mut endless = Raw::connect(server.address()).await;
        let head = format!("{head}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        endless.send(head.as_bytes()).await;
        let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "[".repeat(64 * 1024));
        let mut sent = 0_usize;
        // More than any limit, and more than fits into the buffers of both sides.
        while sent < 1024 && endless.send(chunk.as_bytes()).await {
            sent += 1;
        }
        assert!(sent < 1024, "{name}: the server goes on reading");
        others_are_answered(&server).await;
    }
    // One that says beforehand how long it is, is told so; one that goes on sending all the same
    // may find the connection closed before it looks.
    let client = server.client();
    let file = client.request("PUT", &format!("{FILES}/b.md")).body(vec![b'x'; 300_001]);
    let text = json!({ "objects": ["x".repeat(300_000)] });
    for large in [file, client.request("POST", "/v1/missing").json(&text)] {
        if let Ok(answer) = large.try_send().await {
            assert_eq!(answer.expect(413).code(), "too_large");
        }
    }
}

#[tokio::test]
async fn a_body_of_the_wrong_length_writes_nothing() {
    let server = served(short()).await;
    let mut short = Raw::connect(server.address()).await;
    let head = format!("PUT {FILES}/short.md HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    short.send(head.as_bytes()).await;
    short.end().await;
    let answer = short.answer().await;
    assert!(answer.as_ref().is_none_or(|answer| answer.status >= 400), "{answer:?}");
    others_are_answered(&server).await;
    // What comes after the length that was said is another request, and none.
    let mut long = Raw::connect(server.address()).await;
    let head = format!(
        "PUT {FILES}/a.md HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ntextand more\r\n\r\n"
    );
    long.send(head.as_bytes()).await;
    // There is a file, and nobody said which: not overwritten.
    let answers = [long.answer().await, long.answer().await];
    let status = answers.each_ref().map(|answer| answer.as_ref().map(|answer| answer.status));
    assert!(matches!(status, [Some(200 | 428), None | Some(400)]), "{status:?}");
    others_are_answered(&server).await;
}

#[tokio::test]
async fn nonsense_for_cbor_and_json_is_refused() {
    let server = served(short()).await;
    let client = server.client();
    let mut nonsense: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0xff; 64],
        vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x81; 50_000],
        vec![0x82, 0x01, 0x9a, 0xff, 0xff, 0xff, 0xff],
        vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58, 0xff, 0xff, 0xff],
        b"{\"objects\":".to_vec(),
        b"[".repeat(100_000),
    ];
    // Bytes without any plan, always the same.
    for seed in 0..32_u64 {
        let bytes =
            (0..200_u64).map(|n| blake3::hash(&(seed * 1000 + n).to_le_bytes()).as_bytes()[0]);
        nonsense.push(bytes.collect());
    }
    for bytes in nonsense {
        let id = blake3::hash(&bytes).to_hex();
        let shown = &bytes[..bytes.len().min(16)];
        for kind in ["trees", "commits"] {
            let answer = client.put(&format!("/v1/{kind}/{id}"), bytes.clone()).await;
            assert!((400..500).contains(&answer.status), "{kind} {shown:02x?}: {}", answer.text());
        }
        for (path, media_type) in [
            ("/v1/objects", "application/vnd.cas.objects+zstd"),
            ("/v1/missing", "application/json"),
            ("/v1/fetch", "application/json"),
            ("/v1/raw/update", "application/json"),
            ("/v1/books/guide/refs/main/commits", "application/json"),
        ] {
            let request = client.request("POST", path).header("content-type", media_type);
            let answer = request.body(bytes.clone()).send().await;
            assert!((400..500).contains(&answer.status), "{path} {shown:02x?}: {}", answer.text());
        }
    }
    others_are_answered(&server).await;
}
