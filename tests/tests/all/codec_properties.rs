//! Properties of codecs and names, over values and bytes that nobody thought of.
//!
//! Every run draws the same cases: the seed is fixed and failures are not kept in files.

mod values;

use cas_core::limits;
use cas_core::name::{
    Actor, BlobId, BookId, BookPath, EntryName, HashPrefix, Operation, RefName, RequestId,
    Revision, collision_key,
};
use cas_core::object::{Commit, Entry, EntryKind, Tree, check_symlink};
use cas_core::refs::RefEntry;
use cas_core::store::{Marker, layout};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::format::cbor;
use values::{
    Edit, book_id, commit, edits, entry_name, path_like, ref_entry, ref_name, text, tree,
};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x00ca_5000),
        ..ProptestConfig::default()
    }
}

/// Fails unless the second CBOR crate finds only plain items, and writes the same bytes itself.
fn assert_canonical(bytes: &[u8]) {
    let items = cbor::read_sequence(bytes);
    items.iter().for_each(cbor::assert_plain);
    assert_eq!(cbor::write_sequence(&items), bytes);
}

/// Reads `bytes` as everything; whatever is read must be written as the same bytes.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(tree) = Tree::decode(bytes) {
        assert_eq!(tree.encode(), bytes);
        assert_canonical(bytes);
    }
    if let Ok((tree, faults)) = Tree::decode_with_faults(bytes)
        && faults.is_empty()
    {
        assert_eq!(tree.encode(), bytes);
    }
    if let Ok(commit) = Commit::decode(bytes) {
        assert!(commit.check().is_ok());
        assert_eq!(commit.encode(), bytes);
        assert_canonical(bytes);
    }
    if let Ok(entry) = RefEntry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
        assert_canonical(bytes);
    }
    if let Ok(found) = RefEntry::from_stored(bytes) {
        assert_eq!(found.entry.to_stored(), (found.id, bytes.to_vec()));
    }
    if let Ok(marker) = Marker::decode(bytes) {
        assert_eq!(marker.encode(), bytes);
        assert_canonical(bytes);
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn trees_round_trip(tree in tree()) {
        let bytes = tree.encode();
        assert_canonical(&bytes);
        prop_assert_eq!(Tree::decode(&bytes).unwrap(), tree);
    }

    #[test]
    fn commits_round_trip(commit in commit()) {
        let bytes = commit.encode();
        assert_canonical(&bytes);
        prop_assert_eq!(Commit::decode(&bytes).unwrap(), commit);
    }

    #[test]
    fn entries_round_trip(entry in ref_entry()) {
        prop_assert_eq!(&RefEntry::decode(&entry.encode()).unwrap(), &entry);
        let (id, bytes) = entry.to_stored();
        assert_canonical(&bytes);
        let found = RefEntry::from_stored(&bytes).unwrap();
        prop_assert_eq!((found.id, found.entry), (id, entry));
    }

    #[test]
    fn invariant_immutable_equal_bytes_are_equal_values(a in tree(), b in tree()) {
        prop_assert_eq!(a == b, a.encode() == b.encode());
        prop_assert_eq!(a == b, a.encode_with_id().0 == b.encode_with_id().0);
    }

    /// The order in which entries are found on a disk must not reach the bytes.
    #[test]
    fn a_tree_has_one_encoding_whatever_the_order_of_its_entries(tree in tree()) {
        let backwards = Tree::from_entries(tree.entries().iter().rev().cloned()).unwrap();
        prop_assert_eq!(backwards.encode(), tree.encode());
    }

    #[test]
    fn totals_are_sums(tree in tree()) {
        let sizes: u64 = tree.entries().iter().map(|e| e.totals.size).sum();
        let files: u64 = tree.entries().iter().map(|e| e.totals.files).sum();
        prop_assert_eq!((tree.totals().size, tree.totals().files), (sizes, files));
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn random_bytes_are_refused_or_canonical(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        read_as_everything(&bytes);
    }

    /// Bytes that are likely to be CBOR: heads of the kinds that there are, and small contents.
    #[test]
    fn random_heads_are_refused_or_canonical(bytes in values::cbor_like()) {
        read_as_everything(&bytes);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn edited_trees_are_refused_or_canonical(tree in tree(), edits in edits()) {
        read_as_everything(&Edit::apply_all(edits, tree.encode()));
    }

    #[test]
    fn edited_commits_are_refused_or_canonical(commit in commit(), edits in edits()) {
        read_as_everything(&Edit::apply_all(edits, commit.encode()));
    }

    #[test]
    fn edited_entries_are_refused_or_canonical(entry in ref_entry(), edits in edits()) {
        read_as_everything(&Edit::apply_all(edits, entry.encode()));
    }

    /// Even the id behind an entry is made right again: what is left is the decoder's to refuse.
    #[test]
    fn edited_entries_with_a_right_id_are_refused_or_canonical(
        entry in ref_entry(),
        edits in edits(),
    ) {
        let mut bytes = Edit::apply_all(edits, entry.encode());
        let id = blake3::hash(&bytes);
        bytes.extend([0x58, 0x20]);
        bytes.extend(id.as_bytes());
        read_as_everything(&bytes);
    }

    /// Any change at all to a stored entry is noticed: the newest entry has no other witness.
    #[test]
    fn invariant_attributed_an_edited_stored_entry_is_refused(
        entry in ref_entry(),
        edits in edits(),
    ) {
        let (_, bytes) = entry.to_stored();
        let edited = Edit::apply_all(edits, bytes.clone());
        prop_assert_eq!(RefEntry::from_stored(&edited).is_ok(), edited == bytes);
    }
}

/// Parses `text` as a `T`, which must never panic, and must print what it was parsed from.
fn prints_what_it_parsed<T>(text: &str)
where
    T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug,
{
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
        assert_eq!(text.parse::<T>().ok(), Some(value));
    }
}

proptest! {
    #![proptest_config(config(1_500))]

    #[test]
    fn names_never_panic_and_print_what_they_parsed(text in text()) {
        prints_what_it_parsed::<EntryName>(&text);
        prints_what_it_parsed::<BookPath>(&text);
        prints_what_it_parsed::<BookId>(&text);
        prints_what_it_parsed::<RefName>(&text);
        prints_what_it_parsed::<Actor>(&text);
        prints_what_it_parsed::<Operation>(&text);
        prints_what_it_parsed::<RequestId>(&text);
        prints_what_it_parsed::<HashPrefix>(&text);
        prints_what_it_parsed::<BlobId>(&text);
        if let Ok(revision) = Revision::parse(&text) {
            // `book` prints as `book@main`: the same revision, not the same text.
            prop_assert_eq!(Revision::parse(&revision.to_string()).unwrap(), revision);
        }
    }

    #[test]
    fn valid_names_are_one_segment_that_every_disk_holds(name in entry_name()) {
        let text = name.as_str();
        prop_assert!(!text.contains(['/', '\\', '\0']) && text != "." && text != "..");
        prop_assert_eq!(EntryName::parse(text).unwrap(), name.clone());
        prop_assert_eq!(BookPath::parse(text).unwrap().name(), Some(name));
    }

    #[test]
    fn paths_join_and_split_into_the_same_names(path in path_like()) {
        let Ok(path) = BookPath::parse(&path) else { return Ok(()) };
        let mut joined = BookPath::root();
        for segment in path.segments() {
            joined = joined.join(&EntryName::parse(segment).unwrap()).unwrap();
        }
        prop_assert_eq!(&joined, &path);
        let parent = path.parent().unwrap();
        prop_assert_eq!(parent.join(&path.name().unwrap()).unwrap(), path);
    }

    #[test]
    fn escaped_refs_read_back_and_hold_no_capital_or_slash(name in ref_name()) {
        let escaped = name.escaped();
        prop_assert_eq!(RefName::from_escaped(&escaped), Some(name));
        prop_assert!(!escaped.contains('/'));
        prop_assert_eq!(escaped.to_lowercase(), escaped);
    }

    #[test]
    fn invariant_isolated_two_refs_never_share_a_key(a in ref_name(), b in ref_name()) {
        // The likeliest to meet: names that differ in case, or in a slash.
        let near = [a.to_string().to_lowercase(), a.to_string().replacen('/', "-", 1)];
        let near = near.iter().filter_map(|text| RefName::parse(text).ok());
        for other in near.chain([b]) {
            let (one, two) = (a.escaped(), other.escaped());
            prop_assert_eq!(a == other, one.eq_ignore_ascii_case(&two));
        }
    }

    #[test]
    fn only_what_escaping_makes_reads_back(segment in "[a-zA-Z0-9%/._@+=-]{0,20}") {
        if let Some(name) = RefName::from_escaped(&segment) {
            prop_assert_eq!(name.escaped(), segment);
        }
    }

    #[test]
    fn slots_read_back_and_sort_newest_first(
        book in book_id(),
        name in ref_name(),
        a in 1..=limits::SEQ_MAX,
        b in 1..=limits::SEQ_MAX,
    ) {
        let (one, two) = (layout::slot(&book, &name, a), layout::slot(&book, &name, b));
        prop_assert_eq!(layout::slot_seq(&one), Some(a));
        prop_assert_eq!(one.cmp(&two), b.cmp(&a));
        prop_assert!(one.as_ref().len() <= 1024);
    }

    #[test]
    fn collision_keys_are_stable(text in text()) {
        let key = collision_key(&text);
        prop_assert_eq!(collision_key(&key), key.clone());
        prop_assert_eq!(collision_key(&text.to_ascii_uppercase()), key.clone());
        prop_assert_eq!(collision_key(&text.to_lowercase().to_ascii_lowercase()),
            collision_key(&text.to_lowercase()));
    }

    /// A tree refuses two names exactly if their keys are one.
    #[test]
    fn names_that_meet_never_share_a_tree(a in entry_name(), b in entry_name()) {
        let upper = EntryName::parse(&a.as_str().to_uppercase()).ok();
        for other in [Some(b), upper].into_iter().flatten().filter(|other| *other != a) {
            let meet = collision_key(a.as_str()) == collision_key(other.as_str());
            let file = |name: &EntryName| {
                Entry::blob(name.clone(), EntryKind::File, BlobId::of(b""), 0)
            };
            prop_assert_eq!(Tree::from_entries([file(&a), file(&other)]).is_err(), meet);
        }
    }

    /// Followed one segment at a time, an accepted target is never above the book's root, and
    /// never goes up again after it went down.
    #[test]
    fn accepted_symlinks_stay_inside_the_book(
        path in path_like(),
        target in values::target_like(),
    ) {
        let Ok(path) = BookPath::parse(&path) else { return Ok(()) };
        if check_symlink(&path, target.as_bytes()).is_err() {
            return Ok(());
        }
        prop_assert!(!target.starts_with('/'));
        let mut depth = path.segments().count() - 1;
        let mut down = false;
        for segment in target.split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    prop_assert!(!down && depth > 0, "{} -> {}", path, target);
                    depth -= 1;
                }
                name => {
                    prop_assert!(EntryName::parse(name).is_ok());
                    down = true;
                }
            }
        }
    }

    #[test]
    fn symlink_targets_never_panic(path in path_like(), target in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(path) = BookPath::parse(&path) {
            let accepted = check_symlink(&path, &target).is_ok();
            prop_assert!(!accepted || std::str::from_utf8(&target).is_ok());
        }
    }
}

/// Folding what is folded changes nothing, for every character that there is below U+20000.
#[test]
fn collision_keys_of_all_characters_are_stable() {
    for c in (0..0x2_0000).filter_map(char::from_u32) {
        let key = collision_key(c.encode_utf8(&mut [0; 4]));
        assert_eq!(collision_key(&key), key, "U+{:04X}", u32::from(c));
    }
}
