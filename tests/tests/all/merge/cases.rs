//! Every row of the case table in `docs/merge.md`, under each policy and from either side.

use std::collections::BTreeSet;

use bytes::Bytes;
use cas_core::object::EntryKind;
use cas_core::repo::OnConflict;

use super::{Files, POLICIES, merge, named, planted, shelf};
use Then::{Clean, Conflict};

mod renames;
mod shapes;

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
            assert_eq!(found.files, files(wanted), "{context}");
            // Which of two names gives way depends on the policy, and whether a file that is kept
            // has something in its way.
            let exact = matches!(policy, OnConflict::Fail | OnConflict::Ours);
            let may_go = |kind: &str| kind == "file-folder" && conflicts.len() > 1;
            let about = |(kind, path, other): (String, String, Option<String>)| match exact {
                _ if may_go(&kind) => None,
                true => Some((kind, path, other)),
                false => Some((kind, String::new(), None)),
            };
            let owned = |(kind, path, other): &Named| {
                ((*kind).to_owned(), (*path).to_owned(), other.map(str::to_owned))
            };
            let found_named = found.merged.conflicts.iter().map(named).filter_map(about);
            let wanted_named = conflicts.iter().map(owned).filter_map(about);
            let found_named: BTreeSet<_> = found_named.collect();
            assert_eq!(found_named, wanted_named.collect(), "{context}");
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
