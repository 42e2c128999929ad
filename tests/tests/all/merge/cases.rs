//! Every row of the case table in `docs/merge.md`, under each policy and from either side.

use bytes::Bytes;
use cas_core::object::EntryKind;
use cas_core::repo::OnConflict;

use super::{Files, POLICIES, merge, named, planted, shelf};
use Then::{Clean, Conflict};

mod renames;

/// Paths with contents: `path*` is executable, `path@` a symlink.
type Listed = &'static [(&'static str, &'static str)];
/// Kind, path and the other path.
type Named = (&'static str, &'static str, Option<&'static str>);

struct Row {
    case: &'static str,
    base: Listed,
    ours: Listed,
    theirs: Listed,
    then: Then,
}

enum Then {
    /// The same under every policy.
    Clean(Listed),
    /// The conflicts, and what is taken as `ours` (and `fail`), `theirs` and `markers`.
    Conflict(&'static [Named], Listed, Listed, Listed),
}

const fn row(case: &'static str, [base, ours, theirs]: [Listed; 3], then: Then) -> Row {
    Row { case, base, ours, theirs, then }
}

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\n";
const TOP: &str = "ONE\ntwo\nthree\nfour\nfive\n";
const TOP_TOO: &str = "Eins\ntwo\nthree\nfour\nfive\n";
const END: &str = "one\ntwo\nthree\nfour\nFIVE\n";
const BOTH: &str = "ONE\ntwo\nthree\nfour\nFIVE\n";
const MARKED: &str = "<<<<<<< ours\nONE\n=======\nEins\n>>>>>>> theirs\ntwo\nthree\nfour\nfive\n";

const CONTENTS: &[Row] = &[
    row(
        "one side changes a file",
        [&[("a", TEXT)], &[("a", TOP)], &[("a", TEXT)]],
        Clean(&[("a", TOP)]),
    ),
    row(
        "one side adds a folder",
        [&[("a", "1")], &[("a", "1"), ("d/e/b", "2")], &[("a", "1")]],
        Clean(&[("a", "1"), ("d/e/b", "2")]),
    ),
    row(
        "one side removes a folder",
        [
            &[("a", "1"), ("d/b", "2"), ("d/c", "3")],
            &[("a", "1")],
            &[("a", "4"), ("d/b", "2"), ("d/c", "3")],
        ],
        Clean(&[("a", "4")]),
    ),
    row(
        "both change the same",
        [&[("a", TEXT)], &[("a", TOP)], &[("a", TOP)]],
        Clean(&[("a", TOP)]),
    ),
    row(
        "both remove the same",
        [&[("a", TEXT), ("b", "1")], &[("b", "1")], &[("b", "1")]],
        Clean(&[("b", "1")]),
    ),
    row(
        "the merged tree is one side's",
        [&[("a", TEXT), ("b", "1")], &[("a", TOP), ("b", "2")], &[("a", TOP), ("b", "1")]],
        Clean(&[("a", TOP), ("b", "2")]),
    ),
    row("different lines", [&[("a", TEXT)], &[("a", TOP)], &[("a", END)]], Clean(&[("a", BOTH)])),
    row(
        "different files in one folder",
        [
            &[("d/a", "1"), ("d/b", "1")],
            &[("d/a", "2"), ("d/b", "1")],
            &[("d/a", "1"), ("d/b", "2")],
        ],
        Clean(&[("d/a", "2"), ("d/b", "2")]),
    ),
    row(
        "the same lines",
        [&[("a", TEXT)], &[("a", TOP)], &[("a", TOP_TOO)]],
        Conflict(&[("content", "a", None)], &[("a", TOP)], &[("a", TOP_TOO)], &[("a", MARKED)]),
    ),
    row(
        "lines in conflict beside lines that are not",
        [&[("a", TEXT)], &[("a", BOTH)], &[("a", TOP_TOO)]],
        Conflict(
            &[("content", "a", None)],
            &[("a", BOTH)],
            &[("a", "Eins\ntwo\nthree\nfour\nFIVE\n")],
            &[("a", "<<<<<<< ours\nONE\n=======\nEins\n>>>>>>> theirs\ntwo\nthree\nfour\nFIVE\n")],
        ),
    ),
    row(
        "CRLF",
        [&[("a", "1\r\n2\r\n3\r\n")], &[("a", "I\r\n2\r\n3\r\n")], &[("a", "1\r\n2\r\nIII\r\n")]],
        Clean(&[("a", "I\r\n2\r\nIII\r\n")]),
    ),
    row(
        "mixed endings are bytes",
        [&[("a", "1\r\n2\n3\n")], &[("a", "I\r\n2\n3\n")], &[("a", "1\r\n2\nIII\n")]],
        Clean(&[("a", "I\r\n2\nIII\n")]),
    ),
    row(
        "one side changes all endings",
        [&[("a", TEXT)], &[("a", "one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n")], &[("a", TOP)]],
        Clean(&[("a", "ONE\r\ntwo\r\nthree\r\nfour\r\nfive\r\n")]),
    ),
    row(
        "one side changes all endings and a line",
        [&[("a", "1\r\n2\r\n3\r\n")], &[("a", "I\n2\n3\n")], &[("a", "1\r\n2\r\nIII\r\n")]],
        Clean(&[("a", "I\n2\nIII\n")]),
    ),
    row(
        "a final newline is added",
        [&[("a", "1\n2\n3")], &[("a", "I\n2\n3")], &[("a", "1\n2\n3\n")]],
        Clean(&[("a", "I\n2\n3\n")]),
    ),
    row(
        "a final newline is removed",
        [&[("a", "1\n2\n3\n")], &[("a", "I\n2\n3\n")], &[("a", "1\n2\n3")]],
        Clean(&[("a", "I\n2\n3")]),
    ),
    row(
        "not text",
        [&[("a", "\0one\ntwo\n")], &[("a", "\0ONE\ntwo\n")], &[("a", "\0one\nTWO\n")]],
        Conflict(
            &[("binary", "a", None)],
            &[("a", "\0ONE\ntwo\n")],
            &[("a", "\0one\nTWO\n")],
            &[("a", "\0ONE\ntwo\n")],
        ),
    ),
    row(
        "text that one side makes binary",
        [&[("a", TEXT)], &[("a", TOP)], &[("a", "\0")]],
        Conflict(&[("binary", "a", None)], &[("a", TOP)], &[("a", "\0")], &[("a", TOP)]),
    ),
    row(
        "both empty a file of one side",
        [&[("a", TEXT)], &[("a", "")], &[("a", TOP)]],
        Conflict(
            &[("content", "a", None)],
            &[("a", "")],
            &[("a", TOP)],
            &[("a", "<<<<<<< ours\n=======\nONE\ntwo\nthree\nfour\nfive\n>>>>>>> theirs\n")],
        ),
    ),
    row(
        "mode and content",
        [&[("a", TEXT)], &[("a*", TEXT)], &[("a", TOP)]],
        Clean(&[("a*", TOP)]),
    ),
    row(
        "both change the mode",
        [&[("a", TEXT)], &[("a*", TOP)], &[("a*", END)]],
        Clean(&[("a*", BOTH)]),
    ),
    row(
        "mode, and the same lines",
        [&[("a", TEXT)], &[("a*", TOP)], &[("a", TOP_TOO)]],
        Conflict(&[("content", "a", None)], &[("a*", TOP)], &[("a*", TOP_TOO)], &[("a*", MARKED)]),
    ),
    row(
        "both move a symlink",
        [&[("l@", "a")], &[("l@", "b")], &[("l@", "c")]],
        Conflict(&[("kind", "l", None)], &[("l@", "b")], &[("l@", "c")], &[("l@", "b")]),
    ),
    row(
        "a symlink, and a file",
        [&[("l@", "a")], &[("l", TEXT)], &[("l@", "b")]],
        Conflict(&[("kind", "l", None)], &[("l", TEXT)], &[("l@", "b")], &[("l", TEXT)]),
    ),
    row(
        "a file becomes a symlink, and changes",
        [&[("l", TEXT)], &[("l@", "a")], &[("l", TOP)]],
        Conflict(&[("kind", "l", None)], &[("l@", "a")], &[("l", TOP)], &[("l@", "a")]),
    ),
    row("both add the same", [&[], &[("a", TEXT)], &[("a", TEXT)]], Clean(&[("a", TEXT)])),
    row(
        "both add",
        [&[], &[("a", "x\n")], &[("a", "y\n")]],
        Conflict(
            &[("add-add", "a", None)],
            &[("a", "x\n")],
            &[("a", "y\n")],
            &[("a", "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n")],
        ),
    ),
    row(
        "both add, with lines in common",
        [&[], &[("a", "x\n2\n")], &[("a", "y\n2\n")]],
        Conflict(
            &[("add-add", "a", None)],
            &[("a", "x\n2\n")],
            &[("a", "y\n2\n")],
            &[("a", "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n2\n")],
        ),
    ),
    row(
        "both add binary",
        [&[], &[("a", "\0x")], &[("a", "y\n")]],
        Conflict(&[("add-add", "a", None)], &[("a", "\0x")], &[("a", "y\n")], &[("a", "\0x")]),
    ),
    row(
        "both add symlinks",
        [&[], &[("a@", "x")], &[("a@", "y")]],
        Conflict(&[("add-add", "a", None)], &[("a@", "x")], &[("a@", "y")], &[("a@", "x")]),
    ),
    row(
        "both add, with other modes",
        [&[], &[("a", TEXT)], &[("a*", TEXT)]],
        Conflict(&[("add-add", "a", None)], &[("a", TEXT)], &[("a*", TEXT)], &[("a", TEXT)]),
    ),
    row(
        "both add, other content and modes",
        [&[], &[("a", "x\n")], &[("a*", "y\n")]],
        Conflict(
            &[("add-add", "a", None)],
            &[("a", "x\n")],
            &[("a*", "y\n")],
            &[("a", "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n")],
        ),
    ),
    row(
        "both add, one an empty file",
        [&[], &[("a", "")], &[("a", "y\n")]],
        Clean(&[("a", "y\n")]),
    ),
    row(
        "both add, one an empty file of another mode",
        [&[], &[("a*", "")], &[("a", "y\n")]],
        Conflict(&[("add-add", "a", None)], &[("a*", "y\n")], &[("a", "y\n")], &[("a*", "y\n")]),
    ),
];

const SHAPES: &[Row] = &[
    row(
        "ours edits, theirs removes",
        [&[("a", TEXT), ("b", "1")], &[("a", TOP), ("b", "1")], &[("b", "1")]],
        Conflict(
            &[("edit-delete", "a", None)],
            &[("a", TOP), ("b", "1")],
            &[("b", "1")],
            &[("a", TOP), ("b", "1")],
        ),
    ),
    row(
        "ours removes, theirs edits",
        [&[("a", TEXT), ("b", "1")], &[("b", "1")], &[("a", TOP), ("b", "1")]],
        Conflict(
            &[("edit-delete", "a", None)],
            &[("b", "1")],
            &[("a", TOP), ("b", "1")],
            &[("a", TOP), ("b", "1")],
        ),
    ),
    row(
        "one removes the folder of an edit",
        [&[("d/a", TEXT), ("d/b", "1")], &[("d/a", TOP), ("d/b", "1")], &[]],
        Conflict(&[("edit-delete", "d/a", None)], &[("d/a", TOP)], &[], &[("d/a", TOP)]),
    ),
    row(
        "the mode changes, and it is removed",
        [&[("a", TEXT)], &[("a*", TEXT)], &[]],
        Conflict(&[("edit-delete", "a", None)], &[("a*", TEXT)], &[], &[("a*", TEXT)]),
    ),
    row(
        "a folder vanishes with its last files",
        [
            &[("d/a", "1"), ("d/b", "2"), ("c", "3")],
            &[("d/a", "1"), ("c", "3")],
            &[("d/b", "2"), ("c", "3")],
        ],
        Clean(&[("c", "3")]),
    ),
    row(
        "one makes a file of a folder",
        [&[("a/x", "1")], &[("a", "file\n")], &[("a/x", "1")]],
        Clean(&[("a", "file\n")]),
    ),
    row(
        "one makes a folder of a file",
        [&[("a", "1")], &[("a/x", "2")], &[("a", "1")]],
        Clean(&[("a/x", "2")]),
    ),
    row(
        "both add, a file and a folder",
        [&[], &[("a", "file\n")], &[("a/x", "1")]],
        Conflict(
            &[("file-folder", "a", None)],
            &[("a", "file\n")],
            &[("a/x", "1")],
            &[("a", "file\n")],
        ),
    ),
    row(
        "the same, deeper",
        [&[("d/z", "1")], &[("d/z", "1"), ("d/a", "file\n")], &[("d/z", "1"), ("d/a/b/x", "1")]],
        Conflict(
            &[("file-folder", "d/a", None)],
            &[("d/z", "1"), ("d/a", "file\n")],
            &[("d/z", "1"), ("d/a/b/x", "1")],
            &[("d/z", "1"), ("d/a", "file\n")],
        ),
    ),
    row(
        "a folder becomes a file, and gets another file",
        [&[("a/x", "1")], &[("a", "file\n")], &[("a/x", "1"), ("a/y", "2")]],
        Conflict(
            &[("file-folder", "a", None)],
            &[("a", "file\n")],
            &[("a/y", "2")],
            &[("a", "file\n")],
        ),
    ),
    row(
        "a file becomes a folder, and is edited",
        [&[("a", TEXT)], &[("a/x", "1")], &[("a", TOP)]],
        Conflict(
            &[("edit-delete", "a", None), ("file-folder", "a", None)],
            &[("a/x", "1")],
            &[("a", TOP)],
            &[("a", TOP)],
        ),
    ),
    row(
        "a folder becomes a file, and is edited inside",
        [&[("a/x", TEXT)], &[("a", "file\n")], &[("a/x", TOP)]],
        Conflict(
            &[("edit-delete", "a/x", None), ("file-folder", "a", None)],
            &[("a", "file\n")],
            &[("a/x", TOP)],
            &[("a/x", TOP)],
        ),
    ),
    row(
        "names that differ by case",
        [&[("z", "1")], &[("z", "1"), ("README", "2")], &[("z", "1"), ("readme", "3")]],
        Conflict(
            &[("name-collision", "readme", Some("README"))],
            &[("z", "1"), ("README", "2")],
            &[("z", "1"), ("readme", "3")],
            &[("z", "1"), ("README", "2")],
        ),
    ),
    row(
        "a folder and a file that differ by case",
        [&[], &[("Docs/a", "2")], &[("docs", "3")]],
        Conflict(
            &[("name-collision", "docs", Some("Docs"))],
            &[("Docs/a", "2")],
            &[("docs", "3")],
            &[("Docs/a", "2")],
        ),
    ),
];

fn files(listed: Listed) -> Files {
    let kind = |path: &str| match path.chars().last() {
        Some('*') => EntryKind::Executable,
        Some('@') => EntryKind::Symlink,
        _ => EntryKind::File,
    };
    let file = |(path, content): &(&'static str, &'static str)| {
        let content = Bytes::from_static(content.as_bytes());
        (path.trim_end_matches(['*', '@']).to_owned(), (kind(path), content))
    };
    listed.iter().map(file).collect()
}

async fn check(rows: &[Row]) {
    let repo = shelf();
    for Row { case, base, ours, theirs, then } in rows {
        let base = planted(&repo, &files(base)).await;
        let (ours, theirs) =
            (planted(&repo, &files(ours)).await, planted(&repo, &files(theirs)).await);
        for policy in POLICIES {
            let context = format!("{case}, on conflict {}", policy.as_str());
            let found = merge(&repo, [base, ours, theirs], policy).await;
            let (wanted, conflicts): (_, &[Named]) = match (then, policy) {
                (Clean(all), _) => (all, &[]),
                (Conflict(named, ours, ..), OnConflict::Fail | OnConflict::Ours) => (ours, named),
                (Conflict(named, _, theirs, _), OnConflict::Theirs) => (theirs, named),
                (Conflict(named, .., markers), OnConflict::Markers) => (markers, named),
            };
            let kinds = found.merged.conflicts.iter().map(|conflict| named(conflict).0);
            let mut kinds: Vec<_> = kinds.collect();
            let mut wanted_kinds: Vec<_> = conflicts.iter().map(|named| named.0).collect();
            assert_eq!(found.files, files(wanted), "{context}");
            // Which of the two names gives way, and what is in the way, depends on the policy.
            if matches!(policy, OnConflict::Fail | OnConflict::Ours) {
                let mut named: Vec<_> = found.merged.conflicts.iter().map(named).collect();
                named.sort();
                let text = |text: &str| text.to_owned();
                let mut wanted: Vec<_> =
                    conflicts.iter().map(|(k, p, o)| (text(k), text(p), o.map(text))).collect();
                wanted.sort();
                wanted.retain(|named| named.0 != "file-folder" || conflicts.len() == 1);
                named.retain(|named| named.0 != "file-folder" || conflicts.len() == 1);
                assert_eq!(named, wanted, "{context}");
            } else {
                kinds.sort();
                wanted_kinds.sort_unstable();
                kinds.retain(|kind| kind != "file-folder" || conflicts.len() == 1);
                wanted_kinds.retain(|kind| *kind != "file-folder" || conflicts.len() == 1);
                assert_eq!(kinds, wanted_kinds, "{context}");
            }
            // From the other side it is the same, with ours and theirs exchanged.
            let mirrored = match policy {
                OnConflict::Ours => OnConflict::Theirs,
                OnConflict::Theirs => OnConflict::Ours,
                OnConflict::Fail | OnConflict::Markers => continue,
            };
            let other = merge(&repo, [base, theirs, ours], mirrored).await;
            assert_eq!(other.merged.tree, found.merged.tree, "{context}, mirrored");
            assert_eq!(other.merged.is_clean(), found.merged.is_clean(), "{context}, mirrored");
        }
    }
}

#[tokio::test]
async fn contents() {
    check(CONTENTS).await;
}

#[tokio::test]
async fn files_folders_and_names() {
    check(SHAPES).await;
}

fn one(content: impl Into<Bytes>) -> Files {
    Files::from([("a".to_owned(), (EntryKind::File, content.into()))])
}

#[tokio::test]
async fn other_encodings_are_merged_as_bytes() {
    let repo = shelf();
    let text = |first: &str, last: &str| {
        let latin = |text: &str| -> Vec<u8> {
            text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
        };
        one(latin(&format!("{first}\nf\u{fc}r\n\u{df}\n{last}\n")))
    };
    let [b, o, t] = [text("\u{e4}", "x"), text("\u{c4}", "x"), text("\u{e4}", "\u{f6}")];
    let three = [planted(&repo, &b).await, planted(&repo, &o).await, planted(&repo, &t).await];
    let found = merge(&repo, three, OnConflict::Fail).await;
    assert!(found.merged.is_clean());
    assert_eq!(found.files, text("\u{c4}", "\u{f6}"));
}

#[tokio::test]
async fn what_is_larger_than_four_mebibytes_is_not_merged_by_lines() {
    let repo = shelf();
    let text = |first: &str, last: &str, lines: usize| {
        one(format!("{first}\n{}{last}\n", "a line of text\n".repeat(lines)))
    };
    for (lines, kinds) in [(250_000, vec![]), (300_000, vec!["binary"])] {
        let [b, o, t] = [text("1", "9", lines), text("I", "9", lines), text("1", "IX", lines)];
        let three = [planted(&repo, &b).await, planted(&repo, &o).await, planted(&repo, &t).await];
        let found = merge(&repo, three, OnConflict::Theirs).await;
        let found_kinds = found.merged.conflicts.iter().map(|found| found.kind.as_str());
        assert_eq!(found_kinds.collect::<Vec<_>>(), kinds);
        let wanted = if kinds.is_empty() { text("I", "IX", lines) } else { t };
        assert!(found.files == wanted);
    }
}
