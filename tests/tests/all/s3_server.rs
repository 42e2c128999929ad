//! The S3 server that tests use, when it is good.

use std::collections::BTreeSet;

use bytes::Bytes;
use cas_tests::s3::{Behaviour, Counts, Server};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path as Key;
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    UpdateVersion,
};

const RACERS: usize = 32;
const PART_BYTES: usize = 5 * 1024 * 1024;

/// Races creates of one key, and gives who won; everyone else was told that the key is taken.
async fn race(store: &AmazonS3, key: &Key) -> Vec<usize> {
    let create = |racer: usize| async move {
        let payload = PutPayload::from(format!("written by {racer}"));
        match store.put_opts(key, payload, PutMode::Create.into()).await {
            Ok(_) => Some(racer),
            Err(Error::AlreadyExists { .. }) => None,
            Err(error) => panic!("neither won nor lost: {error}"),
        }
    };
    join_all((0..RACERS).map(create)).await.into_iter().flatten().collect()
}

/// Uploads parts of these sizes, and gives what came of the completion.
async fn upload(store: &AmazonS3, sizes: &[usize]) -> Result<(), Error> {
    let mut upload = store.put_multipart(&Key::from("large")).await?;
    for size in sizes {
        upload.put_part(PutPayload::from(vec![7_u8; *size])).await?;
    }
    match upload.complete().await {
        Ok(_) => Ok(()),
        Err(error) => {
            upload.abort().await?;
            Err(error)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_32_racing_creates_wins() {
    let server = Server::start();
    let store = server.object_store();
    for round in 0..5 {
        let key = Key::from(format!("refs/{round}"));
        let winners = race(&store, &key).await;
        assert_eq!(winners.len(), 1, "round {round}: {winners:?}");
        let stored = &server.snapshot()[key.as_ref()];
        assert_eq!(*stored, format!("written by {}", winners[0]));
    }
    let counts = server.counts();
    assert_eq!((counts.put, counts.put_refused, counts.requests()), (160, 155, 160));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_racing_creates_win_if_conditions_are_ignored() {
    let server = Server::start_with(Behaviour { ignore_conditions: true, ..Behaviour::default() });
    let winners = race(&server.object_store(), &Key::from("ref")).await;
    assert_eq!(winners.len(), RACERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_racing_creates_win_if_checks_are_racy() {
    let server = Server::start_with(Behaviour { racy_conditions: true, ..Behaviour::default() });
    let store = server.object_store();
    let winners = race(&store, &Key::from("ref")).await;
    assert!(winners.len() > 1, "{winners:?}");
    assert!(race(&store, &Key::from("ref")).await.is_empty(), "a check alone still holds");
}

#[tokio::test]
async fn an_update_wants_the_tag_it_names() {
    let server = Server::start();
    let store = server.object_store();
    let key = Key::from("head");
    let first = UpdateVersion::from(store.put(&key, "1".into()).await.unwrap());
    let update = |to: &'static str| {
        let mode = PutMode::Update(first.clone());
        store.put_opts(&key, PutPayload::from_static(to.as_bytes()), mode.into())
    };
    update("2").await.unwrap();
    assert!(matches!(update("3").await, Err(Error::Precondition { .. })));
    assert_eq!(server.snapshot()["head"], "2");
}

#[tokio::test]
async fn parts_must_be_equal_but_the_last() {
    let server = Server::start();
    let store = server.object_store();
    upload(&store, &[PART_BYTES, PART_BYTES, 1]).await.unwrap();
    assert_eq!(server.snapshot()["large"].len(), 2 * PART_BYTES + 1);
    upload(&store, &[3]).await.unwrap();
    assert_eq!(server.snapshot()["large"].len(), 3);
    for wrong in [[PART_BYTES, PART_BYTES + 1, 1], [1024, 1024, 1], [PART_BYTES, 1, PART_BYTES]] {
        assert!(upload(&store, &wrong).await.is_err(), "{wrong:?}");
    }
    assert!(upload(&store, &[PART_BYTES, PART_BYTES + 1]).await.is_err(), "the last is larger");
    assert_eq!(server.snapshot()["large"].len(), 3, "what is refused changes nothing");
    assert_eq!(server.uploads(), 0);
    let unfinished = store.put_multipart(&Key::from("large")).await.unwrap();
    assert_eq!(server.uploads(), 1);
    drop(unfinished);
    server.clear();
    assert_eq!((server.uploads(), server.snapshot().len()), (0, 0));
}

#[tokio::test]
async fn gets_give_the_range_asked_for() {
    let server = Server::start();
    let store = server.object_store();
    let key = Key::from("letters");
    server.insert("letters", "abcdefghij");
    assert_eq!(store.get_range(&key, 2..5).await.unwrap(), "cde");
    assert_eq!(store.get_range(&key, 8..20).await.unwrap(), "ij");
    for (range, expected) in [(GetRange::Suffix(3), "hij"), (GetRange::Offset(6), "ghij")] {
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let result = store.get_opts(&key, options).await.unwrap();
        assert_eq!(result.meta.size, 10);
        assert_eq!(result.bytes().await.unwrap(), expected);
    }
    assert!(store.get_range(&key, 10..12).await.is_err());
    assert_eq!(store.head(&key).await.unwrap().size, 10);
}

#[tokio::test]
async fn lists_are_complete_and_in_bytewise_order() {
    let server = Server::start();
    let store = server.object_store();
    let keys = ["a-b", "a/b", "a/b/c", "a0", "aB", "ab", "b", "é"];
    for key in keys.iter().rev() {
        server.insert(key, "x");
    }
    let listed: Vec<_> = store.list(None).map_ok(|meta| meta.location).try_collect().await.unwrap();
    let listed: Vec<_> = listed.iter().map(AsRef::as_ref).collect();
    assert_eq!(listed, keys);
    let rolled_up = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(rolled_up.common_prefixes, [Key::from("a")]);
    assert_eq!(rolled_up.objects.len(), 6);
    let under = store.list_with_delimiter(Some(&Key::from("a"))).await.unwrap();
    assert_eq!(under.common_prefixes, [Key::from("a/b")]);
    assert_eq!(under.objects.len(), 1);
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    let server = Server::start();
    let store = server.object_store();
    for number in 0..30 {
        server.insert(&format!("p/{number:02}"), "x");
        server.insert(&format!("q/{}/{number:02}", number / 2), "x");
    }
    for (prefix, delimiter, expected) in
        [("p/", None, 30_usize), ("q/", Some("/"), 15), ("", None, 60)]
    {
        for max_keys in [1, 7, 30, 100] {
            let (mut token, mut seen, mut pages) = (None, BTreeSet::new(), 0);
            loop {
                let options = PaginatedListOptions {
                    delimiter: delimiter.map(Into::into),
                    max_keys: Some(max_keys),
                    page_token: token,
                    ..PaginatedListOptions::default()
                };
                let page = store.list_paginated(Some(prefix), options).await.unwrap();
                let objects = page.result.objects.into_iter().map(|meta| meta.location);
                let items: Vec<_> = objects.chain(page.result.common_prefixes).collect();
                assert!(items.len() <= max_keys);
                pages += 1;
                for item in items {
                    assert!(seen.insert(item), "listed twice");
                }
                token = page.page_token;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!((seen.len(), pages), (expected, expected.div_ceil(max_keys)));
        }
    }
    let after: Vec<_> = store.list_with_offset(None, &Key::from("q/14/27")).collect().await;
    assert_eq!(after.len(), 2 + 2 * 8, "q/14/28, q/14/29 and two each of q/2 to q/9");
    let options = PaginatedListOptions {
        page_token: Some("p/00".to_owned()),
        ..PaginatedListOptions::default()
    };
    assert!(store.list_paginated(None, options).await.is_err(), "a key is not a token");
}

// Not called: what tests attributes and tags, which the server does not keep, and creates by copy,
// which the client does on S3 only when it is told how.
#[tokio::test]
async fn the_suite_of_the_client_passes() {
    use object_store::integration as suite;
    let server = Server::start();
    let store = server.object_store();
    suite::put_get_delete_list(&store).await;
    suite::get_opts(&store).await;
    suite::put_opts(&store, true).await;
    suite::list_uses_directories_correctly(&store).await;
    suite::list_with_delimiter(&store).await;
    suite::list_with_offset_exclusivity(&store).await;
    suite::list_paginated(&store, &store).await;
    suite::rename_and_copy(&store).await;
    server.clear();
    suite::stream_get(&store).await;
    suite::multipart(&store, &store).await;
    suite::multipart_put_part_out_of_order(&store, &store).await;
    suite::multipart_out_of_order(&store).await;
    suite::multipart_race_condition(&store, true).await;
}

#[tokio::test]
async fn wrong_secrets_and_missing_buckets_are_refused() {
    let server = Server::start();
    let key = Key::from("key");
    let forger = server.client().with_secret_access_key("guessed").build().unwrap();
    for error in [forger.put(&key, "x".into()).await.err(), forger.get(&key).await.err()] {
        assert!(matches!(error, Some(Error::PermissionDenied { .. })), "{error:?}");
    }
    let lost = server.client().with_bucket_name("elsewhere").build().unwrap();
    let error = lost.put(&key, "x".into()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert!(server.snapshot().is_empty());
}

#[tokio::test]
async fn deletions_take_away_what_is_there_one_by_one_or_in_bulk() {
    let server = Server::start();
    let in_bulk = server.client().with_disable_bulk_delete(false).build().unwrap();
    for (store, requests) in [(server.object_store(), 3), (in_bulk, 1)] {
        server.insert("a", "x");
        server.insert("b", "x");
        server.insert("c", "x");
        server.reset_counts();
        let keys = futures::stream::iter(["a", "b", "missing"].map(|key| Ok(Key::from(key))));
        let deleted: Vec<_> = store.delete_stream(keys.boxed()).try_collect().await.unwrap();
        assert_eq!(deleted.len(), 3);
        assert_eq!(server.snapshot().into_keys().collect::<Vec<_>>(), ["c"]);
        assert_eq!(server.counts(), Counts { delete: requests, ..Counts::default() });
    }
}

#[tokio::test]
async fn every_request_is_counted_by_its_kind() {
    let server = Server::start();
    let store = server.object_store();
    let key = Key::from("key");
    store.put(&key, "12345".into()).await.unwrap();
    store.put_opts(&key, "123".into(), PutMode::Create.into()).await.unwrap_err();
    store.get(&key).await.unwrap().bytes().await.unwrap();
    store.get(&Key::from("missing")).await.unwrap_err();
    store.head(&key).await.unwrap();
    store.head(&Key::from("missing")).await.unwrap_err();
    store.list(None).collect::<Vec<_>>().await;
    store.delete(&key).await.unwrap();
    upload(&store, &[7]).await.unwrap();
    let expected = Counts {
        put: 2,
        put_refused: 1,
        get: 2,
        get_missing: 1,
        head: 2,
        list: 1,
        delete: 1,
        multipart: 3,
        other: 0,
        bytes_in: 5 + 3 + 7,
        bytes_out: 5,
    };
    assert_eq!(server.counts(), expected);
    assert_eq!(server.counts().requests(), 11);
    server.reset_counts();
    assert_eq!(server.counts(), Counts::default());
}

#[test]
fn a_test_without_a_runtime_can_play_with_the_bucket() {
    let server = Server::start();
    server.insert("key", "bytes");
    assert_eq!(server.remove("key"), Some(Bytes::from("bytes")));
    assert_eq!(server.remove("key"), None);
    let url = server.url("shelf");
    assert_eq!(url, format!("s3://books/shelf?endpoint={}&region=us-east-1", server.endpoint()));
    assert_eq!(server.environment().len(), 2);
}
