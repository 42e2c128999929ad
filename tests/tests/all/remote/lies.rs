//! A server that lies, leaves things out, breaks off or never ends: it costs time or an error,
//! never wrong data.

use bytes::Bytes;
use cas_core::ErrorKind;
use cas_core::name::{BlobId, Hash, RefName};
use cas_core::object::Kind;
use cas_core::store::wire::{Decoder, Encoder, Head, Limits, Part};
use cas_tests::proxy::{Chaos, ChaosProxy};
use cas_tests::tamper::{Asked, End, TamperProxy, Told};

use super::{Place, book, checkout, files, import, lessons, repo_of};

type Object = (Head, Vec<u8>);

/// Makes something else of an entry, given another.
type Change = fn(Vec<u8>, &[u8]) -> Vec<u8>;

/// The objects of a stream.
fn opened(stream: &Bytes) -> Vec<Object> {
    let mut decoder = Decoder::new(Limits::FORMAT).unwrap();
    let (mut input, mut objects) = (stream.clone(), Vec::new());
    while let Some(part) = decoder.next(&mut input).unwrap() {
        match part {
            Part::Begin(head) => objects.push((head, Vec::new())),
            Part::Bytes(bytes) => objects.last_mut().unwrap().1.extend_from_slice(&bytes),
            Part::Verified => {}
        }
    }
    objects
}

/// A stream of these objects, with its end or without.
fn closed(objects: &[Object]) -> Bytes {
    let mut encoder = Encoder::new().unwrap();
    for (head, bytes) in objects {
        encoder.begin(*head).unwrap();
        encoder.bytes(bytes).unwrap();
    }
    encoder.finish().unwrap()
}

/// A book behind a server that answers a fetch otherwise, checked out through it.
async fn checked_out(change: impl Fn(u64, Vec<Object>, Told) -> Told + Send + Sync + 'static) {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    let proxy = TamperProxy::start(place.server.url(), move |nth, asked, told| {
        if asked.path == "/v1/fetch" { change(nth, opened(&told.body), told) } else { told }
    });
    checkout(&repo_of(&proxy.url(), 2), "book", &place.path("out")).await.unwrap();
    assert_eq!(files(&folder), files(&place.path("out")));
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_left_out_are_asked_for_one_by_one() {
    checked_out(|_, objects, told| {
        let kept: Vec<_> = objects.into_iter().step_by(2).collect();
        Told { body: closed(&kept), ..told }
    })
    .await;
    checked_out(|_, _, told| Told { body: closed(&[]), ..told }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_not_taken() {
    checked_out(|_, mut objects, told| {
        let last = objects.len() - 2;
        objects[last].1[0] ^= 1;
        Told { body: closed(&objects), ..told }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_asked_for_ends_the_stream_however_much_follows() {
    checked_out(|_, mut objects, told| {
        let junk = |n: u64| {
            let bytes = n.to_be_bytes().to_vec();
            (Head { kind: Kind::Blob, id: Hash::of(&bytes), size: 8 }, bytes)
        };
        objects.truncate(3);
        objects.extend((0..10_000).map(junk));
        let mut body = closed(&objects);
        body.truncate(body.len() - 1);
        Told { body, end: End::Stalled, ..told }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cut_is_gone_on_with_where_it_was_cut() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = asked.clone();
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    let proxy = TamperProxy::start(place.server.url(), move |_, asked: &Asked, told| {
        if asked.path != "/v1/fetch" {
            return told;
        }
        let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        let skip = body["skip"].as_u64().unwrap();
        seen.lock().unwrap().push(skip);
        if skip > 0 || told.body.len() < 1000 {
            return told;
        }
        let half = told.body.slice(..told.body.len() / 2);
        Told { body: half, end: End::Cut, ..told }
    });
    checkout(&repo_of(&proxy.url(), 2), "book", &place.path("out")).await.unwrap();
    assert_eq!(files(&folder), files(&place.path("out")));
    let asked = asked.lock().unwrap().clone();
    assert_eq!((asked.len(), asked[0]), (2, 0));
    assert!(asked[1] > 1, "went on after object {}", asked[1]);
    let singly = proxy.take().iter().filter(|passed| passed.asked.path.contains("blobs")).count();
    assert_eq!(singly, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_wrong_everywhere_is_an_error_that_names_it() {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    let id = BlobId::of(&std::fs::read(folder.join("z.md")).unwrap());
    let lied = format!("/v1/blobs/{id}");
    let proxy = TamperProxy::start(place.server.url(), move |_, asked, told| {
        if asked.path == "/v1/fetch" {
            let objects = opened(&told.body);
            let kept: Vec<_> =
                objects.into_iter().filter(|(head, _)| head.id != *id.hash()).collect();
            return Told { body: closed(&kept), ..told };
        }
        if asked.path == lied {
            let mut body = told.body.to_vec();
            body[0] ^= 1;
            return Told { body: body.into(), ..told };
        }
        told
    });
    let out = place.path("out");
    let error = checkout(&repo_of(&proxy.url(), 2), "book", &out).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let said = std::error::Error::source(&error).unwrap().to_string();
    assert!(said.contains(&id.to_string()), "{error}: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_entry_is_an_error() {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    import(&place.direct(), &folder, "main").await.unwrap();
    import(&place.direct(), &folder, "other").await.unwrap();
    let (direct, other) = (place.direct(), RefName::parse("other").unwrap());
    let other = direct.store().refs().head(&book(), &other).await.unwrap().unwrap();
    let (_, other) = other.entry.to_stored();
    let changes: [Change; 3] = [
        |_, other| other.to_vec(),
        |mut own, _| {
            own[30] ^= 1;
            own
        },
        |own, _| own[..own.len() - 1].to_vec(),
    ];
    for change in changes {
        let other = other.clone();
        let proxy = TamperProxy::start(place.server.url(), move |_, asked, told| {
            if !asked.path.starts_with("/v1/raw/entry") {
                return told;
            }
            Told { body: change(told.body.to_vec(), &other).into(), ..told }
        });
        let refs = repo_of(&proxy.url(), 2);
        let head = refs.store().refs().head(&book(), &RefName::main()).await;
        assert_eq!(head.unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_does_not_move_a_ref_twice() {
    let place = Place::new();
    let folder = place.folder("book", &lessons("first"));
    let proxy = TamperProxy::start(place.server.url(), {
        let lost = std::sync::atomic::AtomicBool::new(false);
        move |_, asked, told| {
            let first = asked.path == "/v1/raw/update"
                && !lost.swap(true, std::sync::atomic::Ordering::Relaxed);
            if first { Told { end: End::Lost, ..told } } else { told }
        }
    });
    let report = import(&repo_of(&proxy.url(), 2), &folder, "main").await.unwrap();
    let head = place.direct().store().refs().head(&book(), &RefName::main()).await.unwrap();
    let head = head.unwrap().entry;
    assert_eq!((head.seq, head.target), (1, report.commit));
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_and_checkouts_come_through_a_network_that_disturbs_everything() {
    let place = Place::new();
    let address = place.server.url().trim_start_matches("http://").parse().unwrap();
    let proxy = ChaosProxy::start(address, 11, Chaos::default());
    let folder = place.folder("book", &lessons("first"));
    for round in 0..4 {
        let repo = repo_of(&proxy.endpoint(), 10 + round);
        let folder =
            if round == 0 { folder.clone() } else { place.folder("next", &lessons("next")) };
        import(&repo, &folder, &format!("round{round}")).await.unwrap();
        let out = place.path(&format!("out{round}"));
        checkout(&repo, &format!("book@round{round}"), &out).await.unwrap();
        assert_eq!(files(&folder), files(&out));
    }
    let counts = proxy.counts();
    assert!(counts.passed > 0 && counts.cut_answers + counts.dropped_answers > 0, "{counts:?}");
    let store = place.direct();
    assert_eq!(cas_tests::invariants::closed(store.store()).await, Vec::<String>::new());
}
