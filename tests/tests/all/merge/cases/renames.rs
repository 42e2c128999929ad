//! What was moved.

use super::Then::{Clean, Conflict};
use super::{BOTH, END, MARKED, Row, TEXT, TOP, TOP_TOO, check, row};

/// Like `TEXT` by 16 of 24 bytes, 66 %.
const ALIKE: &str = "one\ntwo\nthree\nfour\nVVVVV\n";
/// `TEXT` with its first line changed, and the last as in `ALIKE`.
const ALIKE_TOP: &str = "ONE\ntwo\nthree\nfour\nVVVVV\n";
/// Like `TEXT` by less than 60 %.
const UNLIKE: &str = "one\ntwo\nthree\nVIER\nVVVVV\n";

const MOVES: &[Row] = &[
    row(
        "one moves, the other leaves alone",
        [&[("a", TEXT)], &[("b", TEXT)], &[("a", TEXT)]],
        Clean(&[("b", TEXT)]),
    ),
    row(
        "one moves, the other edits",
        [&[("a", TEXT)], &[("b", TEXT)], &[("a", TOP)]],
        Clean(&[("b", TOP)]),
    ),
    row(
        "one moves to a folder, the other edits",
        [&[("a", TEXT)], &[("d/e/b", TEXT)], &[("a", TOP)]],
        Clean(&[("d/e/b", TOP)]),
    ),
    row(
        "one moves what is not text, the other edits",
        [&[("a", "\0x")], &[("b", "\0x")], &[("a", "\0y")]],
        Clean(&[("b", "\0y")]),
    ),
    row(
        "one moves a symlink, the other changes it",
        [&[("a@", "x")], &[("b@", "x")], &[("a@", "y")]],
        Clean(&[("b@", "y")]),
    ),
    row(
        "one moves, the other changes the mode",
        [&[("a", TEXT)], &[("b", TEXT)], &[("a*", TEXT)]],
        Clean(&[("b*", TEXT)]),
    ),
    row(
        "one moves and changes all endings, the other edits",
        [&[("a", TEXT)], &[("b", "one\r\ntwo\r\nthree\r\nfour\r\nfive\r\n")], &[("a", TOP)]],
        Clean(&[("b", "ONE\r\ntwo\r\nthree\r\nfour\r\nfive\r\n")]),
    ),
    row(
        "one moves and edits, the other edits",
        [&[("a", TEXT)], &[("b", ALIKE)], &[("a", TOP)]],
        Clean(&[("b", ALIKE_TOP)]),
    ),
    row(
        "one moves and edits, the other edits the same lines",
        [&[("a", TEXT)], &[("b", TOP)], &[("a", TOP_TOO)]],
        Conflict(
            &[("content", "b", Some("a"))],
            &[("b", TOP)],
            &[("b", TOP_TOO)],
            &[("b", MARKED)],
        ),
    ),
    row(
        "one moves and rewrites, the other edits",
        [&[("a", TEXT)], &[("b", UNLIKE)], &[("a", TOP)]],
        Conflict(
            &[("edit-delete", "a", None)],
            &[("b", UNLIKE)],
            &[("a", TOP), ("b", UNLIKE)],
            &[("a", TOP), ("b", UNLIKE)],
        ),
    ),
    row(
        "one moves a folder, the other edits inside",
        [
            &[("d/a", TEXT), ("d/b", "1")],
            &[("e/a", TEXT), ("e/b", "1")],
            &[("d/a", TOP), ("d/b", "1")],
        ],
        Clean(&[("e/a", TOP), ("e/b", "1")]),
    ),
    row(
        "one moves a folder, the other adds to it",
        [&[("d/a", TEXT)], &[("e/a", TEXT)], &[("d/a", TEXT), ("d/b", "1")]],
        Clean(&[("d/b", "1"), ("e/a", TEXT)]),
    ),
    row(
        "one changes the case of a name, the other edits",
        [&[("readme", TEXT)], &[("README", TEXT)], &[("readme", TOP)]],
        Clean(&[("README", TOP)]),
    ),
    row(
        "one changes the case of a folder, the other edits",
        [&[("part/a", TEXT)], &[("Part/a", TEXT)], &[("part/a", TOP)]],
        Clean(&[("Part/a", TOP)]),
    ),
    row(
        "one moves a file into a folder of its name, the other edits",
        [&[("a", TEXT)], &[("a/index", TEXT)], &[("a", TOP)]],
        Clean(&[("a/index", TOP)]),
    ),
    row("both move alike", [&[("a", TEXT)], &[("b", TEXT)], &[("b", TEXT)]], Clean(&[("b", TEXT)])),
    row(
        "both move alike, and edit",
        [&[("a", TEXT)], &[("b", TOP)], &[("b", END)]],
        Clean(&[("b", BOTH)]),
    ),
    row(
        "both move alike, and edit the same lines",
        [&[("a", TEXT)], &[("b", TOP)], &[("b", TOP_TOO)]],
        Conflict(
            &[("content", "b", Some("a"))],
            &[("b", TOP)],
            &[("b", TOP_TOO)],
            &[("b", MARKED)],
        ),
    ),
    row(
        "each moves to another place",
        [&[("a", TEXT)], &[("b", TEXT)], &[("c", TEXT)]],
        Conflict(
            &[("rename-rename", "a", Some("b"))],
            &[("b", TEXT)],
            &[("c", TEXT)],
            &[("b", TEXT)],
        ),
    ),
    row(
        "two are moved to one place",
        [
            &[("a", TEXT), ("b", "x\ny\n")],
            &[("b", "x\ny\n"), ("c", TEXT)],
            &[("a", TEXT), ("c", "x\ny\n")],
        ],
        Conflict(
            &[("add-add", "c", None)],
            &[("c", TEXT)],
            &[("c", "x\ny\n")],
            &[("c", "<<<<<<< ours\none\ntwo\nthree\nfour\nfive\n=======\nx\ny\n>>>>>>> theirs\n")],
        ),
    ),
    row(
        "one moves, the other removes",
        [&[("a", TEXT), ("z", "1")], &[("b", TEXT), ("z", "1")], &[("z", "1")]],
        Conflict(
            &[("rename-delete", "a", Some("b"))],
            &[("b", TEXT), ("z", "1")],
            &[("z", "1")],
            &[("b", TEXT), ("z", "1")],
        ),
    ),
    row(
        "one removes, the other moves",
        [&[("a", TEXT), ("z", "1")], &[("z", "1")], &[("b", TEXT), ("z", "1")]],
        Conflict(
            &[("rename-delete", "a", Some("b"))],
            &[("z", "1")],
            &[("b", TEXT), ("z", "1")],
            &[("b", TEXT), ("z", "1")],
        ),
    ),
    row(
        "one moves to where the other adds, and edits",
        [&[("a", TEXT)], &[("b", TEXT)], &[("a", TOP), ("b", "new\n")]],
        Conflict(
            &[("rename-add", "a", Some("b")), ("add-add", "b", None)],
            &[("b", TEXT)],
            &[("a", TOP), ("b", "new\n")],
            &[
                ("a", TOP),
                ("b", "<<<<<<< ours\none\ntwo\nthree\nfour\nfive\n=======\nnew\n>>>>>>> theirs\n"),
            ],
        ),
    ),
];

const UNCLEAR: &[Row] = &[
    row(
        "two places for one file",
        [&[("a", TEXT)], &[("b", TEXT), ("c", TEXT)], &[("a", TOP)]],
        Conflict(
            &[("rename-unclear", "a", None)],
            &[("b", TEXT), ("c", TEXT)],
            &[("a", TOP), ("b", TEXT), ("c", TEXT)],
            &[("a", TOP), ("b", TEXT), ("c", TEXT)],
        ),
    ),
    row(
        "two places, one of its name",
        [&[("a", TEXT)], &[("b", TEXT), ("d/a", TEXT)], &[("a", TOP)]],
        Clean(&[("b", TEXT), ("d/a", TOP)]),
    ),
    row(
        "two files for one place",
        [&[("a", TEXT), ("b", TEXT)], &[("c", TEXT)], &[("a", TOP), ("b", TEXT)]],
        Conflict(
            &[("rename-unclear", "a", None)],
            &[("c", TEXT)],
            &[("a", TOP), ("c", TEXT)],
            &[("a", TOP), ("c", TEXT)],
        ),
    ),
    row(
        "two files for one place, one of its name",
        [&[("a", TEXT), ("b", TEXT)], &[("d/a", TEXT)], &[("a", TOP), ("b", TEXT)]],
        Clean(&[("d/a", TOP)]),
    ),
    row(
        "twins that are moved with their folder",
        [
            &[("d/a", TEXT), ("d/b", TEXT)],
            &[("e/a", TEXT), ("e/b", TEXT)],
            &[("d/a", TOP), ("d/b", TEXT)],
        ],
        Clean(&[("e/a", TOP), ("e/b", TEXT)]),
    ),
    row(
        "an empty file is no sign of a move",
        [&[("a", "")], &[("b", "")], &[("a", TOP)]],
        Conflict(
            &[("edit-delete", "a", None)],
            &[("b", "")],
            &[("a", TOP), ("b", "")],
            &[("a", TOP), ("b", "")],
        ),
    ),
    // Each of two files that went is as much like one of two that came.
    row(
        "two files for two places, neither sure",
        [
            &[("a/x", TEXT), ("b/x", TEXT)],
            &[("c/x", TEXT), ("d/y", END)],
            &[("a/x", TOP), ("b/x", TEXT)],
        ],
        Conflict(
            &[("rename-unclear", "a/x", None)],
            &[("c/x", TEXT), ("d/y", END)],
            &[("a/x", TOP), ("c/x", TEXT), ("d/y", END)],
            &[("a/x", TOP), ("c/x", TEXT), ("d/y", END)],
        ),
    ),
    row(
        "two alike files for two alike places",
        [
            &[("a/x", TEXT), ("b/x", TEXT)],
            &[("c/x", END), ("b/y", ALIKE)],
            &[("a/x", TOP), ("b/x", TEXT)],
        ],
        Conflict(
            &[("rename-unclear", "a/x", None)],
            &[("c/x", END), ("b/y", ALIKE)],
            &[("a/x", TOP), ("c/x", END), ("b/y", ALIKE)],
            &[("a/x", TOP), ("c/x", END), ("b/y", ALIKE)],
        ),
    ),
];

#[tokio::test]
async fn moves() {
    check(MOVES).await;
}

#[tokio::test]
async fn moves_that_are_not_certain() {
    check(UNCLEAR).await;
}
