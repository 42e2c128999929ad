//! The damage drill: everything that can be wrong with each thing that is stored, one at a time.

use bytes::Bytes;
use cas_core::object::Kind;
use cas_core::store::layout;
use cas_tests::faulty::snapshot;
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;

use super::*;

/// What is done to the bytes at a key; `None` removes them.
type Damage = fn(&Bytes) -> Option<Bytes>;

/// Every kind of damage to one thing, but for what would leave it as it is.
const DAMAGES: [(&str, Damage); 5] = [
    ("a bit flipped", |bytes| {
        let mut bytes = bytes.to_vec();
        *bytes.last_mut()? ^= 1;
        Some(bytes.into())
    }),
    ("cut", |bytes| Some(bytes.slice(..bytes.len() / 2))),
    ("emptied", |_| Some(Bytes::new())),
    ("longer", |bytes| Some([bytes.as_ref(), b"!"].concat().into())),
    ("gone", |_| None),
];

async fn damaged(contents: &Contents, key: &Key, damage: Damage) -> Option<Arc<InMemory>> {
    let mut contents = contents.clone();
    let before = contents.remove(key).unwrap();
    let after = damage(&before);
    if after.as_ref() == Some(&before) {
        return None;
    }
    contents.extend(after.map(|after| (key.clone(), after)));
    Some(holding(&contents).await)
}

#[tokio::test]
async fn every_damage_to_every_object_is_told_and_put_right() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    let mut drills = 0;
    for kind in Kind::ALL {
        let keys = objects(&whole, kind);
        assert!(keys.len() > 2, "{} of {kind}", keys.len());
        for key in keys {
            let id = layout::object_id(kind, &key).unwrap();
            for (what, damage) in DAMAGES {
                let Some(memory) = damaged(&whole, &key, damage).await else {
                    continue;
                };
                drills += 1;
                let report = checked(&memory).await;
                let problem = if snapshot(&*memory).await.unwrap().contains_key(&key) {
                    "damaged"
                } else {
                    "missing"
                };
                let context = format!("{kind} {id} {what}");
                assert_eq!(told(&report), [format!("{problem} {kind} {id}")], "{context}");
                assert!(!report.is_sound(), "{context}");
                let report = repaired(&memory, &world.memory).await;
                assert_eq!((report.repaired, report.is_sound()), (1, true), "{context}");
                assert_eq!(snapshot(&*memory).await.unwrap(), whole, "{context}");
            }
        }
    }
    assert!(drills > 60, "{drills} drills");
}

#[tokio::test]
async fn two_objects_in_each_others_place_are_both_told() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    for kind in Kind::ALL {
        let keys = objects(&whole, kind);
        let mut contents = whole.clone();
        contents.insert(keys[0].clone(), whole[&keys[1]].clone());
        contents.insert(keys[1].clone(), whole[&keys[0]].clone());
        let memory = holding(&contents).await;
        let mut expected: Vec<_> = keys[..2]
            .iter()
            .map(|key| format!("damaged {kind} {}", layout::object_id(kind, key).unwrap()))
            .collect();
        let mut found = told(&checked(&memory).await);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        assert!(repaired(&memory, &world.memory).await.is_sound());
        assert_eq!(snapshot(&*memory).await.unwrap(), whole);
    }
}

#[tokio::test]
async fn every_damage_to_every_entry_is_told_and_put_right() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    let slots: Vec<_> = whole.keys().filter(|key| layout::slot_seq(key).is_some()).collect();
    let mut drills = 0;
    for key in slots {
        let seq = layout::slot_seq(key).unwrap();
        let log = key.as_ref().rsplit_once('/').unwrap().0;
        let is_newest = !whole.keys().any(|other| {
            other.as_ref().starts_with(log) && layout::slot_seq(other).is_some_and(|s| s > seq)
        });
        for (what, damage) in DAMAGES {
            let Some(memory) = damaged(&whole, key, damage).await else {
                continue;
            };
            let context = format!("{key} {what}");
            let report = checked(&memory).await;
            if what == "gone" && is_newest {
                // A log that ends earlier is a log: only a checkpoint or a copy knows better.
                assert_eq!(told(&report), [""; 0], "{context}");
                continue;
            }
            drills += 1;
            let [fault] = &told(&report)[..] else {
                panic!("{context}: {:?}", told(&report));
            };
            assert!(fault.contains(&format!("#{seq}: the entry is ")), "{context}: {fault}");
            let report = repaired(&memory, &world.memory).await;
            assert!(report.is_sound(), "{context}: {:?}", told(&report));
            assert_eq!(snapshot(&*memory).await.unwrap(), whole, "{context}");
        }
    }
    assert!(drills > 20, "{drills} drills");
}

/// The entry at `seq` of main, changed and with its hash behind it made new.
async fn forged(world: &World, seq: u64) -> (Key, Bytes) {
    let log = world.log(&RefName::main()).await;
    let entry = log.into_iter().find(|found| found.entry.seq == seq).unwrap().entry;
    let forged = cas_core::refs::RefEntry { actor: actor("mallory"), ..entry };
    (layout::slot(&book(), &RefName::main(), seq), forged.to_stored().1.into())
}

#[tokio::test]
async fn an_entry_that_was_rewritten_is_told_and_put_right() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    for seq in [1, 2] {
        let (key, bytes) = forged(&world, seq).await;
        let mut contents = whole.clone();
        contents.insert(key, bytes);
        let memory = holding(&contents).await;
        let next = format!("main#{}: the entry does not name the one before it", seq + 1);
        assert_eq!(told(&checked(&memory).await), [next]);
        assert!(repaired(&memory, &world.memory).await.is_sound());
        assert_eq!(snapshot(&*memory).await.unwrap(), whole);
    }
}

#[tokio::test]
async fn an_old_entry_played_again_is_told() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    let at = |seq| layout::slot(&book(), &RefName::main(), seq);
    for (from, to) in [(1, 2), (1, 3), (1, 4)] {
        let mut contents = whole.clone();
        contents.insert(at(to), whole[&at(from)].clone());
        let found = told(&checked(&holding(&contents).await).await);
        let [fault] = &found[..] else { panic!("{found:?}") };
        let belongs = format!("main#{to}: the entry is damaged: it belongs at book@main#{from}");
        assert_eq!(*fault, belongs);
    }
}

#[tokio::test]
async fn a_whole_folder_that_went_is_put_right_with_all_that_is_below_it() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    for kept in [Kind::ALL.as_slice(), &[Kind::Commit], &[Kind::Commit, Kind::Tree], &[]] {
        let is_kept = |key: &Key| {
            let of = |kind: &Kind| layout::object_id(*kind, key).is_some();
            kept.iter().any(of) || !Kind::ALL.iter().any(of)
        };
        let contents = whole.clone().into_iter().filter(|(key, _)| is_kept(key)).collect();
        let memory = holding(&contents).await;
        assert_eq!(checked(&memory).await.is_sound(), kept.len() == 3);
        let report = repaired(&memory, &world.memory).await;
        assert!(report.is_sound(), "{:?}", told(&report));
        assert_eq!(snapshot(&*memory).await.unwrap(), whole, "kept {kept:?}");
    }
}

#[tokio::test]
async fn what_the_copy_has_not_or_has_wrong_stays_told() {
    let world = library().await;
    let whole = snapshot(&*world.memory).await.unwrap();
    for kind in Kind::ALL {
        let key = objects(&whole, kind).remove(0);
        let id = layout::object_id(kind, &key).unwrap();
        let memory = holding(&whole).await;
        memory.delete(&key).await.unwrap();
        for (_, damage) in DAMAGES {
            let mirror = damaged(&whole, &key, damage).await.unwrap();
            let report = repaired(&memory, &mirror).await;
            assert_eq!(told(&report), [format!("missing {kind} {id}")]);
            assert!(!report.is_sound());
            assert!(!snapshot(&*memory).await.unwrap().contains_key(&key), "nothing is written");
        }
    }
}

#[tokio::test]
async fn a_tree_that_counts_wrong_is_told() {
    use cas_core::env::Timestamp;
    use cas_core::name::{BlobId, EntryName};
    use cas_core::object::{Commit, Entry, EntryKind, Metadata, Totals, Tree};
    let world = library().await;
    let store = world.plain.store();
    let session = store.session().await.unwrap();
    let (blob, _) = session.put_blob(Bytes::from_static(b"five!")).await.unwrap();
    let name = |name| EntryName::parse(name).unwrap();
    let below = Tree::from_entries([Entry::blob(name("x"), EntryKind::File, blob, 5)]).unwrap();
    let (below_id, _) = session.put_tree(&below).await.unwrap();
    let wrong_blob = Entry::blob(name("y"), EntryKind::File, BlobId(*blob.hash()), 6);
    let totals = Totals { size: 7, files: 2 };
    let wrong_tree = Entry { totals, ..Entry::tree(name("z"), below_id, &below) };
    let root = Tree::from_entries([wrong_blob, wrong_tree]).unwrap();
    let (root, _) = session.put_tree(&root).await.unwrap();
    session.publish().await.unwrap();
    let before = told(&checked(&world.memory).await);
    assert_eq!(before, [""; 0], "what nothing names is not held against it");
    let session = store.session().await.unwrap();
    let commit = Commit {
        tree: root,
        parents: Vec::new(),
        author: actor("eve"),
        committed_at: Timestamp::from_micros(1),
        message: String::new(),
        metadata: Metadata::new(),
    };
    let commit = session.put_commit(&commit).await.unwrap();
    session.publish().await.unwrap();
    let name = RefName::parse("wrong").unwrap();
    world.plain.create_ref(&world.plain.ref_request(&book(), &name, ""), commit).await.unwrap();
    let report = checked(&world.memory).await;
    let mut found = told(&report);
    found.sort();
    assert_eq!(found, [format!("totals blob {blob}"), format!("totals tree {below_id}")]);
    assert!(report.faults.iter().all(|fault| matches!(
        fault,
        Fault::Object { places, .. } if places.iter().all(|place| place.starts_with("book@wrong: "))
            && !places.is_empty()
    )), "{:?}", report.faults);
}
