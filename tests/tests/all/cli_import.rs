//! Import by the real binary: every byte kept, nothing written needlessly, nothing left out
//! silently.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cas_tests::cli::{User, snapshot, text};
use serde_json::{Value, json};

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The paths of the files in the newest version.
fn paths(user: &User, revision: &str) -> Vec<String> {
    let list = user.ok(["ls", revision, "-R"]);
    list.lines().map(str::to_owned).collect()
}

/// Every file of the store with its content, and the files that belong to nothing.
fn store_of(user: &User) -> Vec<(String, String)> {
    user.stored()
}

/// A folder with everything that a book can hold.
fn write_everything(user: &User, folder: &str) {
    let file = |name: &str, content: &[u8]| user.write(&format!("{folder}/{name}"), content);
    file("crlf.md", b"one\r\ntwo\r\n");
    file("cr.md", b"one\rtwo\r");
    file("no-final-newline.md", b"text");
    file("empty", b"");
    file("bom.md", b"\xef\xbb\xbftext\n");
    file("latin1.txt", b"caf\xe9\n");
    file("zeros.bin", &vec![0; 70_000]);
    let noise: Vec<u8> =
        (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    file("noise.bin", &noise);
    // Larger than what is held in memory whole.
    file("large.bin", &noise.repeat(2));
    file("日本語/レッスン.md", "本文\n".as_bytes());
    file("café/\u{1f4d6} book.md", b"x");
    file(" leading space", b"x");
    file(".hidden/.gitignore", b"*\n");
    file("a/b/c/d/e/f/g.md", b"deep\n");
    file("same/1.md", b"same\n");
    file("same/2.md", b"same\n");
    set_mode(&file("run.sh", b"#!/bin/sh\n"), 0o755);
    set_mode(&file("run-same.md", b"same\n"), 0o700);
    set_mode(&file("readonly.md", b"read only\n"), 0o444);
    let link = |target: &str, name: &str| {
        symlink(target, user.path(&format!("{folder}/{name}"))).unwrap();
    };
    link("crlf.md", "link-to-file");
    link("a/b", "link-to-folder");
    link("../../crlf.md", "a/b/link-up");
    link("not/there.md", "link-to-nothing");
    link(".", "link-to-here");
}

#[test]
fn invariant_faithful_a_checkout_of_an_import_equals_the_folder() {
    let user = User::new();
    write_everything(&user, "book");
    user.ok(["import", "book", "guide"]);
    user.ok(["checkout", "guide", "site"]);
    let (before, after) = (snapshot(&user.path("book")), snapshot(&user.path("site")));
    assert_eq!(after, before);
    assert_eq!(before.iter().filter(|(_, is)| is != "folder").count(), 24);

    let again = user.json(["import", "site", "guide"]);
    assert_eq!(again["mode"], "unchanged", "and an import of the checkout equals the book");
}

#[test]
fn invariant_faithful_a_checkout_over_another_version_equals_the_folder() {
    let user = User::new();
    user.write("old/crlf.md", "other\n");
    user.write("old/a", "a file where a folder is needed\n");
    user.write("old/empty/below.md", "a folder where a file is needed\n");
    user.write("old/link-to-file", "a file where a link is needed\n");
    user.write("old/run.sh", "#!/bin/sh\n");
    user.ok(["import", "old", "guide"]);
    write_everything(&user, "book");
    user.ok(["import", "book", "guide"]);
    user.ok(["checkout", "guide~1", "site"]);
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("old")));
    user.ok(["checkout", "guide", "site"]);
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")));
    user.ok(["checkout", "guide~1", "site"]);
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("old")));
}

#[test]
fn a_blob_id_is_the_blake3_of_the_file_and_its_bytes_are_kept_raw() {
    let user = User::with_folder();
    write_everything(&user, "book");
    user.ok(["import", "book", "guide"]);
    for item in user.json(["ls", "guide", "-R"]).as_array().unwrap() {
        let path = user.path("book").join(text(item, "path"));
        let content = if item["kind"] == "symlink" {
            path.read_link().unwrap().into_os_string().into_encoded_bytes()
        } else {
            std::fs::read(path).unwrap()
        };
        let id = blake3::hash(&content).to_hex().to_string();
        assert_eq!(item["id"], id, "{item}");
        assert_eq!(item["size"], content.len(), "{item}");
        let stored = user.store().join("blobs").join(&id[..2]).join(&id[2..]);
        assert_eq!(std::fs::read(stored).unwrap(), content, "{item}");
    }
}

#[test]
fn empty_folders_git_and_cas_are_left_out() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.write("book/.git/config", "x");
    user.write("book/.cas/index", "x");
    user.write("book/sub/.git", "gitdir: elsewhere\n");
    user.write("book/sub/.cas/index", "x");
    user.write("book/sub/b.md", "b\n");
    std::fs::create_dir_all(user.path("book/empty/also empty")).unwrap();
    user.ok(["import", "book", "guide"]);
    assert_eq!(paths(&user, "guide"), ["a.md", "sub/b.md"]);
    assert_eq!(user.ok(["ls", "guide"]), "a.md\nsub/\n");
}

#[test]
fn casignore_files_leave_out_what_they_say_and_the_deepest_wins() {
    let user = User::new();
    user.write("book/.casignore", "# drafts\n*.draft\n/build/\nnotes/*\n!notes/keep.md\nsecret\n");
    user.write("book/a.md", "a\n");
    user.write("book/a.draft", "x");
    user.write("book/build/out.html", "x");
    user.write("book/ch1/build/kept.md", "only the build at the root is left out");
    user.write("book/ch1/.casignore", "!wanted.draft\n*.tmp\n");
    user.write("book/ch1/wanted.draft", "kept by the deeper file");
    user.write("book/ch1/other.draft", "x");
    user.write("book/ch1/x.tmp", "x");
    user.write("book/ch1/deep/y.tmp", "x");
    user.write("book/ch2/x.tmp", "the rule holds below ch1 only");
    user.write("book/notes/keep.md", "kept");
    user.write("book/notes/other.md", "x");
    user.write("book/secret/deep/inside.md", "x");
    user.ok(["import", "book", "guide"]);
    assert_eq!(
        paths(&user, "guide"),
        [
            ".casignore",
            "a.md",
            "ch1/.casignore",
            "ch1/build/kept.md",
            "ch1/wanted.draft",
            "ch2/x.tmp",
            "notes/keep.md",
        ]
    );
}

#[test]
fn what_is_left_out_is_not_checked_either() {
    let user = User::new();
    user.write("book/.casignore", "con\n");
    user.write("book/a.md", "a\n");
    user.write("book/con", "a device on Windows");
    user.write("book/a:b", "a stream on Windows");
    let said = user.fails(1, ["import", "book", "guide"]);
    assert!(said.contains("a:b: ") && !said.contains("con: "), "{said}");
    user.ok(["import", "book", "guide", "--exclude", "a:*"]);
    assert_eq!(paths(&user, "guide"), [".casignore", "a.md"]);
}

#[test]
fn exclude_leaves_out_at_every_depth_and_may_be_repeated() {
    let user = User::new();
    for name in ["a.md", "a.tmp", "sub/b.tmp", "sub/b.md", "out/c.md", "sub/out/d.md"] {
        user.write(&format!("book/{name}"), name);
    }
    let args = ["import", "book", "guide", "--exclude", "*.tmp"];
    user.ok(args.into_iter().chain(["--exclude", "/out"]));
    assert_eq!(paths(&user, "guide"), ["a.md", "sub/b.md", "sub/out/d.md"]);
}

#[test]
fn a_bad_pattern_is_wrong_usage_and_named() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    let said = user.fails(2, ["import", "book", "guide", "--exclude", "[z-a]"]);
    assert!(said.contains("[z-a]"), "{said}");
}

#[test]
fn a_casignore_that_cannot_be_used_is_named() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.write("book/ch1/.casignore", "fine\n[z-a]\n");
    let said = user.fails(1, ["import", "book", "guide"]);
    assert!(said.contains("ch1/.casignore"), "{said}");
    assert!(said.contains("line 2"), "{said}");
    user.write("book/ch1/.casignore", b"\xff\n");
    let said = user.fails(1, ["import", "book", "guide"]);
    assert!(said.contains("ch1/.casignore"), "{said}");
}

#[test]
fn a_dry_run_writes_nothing_and_tells_what_an_import_then_does() {
    let user = User::new();
    write_everything(&user, "book");
    let before = store_of(&user);
    let cache = user.path(".cache");
    let dry = user.json(["import", "book", "guide", "--dry-run"]);
    assert_eq!(store_of(&user), before);
    assert!(!cache.exists(), "no index either");
    assert_eq!(user.json(["books"]), json!([]));
    let told = |report: &Value| {
        let keys = ["mode", "tree", "files", "bytes"];
        keys.map(|key| report[key].clone())
    };
    let made = user.json(["import", "book", "guide"]);
    assert_eq!(told(&dry), told(&made));

    user.write("book/crlf.md", "changed\n");
    user.write("book/new.md", "new\n");
    let before = store_of(&user);
    let dry = user.json(["import", "book", "guide", "--dry-run"]);
    assert_eq!(store_of(&user), before);
    assert_eq!(told(&dry), told(&user.json(["import", "book", "guide"])));

    let before = store_of(&user);
    let dry = user.json(["import", "book", "other", "--dry-run"]);
    assert_eq!(store_of(&user), before);
    assert_eq!(dry["bytes"]["new"], 0, "another book has it all: {dry}");

    user.ok(["--store", "second", "init"]);
    let args = ["--store", "second", "import", "book", "guide"];
    let dry = user.json(args.into_iter().chain(["--dry-run"]));
    assert_eq!(
        dry["bytes"]["shared"],
        json!(11),
        "another store has nothing but what the folder holds twice: {dry}"
    );
    assert_eq!(told(&dry)[3], told(&user.json(args))[3]);
}

#[test]
fn equal_files_are_stored_once_and_counted_as_new_once() {
    let user = User::new();
    for nth in 0..60 {
        user.write(&format!("book/{nth}.md"), "all the same\n");
    }
    let made = user.json(["import", "book", "guide"]);
    assert_eq!(made["bytes"], json!({"total": 780, "new": 13, "shared": 767}));
}

#[test]
fn an_unchanged_folder_is_not_read_and_nothing_is_written() {
    let user = User::new();
    write_everything(&user, "book");
    let first = user.json(["import", "book", "guide"]);
    let before = store_of(&user);
    for _ in 0..2 {
        let again = user.json(["import", "book", "guide", "-m", "Nothing new"]);
        assert_eq!(again["mode"], "unchanged");
        assert_eq!(again["commit"], first["commit"]);
        assert_eq!(again["files"]["read"], 0);
        assert_eq!(again["bytes"]["new"], 0);
        assert_eq!(store_of(&user), before);
    }
    assert_eq!(user.json(["reflog", "guide@main"]).as_array().unwrap().len(), 1);
    assert!(user.ok(["import", "book", "guide"]).starts_with("guide@main unchanged at "));
}

#[test]
fn an_unchanged_folder_without_its_index_is_read_and_nothing_is_written() {
    let user = User::new();
    write_everything(&user, "book");
    user.ok(["import", "book", "guide"]);
    let before = store_of(&user);
    std::fs::remove_dir_all(user.path(".cache")).unwrap();
    let again = user.json(["import", "book", "guide"]);
    assert_eq!(again["mode"], "unchanged");
    assert_eq!(again["files"]["read"], again["files"]["total"]);
    assert_eq!(store_of(&user), before);
    // A damaged index is no index.
    let index =
        std::fs::read_dir(user.path(".cache/cas/import")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&index).unwrap();
    std::fs::write(&index, &bytes[..bytes.len() / 2]).unwrap();
    let again = user.json(["import", "book", "guide"]);
    assert_eq!(again["mode"], "unchanged");
    assert_eq!(again["files"]["read"], again["files"]["total"]);
}

#[test]
fn one_changed_file_is_the_only_one_read() {
    let user = User::new();
    write_everything(&user, "book");
    user.ok(["import", "book", "guide"]);
    user.write("book/a/b/c/d/e/f/g.md", "deeper\n");
    let next = user.json(["import", "book", "guide"]);
    assert_eq!(next["files"]["read"], 1);
    assert_eq!(next["files"]["changed"], 1);
    assert_eq!(next["bytes"]["new"], 7);
}

#[test]
fn an_edit_that_keeps_the_size_and_puts_the_time_back_is_noticed() {
    let user = User::new();
    let path = user.write("book/a.md", "before\n");
    user.ok(["import", "book", "guide"]);
    let modified = path.metadata().unwrap().modified().unwrap();
    std::fs::write(&path, "after!\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_times(std::fs::FileTimes::new().set_modified(modified)).unwrap();
    drop(file);
    let meta = path.metadata().unwrap();
    assert_eq!((meta.len(), meta.modified().unwrap()), (7, modified));
    let next = user.json(["import", "book", "guide"]);
    assert_eq!(next["files"]["changed"], 1);
    assert_eq!(user.ok(["cat", "guide", "a.md"]), "after!\n");
}

#[test]
fn a_changed_mode_or_kind_is_a_changed_file() {
    let user = User::new();
    let run = user.write("book/run.sh", "#!/bin/sh\n");
    user.write("book/a.md", "a\n");
    user.write("book/link", "a.md");
    user.ok(["import", "book", "guide"]);
    set_mode(&run, 0o755);
    let next = user.json(["import", "book", "guide"]);
    assert_eq!(next["files"]["changed"], 1);
    assert_eq!(next["bytes"]["new"], 0);
    assert_eq!(user.json(["ls", "guide", "run.sh"])[0]["kind"], "executable");
    std::fs::remove_file(user.path("book/link")).unwrap();
    symlink("a.md", user.path("book/link")).unwrap();
    let next = user.json(["import", "book", "guide"]);
    assert_eq!(next["files"]["changed"], 1);
    assert_eq!(user.json(["ls", "guide", "link"])[0]["kind"], "symlink");
    set_mode(&run, 0o600);
    set_mode(&user.path("book/a.md"), 0o640);
    let next = user.json(["import", "book", "guide"]);
    assert_eq!(next["files"]["changed"], 1, "of all permissions only whether it can be run counts");
}

#[test]
fn what_is_gone_from_the_folder_goes_from_the_book() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.write("book/sub/b.md", "b\n");
    user.ok(["import", "book", "guide"]);
    std::fs::remove_dir_all(user.path("book/sub")).unwrap();
    let next = user.json(["import", "book", "guide"]);
    assert_eq!(next["files"]["removed"], 1);
    assert_eq!(user.ok(["ls", "guide"]), "a.md\n");
    assert_eq!(user.ok(["cat", "guide~1", "sub/b.md"]), "b\n", "the version before has it still");
}

#[test]
fn a_folder_without_files_does_not_empty_a_branch_by_accident() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.ok(["import", "book", "guide"]);
    std::fs::remove_file(user.path("book/a.md")).unwrap();
    std::fs::create_dir(user.path("book/empty")).unwrap();
    let before = store_of(&user);
    for dry_run in [None, Some("--dry-run")] {
        let said = user.fails(1, ["import", "book", "guide"].into_iter().chain(dry_run));
        assert!(said.contains("book has no files"), "{said}");
        assert!(said.contains("the branch has 1 file\n"), "{said}");
        assert!(said.contains("hint: ") && said.contains("--allow-empty"), "{said}");
    }
    assert_eq!(store_of(&user), before);
    let emptied = user.json(["import", "book", "guide", "--allow-empty"]);
    assert_eq!(emptied["mode"], "updated");
    assert_eq!(emptied["files"]["removed"], 1);
    assert_eq!(user.ok(["ls", "guide"]), "");
    let again = user.json(["import", "book", "guide"]);
    assert_eq!(again["mode"], "unchanged", "an empty branch stays empty");
}

#[test]
fn a_store_inside_the_imported_folder_is_left_out() {
    let user = User::without_store();
    user.write("book/a.md", "a\n");
    let store = ["--store", "book/deep/books"];
    user.ok(store.into_iter().chain(["init"]));
    user.ok(store.into_iter().chain(["import", "book", "guide"]));
    let list = user.ok(store.into_iter().chain(["ls", "guide", "-R"]));
    assert_eq!(list, "a.md\n");
    let again = user.json(store.into_iter().chain(["import", "book", "guide"]));
    assert_eq!(again["mode"], "unchanged");

    let import = ["import", "book/deep/books", "guide"];
    let said = user.fails(1, store.into_iter().chain(import));
    assert!(said.contains("the store itself"), "{said}");
}

#[test]
fn a_folder_is_imported_through_a_symlink_or_a_dot() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    symlink("book", user.path("link")).unwrap();
    user.ok(["import", "link/", "guide"]);
    let mut command = user.command(["import", ".", "guide", "--json"]);
    let ran = command.current_dir(user.path("book")).output().unwrap();
    let again: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(again["mode"], "unchanged");
    assert_eq!(again["files"]["read"], 0, "it is the same folder");
}

#[test]
fn a_message_of_its_own_or_the_folder_says_why() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.ok(["import", "book", "guide"]);
    user.write("book/a.md", "b\n");
    user.ok(["import", "book", "guide", "-m", "Subject\n\nBody"]);
    let log = user.json(["log", "guide"]);
    assert_eq!(log[0]["message"], "Subject\n\nBody");
    assert_eq!(log[1]["message"], "import book");
    let reflog = user.json(["reflog", "guide@main"]);
    assert_eq!(reflog[0]["message"], "Subject", "one line in the ref's log");
}

#[test]
fn a_damaged_blob_of_the_wrong_length_is_put_right_by_importing_it_again() {
    let user = User::with_folder();
    user.write("book/a.md", "content\n");
    let made = user.json(["import", "book", "guide"]);
    let id = blake3::hash(b"content\n").to_hex().to_string();
    let blob = user.store().join("blobs").join(&id[..2]).join(&id[2..]);
    set_mode(&blob, 0o644);
    std::fs::write(&blob, "cont").unwrap();
    user.fails(4, ["cat", "guide", "a.md"]);
    let again = user.json(["import", "book", "second"]);
    assert_eq!(again["tree"], made["tree"]);
    assert_eq!(user.ok(["cat", "guide", "a.md"]), "content\n");
}

#[test]
fn catches_a_folder_that_differs() {
    type Flaw = fn(&Path);

    let user = User::without_store();
    let make = |name: &str| {
        user.write(&format!("{name}/a/file"), "content\n");
        user.write(&format!("{name}/script"), "#!/bin/sh\n");
        symlink("a/file", user.path(name).join("link")).unwrap();
        snapshot(&user.path(name))
    };
    let expected = make("expected");
    let flaws: [(&str, Flaw); 6] = [
        ("a byte", |at| std::fs::write(at.join("a/file"), "Content\n").unwrap()),
        ("a length", |at| std::fs::write(at.join("a/file"), "content").unwrap()),
        ("a mode", |at| {
            std::fs::set_permissions(at.join("script"), PermissionsExt::from_mode(0o755)).unwrap();
        }),
        ("a target", |at| {
            std::fs::remove_file(at.join("link")).unwrap();
            symlink("a/other", at.join("link")).unwrap();
        }),
        ("a file more", |at| std::fs::write(at.join("b"), "").unwrap()),
        ("a file less", |at| std::fs::remove_file(at.join("script")).unwrap()),
    ];
    for (nth, (what, flaw)) in flaws.into_iter().enumerate() {
        let name = format!("found{nth}");
        assert_eq!(make(&name), expected);
        flaw(&user.path(&name));
        assert_ne!(snapshot(&user.path(&name)), expected, "{what}");
    }
}
