//! What is there at all: files, folders and names.

use super::Then::{Clean, Conflict};
use super::{Row, TEXT, TOP, check, row};

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

#[tokio::test]
async fn files_folders_and_names() {
    check(SHAPES).await;
}
