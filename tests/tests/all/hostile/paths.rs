//! Paths and ranges that want what they may not have.

use cas_server::Limits;
use cas_tests::raw::Raw;

use super::{FILES, others_are_answered, served};

/// Ways to write what leads out of a book, or is no path.
const TRICKS: [&str; 25] = [
    "..",
    "../a.md",
    "%2e%2e",
    "%2e%2e/a.md",
    "%2E%2E%2Fa.md",
    "..%2fa.md",
    "..%5ca.md",
    "..\\a.md",
    "%2e",
    "a.md/..",
    "a.md/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%00",
    "a.md%00.png",
    "%c0%ae%c0%ae/a.md",
    "%c0%af",
    "%e0%80%af",
    "%ff",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    ".git/config",
    ".GIT/config",
    "%2egit/config",
    "C:%5cwindows",
    "con",
    "a%20",
];

#[tokio::test]
async fn no_path_leads_out_of_a_book() {
    let server = served(Limits::default()).await;
    for trick in TRICKS {
        for method in ["GET", "HEAD", "DELETE"] {
            let request = format!(
                "{method} {FILES}/{trick} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            );
            check(&server, method, trick, &request).await;
        }
        let body = "Content-Length: 4\r\nConnection: close\r\n\r\nevil";
        let request = format!("PUT {FILES}/{trick} HTTP/1.1\r\nHost: x\r\n{body}");
        check(&server, "PUT", trick, &request).await;
        for place in ["/v1/books", "/v1/books/guide/refs", "/v1/blobs", "/v1/trees"] {
            let request =
                format!("GET {place}/{trick} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            check(&server, "GET", trick, &request).await;
        }
    }
    others_are_answered(&server).await;
}

/// Refused, as a request or as a name; a deletion of what cannot be there may say so.
async fn check(server: &cas_tests::server::TestServer, method: &str, trick: &str, request: &str) {
    let mut raw = Raw::connect(server.address()).await;
    raw.send(request.as_bytes()).await;
    let answer = if method == "HEAD" { None } else { raw.answer().await };
    let Some(answer) = answer else { return };
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert!((400..500).contains(&answer.status), "{method} {trick}: {} {body}", answer.status);
    assert!(!body.contains("root:x"), "{method} {trick}: {body}");
}

#[tokio::test]
async fn names_that_are_strange_and_allowed_are_only_names() {
    let server = served(Limits::default()).await;
    let client = server.client();
    // `%25` is a percent sign: it is decoded once, and never again. What is no escape is text.
    for (written, name) in [
        ("%252e%252e", "%2e%2e"),
        ("%252e%252e%252f", "%2e%2e%2f"),
        ("%u002e%u002e", "%u002e%u002e"),
        ("%2", "%2"),
        ("%", "%"),
        ("%zz", "%zz"),
    ] {
        let path = format!("{FILES}/{written}");
        let put = client.put(&path, "once").await.expect(201).json();
        assert_eq!(put["results"][0]["path"], name);
        assert_eq!(client.get(&path).await.expect(200).text(), "once");
        client.delete(&path).await.expect(200);
    }
    others_are_answered(&server).await;
}

#[tokio::test]
async fn ranges_out_of_bounds_are_refused_or_ignored() {
    let server = served(Limits::default()).await;
    let client = server.client();
    let path = format!("{FILES}/a.md");
    let ask = async |range: &str| client.request("GET", &path).header("range", range).send().await;
    let many = format!("bytes={}", vec!["0-0"; 1000].join(","));
    for range in [
        "bytes=4-",
        "bytes=9-10",
        "bytes=-0",
        "bytes=18446744073709551615-",
        "bytes=0-1,2-3,9-10",
        &many,
    ] {
        let answer = ask(range).await;
        assert!([200, 416].contains(&answer.status), "{range}: {}", answer.status);
        if answer.status == 200 {
            assert_eq!(answer.text(), "text", "{range}");
        }
    }
    for range in [
        "bytes",
        "bytes=",
        "bytes=a-b",
        "bytes=3-1",
        "lines=1-2",
        "bytes=0-99999999999999999999999",
        "bytes=-99999999999999999999999",
        "bytes=1-2-3",
    ] {
        let answer = ask(range).await;
        assert!([200, 206, 416].contains(&answer.status), "{range}: {}", answer.status);
        assert!("text".contains(&answer.text()) || answer.status == 416, "{range}");
    }
    assert_eq!(ask("bytes=1-2").await.expect(206).text(), "ex");
    assert_eq!(ask("bytes=-2").await.expect(206).text(), "xt");
}
