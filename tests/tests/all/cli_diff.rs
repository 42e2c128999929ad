//! `cas diff` as a user sees it: names, lines, and patches that `git apply` takes.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use cas_tests::cli::{User, assert_keys, snapshot, text};
use serde_json::{Value, json};

use super::cli_commands::{set_mode, with_guide};

/// Two versions with one of everything that a difference can be.
fn with_differences() -> User {
    let user = with_guide();
    let lesson = user.path("book/ch1/lesson.md");
    std::fs::write(&lesson, "one\n2\nthree\nfour").unwrap();
    std::fs::rename(user.path("book/README.md"), user.path("book/ch1/README.md")).unwrap();
    set_mode(&user.path("book/ch1/run.sh"), 0o644);
    user.write("book/cover.png", b"\x89PNG\0\x03");
    user.write("book/empty.md", "");
    user.write("book/new name.md", "no final newline");
    std::fs::remove_file(user.path("book/start")).unwrap();
    user.ok(["import", "book", "guide", "-m", "Second"]);
    user
}

#[test]
fn diff_names_every_change_by_default() {
    let user = with_differences();
    let said = user.ok(["diff", "guide~1", "guide"]);
    assert_eq!(
        said,
        "R  README.md -> ch1/README.md\n\
         M  ch1/lesson.md\n\
         M  ch1/run.sh\n\
         M  cover.png\n\
         A  empty.md\n\
         A  new name.md\n\
         D  start\n"
    );
    assert_eq!(user.ok(["diff", "guide~1", "guide", "--name-status"]), said);
    let paths = user.ok(["diff", "guide~1", "guide", "--name-only"]);
    let expected = [
        "README.md",
        "ch1/README.md",
        "ch1/lesson.md",
        "ch1/run.sh",
        "cover.png",
        "empty.md",
        "new name.md",
        "start",
    ];
    assert_eq!(paths.lines().collect::<Vec<_>>(), expected);
    assert_eq!(user.ok(["diff", "guide", "guide"]), "");
    assert_eq!(user.json(["diff", "guide", "guide"]), json!([]));

    let changes = user.json(["diff", "guide~1", "guide"]);
    for change in changes.as_array().unwrap() {
        assert_keys(change, &["path", "status", "from", "old", "new"]);
        for side in [&change["old"], &change["new"]] {
            if !side.is_null() {
                assert_keys(side, &["kind", "id", "size", "source"]);
                assert_eq!(side["source"], "own");
            }
        }
    }
    let statuses: Vec<_> =
        changes.as_array().unwrap().iter().map(|change| text(change, "status")).collect();
    assert_eq!(statuses, ["renamed", "changed", "changed", "changed", "added", "added", "removed"]);
    assert_eq!(changes[0]["from"], "README.md");
    assert_eq!(changes[0]["path"], "ch1/README.md");
    assert_eq!(changes[2]["old"]["kind"], "executable");
    assert_eq!(changes[2]["new"]["kind"], "file");
    assert_eq!(changes[5]["old"], Value::Null);
    assert_eq!(changes[6]["new"], Value::Null);
}

#[test]
fn diff_counts_lines_and_says_what_is_binary() {
    let user = with_differences();
    let said = user.ok(["diff", "guide~1", "guide", "--stat"]);
    assert!(said.contains("README.md => ch1/README.md | +0 -0\n"), "{said}");
    assert!(said.contains("| +2 -1\n"), "{said}");
    assert!(said.contains("| binary, 7 -> 6 bytes\n"), "{said}");
    assert!(said.ends_with(" 7 files differ, 3 lines added, 2 removed\n"), "{said}");
    let one = user.ok(["diff", "guide~1", "guide", "ch1/lesson.md", "--stat"]);
    assert!(one.ends_with(" 1 file differs, 2 lines added, 1 removed\n"), "{one}");
    let changes = user.json(["diff", "guide~1", "guide", "--stat"]);
    assert_keys(&changes[1], &["path", "status", "from", "old", "new", "lines"]);
    assert_eq!(changes[1]["lines"], json!({"added": 2, "removed": 1}));
    assert_keys(&changes[3], &["path", "status", "from", "old", "new"]);
}

#[test]
fn diff_is_limited_to_a_folder_or_file() {
    let user = with_differences();
    assert_eq!(
        user.ok(["diff", "guide~1", "guide", "ch1/"]),
        "A  ch1/README.md\nM  ch1/lesson.md\nM  ch1/run.sh\n",
        "what came from outside is new here"
    );
    assert_eq!(user.ok(["diff", "guide~1", "guide", "cover.png"]), "M  cover.png\n");
    let said = user.fails(1, ["diff", "guide~1", "guide", "nowhere"]);
    assert!(said.contains("nowhere"), "{said}");
}

#[test]
fn diff_writes_patches() {
    let user = with_differences();
    let patch = user.ok(["diff", "guide~1", "guide", "--patch"]);
    for part in [
        "diff --git a/README.md b/ch1/README.md\nsimilarity index 100%\n\
         rename from README.md\nrename to ch1/README.md\n",
        "--- a/ch1/lesson.md\n+++ b/ch1/lesson.md\n@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n\
         \\ No newline at end of file\n",
        "diff --git a/ch1/run.sh b/ch1/run.sh\nold mode 100755\nnew mode 100644\ndiff",
        "Binary files a/cover.png and b/cover.png differ\n",
        "diff --git a/empty.md b/empty.md\nnew file mode 100644\n",
        "diff --git a/start b/start\ndeleted file mode 120000\n--- a/start\n+++ /dev/null\n\
         @@ -1 +0,0 @@\n-ch1/lesson.md\n\\ No newline at end of file\n",
    ] {
        assert!(patch.contains(part), "{part}\nis not in\n{patch}");
    }
    let changes = user.json(["diff", "guide~1", "guide", "--patch"]);
    assert_keys(&changes[1], &["path", "status", "from", "old", "new", "lines", "patch"]);
    let all: String =
        changes.as_array().unwrap().iter().map(|change| text(change, "patch")).collect();
    assert_eq!(all, patch);
}

/// Runs `git apply`; `None` if there is no git.
fn git_apply(folder: &Path, patch: &[u8]) -> Option<std::process::Output> {
    let file = folder.with_extension("patch");
    std::fs::write(&file, patch).unwrap();
    Command::new("git")
        .args(["apply", "--whitespace=nowarn"])
        .arg(&file)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CEILING_DIRECTORIES", folder.parent().unwrap())
        .output()
        .ok()
}

#[test]
fn git_applies_the_patch_of_any_two_versions_without_changed_binary_files() {
    let user = User::new();
    let change: &[&dyn Fn()] = &[
        &|| {
            user.write("book/same.md", "same\n");
            user.write("book/lines.md", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
            user.write("book/crlf.md", "a\r\nb\r\nc\r\n");
            user.write("book/mac.md", "a\rb\rc\nd\re\n");
            user.write("book/latin1.md", b"caf\xe9\nth\xe9\n");
            user.write("book/bare", "no newline");
            user.write("book/empty", "");
            user.write("book/sp ace/a b.md", "a\nb\n");
            user.write("book/sp ace/old b.md", "moved with spaces\n");
            user.write("book/日本語.md", "一\n二\n");
            user.write("book/script", "#!/bin/sh\n");
            user.write("book/turns/folder", "a file\n");
            user.write("book/moved.bin", b"\0\x01");
            user.write("book/file/below.md", "a folder\n");
            user.write("book/becomes-link", "text\n");
            symlink("same.md", user.path("book/becomes-file")).unwrap();
            symlink("same.md", user.path("book/points")).unwrap();
        },
        &|| {
            user.write("book/lines.md", "0\n1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11");
            user.write("book/crlf.md", "a\r\nB\r\nc\r\nd");
            user.write("book/mac.md", "a\rB\rc\nd\re\nf\rg");
            user.write("book/latin1.md", b"caf\xe9\nth\xe8\n");
            user.write("book/bare", "no newline\n");
            user.write("book/empty", "not any more\n");
            user.write("book/new empty", "");
            user.write("book/sp ace/a b.md", "a\nB\n");
            std::fs::rename(user.path("book/sp ace/old b.md"), user.path("book/sp ace/new b.md"))
                .unwrap();
            std::fs::create_dir(user.path("book/art")).unwrap();
            std::fs::rename(user.path("book/moved.bin"), user.path("book/art/moved.bin")).unwrap();
            user.write("book/日本語.md", "一\n三\n");
            user.write("book/script", "#!/bin/bash\n");
            set_mode(&user.path("book/script"), 0o755);
            std::fs::remove_file(user.path("book/turns/folder")).unwrap();
            user.write("book/turns/folder/now.md", "a folder\n");
            std::fs::remove_dir_all(user.path("book/file")).unwrap();
            user.write("book/file", "a file\n");
            std::fs::remove_file(user.path("book/becomes-link")).unwrap();
            symlink("same.md", user.path("book/becomes-link")).unwrap();
            std::fs::remove_file(user.path("book/becomes-file")).unwrap();
            user.write("book/becomes-file", "text\n");
            std::fs::remove_file(user.path("book/points")).unwrap();
            symlink("bare", user.path("book/points")).unwrap();
        },
    ];
    for step in change {
        step();
        user.ok(["import", "book", "guide"]);
    }
    for (old, new) in [("guide~1", "guide"), ("guide", "guide~1")] {
        let (from, to) = (user.path(&format!("{old}-from")), user.path(&format!("{new}-to")));
        for (revision, folder) in [(old, &from), (new, &to)] {
            let folder = folder.to_str().unwrap();
            user.ok(["checkout", revision, folder, "--no-index"]);
        }
        let patch = user.run(["diff", old, new, "--patch"]).0.stdout;
        let Some(applied) = git_apply(&from, &patch) else {
            cas_tests::skip_loudly("there is no git");
            return;
        };
        let said = String::from_utf8_lossy(&applied.stderr);
        let patch = String::from_utf8_lossy(&patch);
        assert!(applied.status.success(), "{old} {new}: {said}\n{patch}");
        assert_eq!(snapshot(&from), snapshot(&to), "{old} {new}\n{patch}");
    }
}

#[test]
fn a_patch_that_is_not_utf_8_is_left_out_of_json_rather_than_falsified() {
    let user = User::new();
    user.write("book/a.md", b"caf\xe9\n");
    user.ok(["import", "book", "guide"]);
    user.write("book/a.md", b"th\xe9\n");
    user.ok(["import", "book", "guide"]);
    let change = &user.json(["diff", "guide~1", "guide", "--patch"])[0];
    assert_keys(change, &["path", "status", "from", "old", "new", "lines"]);
    assert_eq!(change["lines"], json!({"added": 1, "removed": 1}));
    let patch = user.run(["diff", "guide~1", "guide", "--patch"]).0.stdout;
    assert!(patch.ends_with(b"-caf\xe9\n+th\xe9\n"), "{patch:?}");
}
