//! What a server takes, and what it refuses.

use bytes::Bytes;
use cas_core::env::Timestamp;
use cas_core::name::{BlobId, CommitId, EntryName, Hash, TreeId};
use cas_core::object::{Commit, Entry, EntryKind, Kind, Metadata, Totals, Tree};
use cas_core::store::wire::{Encoder, Head};
use serde_json::json;

use super::{Place, actor};

fn stream(objects: &[(Kind, Hash, &[u8])]) -> Bytes {
    let mut encoder = Encoder::new().unwrap();
    for (kind, id, bytes) in objects {
        encoder.begin(Head { kind: *kind, id: *id, size: bytes.len() as u64 }).unwrap();
        encoder.bytes(bytes).unwrap();
    }
    encoder.finish().unwrap()
}

fn tree_of(blob: BlobId, size: u64) -> (TreeId, Vec<u8>) {
    let name = EntryName::parse("a.md").unwrap();
    let entry = Entry { name, kind: EntryKind::File, id: blob.0, totals: Totals::file(size) };
    Tree::from_entries([entry]).unwrap().encode_with_id()
}

fn commit_of(tree: TreeId, parents: Vec<CommitId>) -> (CommitId, Vec<u8>) {
    let commit = Commit {
        tree,
        parents,
        author: actor(),
        committed_at: Timestamp::from_micros(1),
        message: "m".to_owned(),
        metadata: Metadata::new(),
    };
    let bytes = commit.encode();
    (CommitId::of(&bytes), bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_names_what_is_not_there_is_refused_and_told_what() {
    let place = Place::new();
    let client = place.server.client();
    let text = b"text";
    let blob = BlobId::of(text);
    let (tree, tree_bytes) = tree_of(blob, 4);
    let (commit, commit_bytes) = commit_of(tree, Vec::new());

    let answer = client.put(&format!("/v1/commits/{commit}"), commit_bytes.clone()).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "incomplete"));
    assert_eq!(answer.json()["missing"], json!([{ "kind": "tree", "id": tree.to_string() }]));
    let answer = client.put(&format!("/v1/trees/{tree}"), tree_bytes.clone()).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "incomplete"));
    assert_eq!(answer.json()["missing"], json!([{ "kind": "blob", "id": blob.to_string() }]));

    client.put(&format!("/v1/blobs/{blob}"), text.to_vec()).await.expect(201);
    client.put(&format!("/v1/blobs/{blob}"), text.to_vec()).await.expect(200);
    client.put(&format!("/v1/trees/{tree}"), tree_bytes.clone()).await.expect(201);
    client.put(&format!("/v1/commits/{commit}"), commit_bytes).await.expect(201);

    // Another size than the blob's, in a file and in a folder.
    let (lying, lying_bytes) = tree_of(blob, 5);
    let answer = client.put(&format!("/v1/trees/{lying}"), lying_bytes).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "wrong_totals"));
    let name = EntryName::parse("folder").unwrap();
    let totals = Totals { size: 4, files: 2 };
    let entry = Entry { name, kind: EntryKind::Tree, id: tree.0, totals };
    let (above, above_bytes) = Tree::from_entries([entry]).unwrap().encode_with_id();
    let answer = client.put(&format!("/v1/trees/{above}"), above_bytes).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "wrong_totals"));
    // A parent that nobody knows.
    let (orphan, orphan_bytes) = commit_of(tree, vec![CommitId::of(b"nobody")]);
    let answer = client.put(&format!("/v1/commits/{orphan}"), orphan_bytes).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "incomplete"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_what_their_id_says_leave_nothing() {
    let place = Place::new();
    let client = place.server.client();
    let id = BlobId::of(b"other");
    let answer = client.put(&format!("/v1/blobs/{id}"), b"text".to_vec()).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "wrong_hash"));
    let large = vec![7; 6 << 20];
    let answer = client.put(&format!("/v1/blobs/{id}"), large).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "wrong_hash"));
    client.get(&format!("/v1/blobs/{id}")).await.expect(404);
    let tree = TreeId::of(b"no tree");
    let answer = client.put(&format!("/v1/trees/{tree}"), b"no tree".to_vec()).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_encoding"));
    let post =
        |body: Bytes| async { client.request("POST", "/v1/objects").body(body).send().await };
    let answer = post(stream(&[(Kind::Blob, id.0, b"text")])).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "wrong_hash"));
    let answer = post(Bytes::from_static(b"text")).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_stream"));
    let whole = stream(&[(Kind::Blob, BlobId::of(b"text").0, b"text")]);
    let answer = post(whole.slice(..whole.len() - 1)).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_stream"));
    let too_large = vec![0; (4 << 20) + 1];
    let answer = post(stream(&[(Kind::Blob, BlobId::of(&too_large).0, &too_large)])).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    assert_eq!(cas_tests::faulty::snapshot(&*place.raw).await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_brings_everything_in_order() {
    let place = Place::new();
    let client = place.server.client();
    let blob = BlobId::of(b"text");
    let (tree, tree_bytes) = tree_of(blob, 4);
    let (first, first_bytes) = commit_of(tree, Vec::new());
    let (second, second_bytes) = commit_of(tree, vec![first]);
    let body = stream(&[
        (Kind::Blob, blob.0, b"text"),
        (Kind::Tree, tree.0, &tree_bytes),
        (Kind::Commit, first.0, &first_bytes),
        (Kind::Commit, second.0, &second_bytes),
    ]);
    for new in [true, false] {
        let answer = client.request("POST", "/v1/objects").body(body.clone()).send().await;
        let answer = answer.expect(200).json();
        let kinds: Vec<_> = answer["objects"].as_array().unwrap().iter().collect();
        assert_eq!(kinds.len(), 4);
        for taken in kinds {
            assert_eq!(taken["new"], json!(new), "{taken}");
        }
    }
    let asked = json!({ "objects": [
        { "kind": "blob", "id": blob, "size": 4 },
        { "kind": "blob", "id": blob, "size": 5 },
        { "kind": "tree", "id": blob, "size": 4 },
        { "kind": "commit", "id": second, "size": second_bytes.len() },
    ] });
    let answer = client.post("/v1/missing", &asked).await.expect(200).json();
    assert_eq!(answer, json!({ "missing": [asked["objects"][1], asked["objects"][2]] }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ref_cannot_be_pointed_at_what_is_not_there() {
    let place = Place::new();
    let update = json!({
        "book": "book", "ref": "main", "expect": "any", "target": CommitId::of(b"nobody"),
        "operation": "reset", "message": "m", "request_id": "r1",
    });
    let answer = place.server.client().post("/v1/raw/update", &update).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "incomplete"));
}
