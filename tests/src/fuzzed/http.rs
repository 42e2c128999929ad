//! The header `Range` (RFC 9110 section 14.2), through the server's router: without a socket, and
//! with everything that stands before the handler.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use cas_core::env::Env;
use cas_core::name::BlobId;
use cas_core::store::{Bucket, Store, Writers, create};
use cas_server::{App, Settings, router};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, RANGE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use object_store::memory::InMemory;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

/// What is asked for.
const CONTENT: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Whatever the header says, the answer is everything, the slices that it names, or a refusal.
pub(super) fn range(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let (status, headers, body) = answer(&value);
    let text = |name: &HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    match status {
        StatusCode::OK => assert_eq!(body, CONTENT),
        StatusCode::PARTIAL_CONTENT if text(&CONTENT_RANGE).is_empty() => parts(&body),
        StatusCode::PARTIAL_CONTENT => {
            assert_eq!(body, slice(&text(&CONTENT_RANGE)));
            assert_eq!(text(&CONTENT_LENGTH), body.len().to_string());
        }
        // What is no text is refused, and so is what lies outside.
        StatusCode::BAD_REQUEST => assert!(value.to_str().is_err(), "{value:?}"),
        StatusCode::RANGE_NOT_SATISFIABLE => assert!(value.to_str().is_ok(), "{value:?}"),
        other => panic!("{value:?} is answered with {other}"),
    }
}

/// The answer to a request for the blob with this header.
fn answer(value: &HeaderValue) -> (StatusCode, HeaderMap, Bytes) {
    static SERVED: OnceLock<Served> = OnceLock::new();
    let served = SERVED.get_or_init(Served::new);
    let request = Request::get(&served.path).header(RANGE, value);
    let request = request.body(Empty::<Bytes>::new()).expect("a request");
    served.runtime.block_on(async {
        let answer = router(served.app.clone()).oneshot(request).await;
        let (head, body) = answer.expect("the router never fails").into_parts();
        (head.status, head.headers, body.collect().await.expect("it is whole").to_bytes())
    })
}

/// What `Content-Range` says that the bytes are.
fn slice(range: &str) -> &'static [u8] {
    let size = format!("/{}", CONTENT.len());
    let range = range.strip_prefix("bytes ").and_then(|rest| rest.strip_suffix(&size));
    let (start, end) = range.and_then(|rest| rest.split_once('-')).expect("bytes A-B/SIZE");
    let number = |digits: &str| digits.parse::<usize>().expect("a number");
    &CONTENT[number(start)..=number(end)]
}

/// Several ranges: each part is the slice that its head names.
fn parts(body: &[u8]) {
    const PARTS: usize = 64;
    let body = std::str::from_utf8(body).expect("the content is text");
    let parts: Vec<&str> = body.split("\r\n\r\n").collect();
    assert!((3..=PARTS + 1).contains(&parts.len()), "{body}");
    for (head, content) in parts.iter().zip(&parts[1..]) {
        let said = head.rsplit_once("Content-Range: ").expect("each part says its range").1;
        assert!(content.as_bytes().starts_with(slice(said)), "{body}");
    }
}

/// A store with one blob, and what asks it.
struct Served {
    runtime: Runtime,
    app: App,
    path: String,
}

impl Served {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let env = Env::system();
        let store = runtime.block_on(async {
            let bucket = Bucket::new(Arc::new(InMemory::new()));
            create(&bucket, "a test's store", Writers::Any, &env).await.expect("it is empty");
            let store = Store::in_bucket(&bucket, &env);
            let session = store.session().await.expect("memory is there");
            session.put_blob(Bytes::from_static(CONTENT)).await.expect("memory takes it");
            session.publish().await.expect("memory takes it");
            store
        });
        let app = App::new(store, env, Settings::default());
        Self { runtime, app, path: format!("/v1/blobs/{}", BlobId::of(CONTENT)) }
    }
}
