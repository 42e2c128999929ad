//! Bad input to the real binary: the right exit code, a message that names the thing and the
//! rule, and a store that is not changed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use cas_core::name::Hash;
use cas_core::object::{Kind, codec};
use cas_core::store::layout;
use cas_tests::cli::{User, text};

/// A user with `guide` of two versions, a branch `draft` and a tag `v1`.
fn with_guide() -> User {
    guide_of(User::new())
}

/// The same in a folder, for tests that look into the store's own files.
fn with_guide_in_folder() -> User {
    guide_of(User::with_folder())
}

fn guide_of(user: User) -> User {
    user.write("book/README.md", "# Guide\n");
    user.write("book/ch1/lesson.md", "one\n");
    user.ok(["import", "book", "guide"]);
    user.write("book/ch1/lesson.md", "two\n");
    user.ok(["import", "book", "guide"]);
    user.ok(["branch", "create", "guide@draft"]);
    user.ok(["tag", "create", "guide@v1", "guide"]);
    user.write("new.md", "new\n");
    user
}

/// Fails with `code`, says each of `parts`, and leaves the store as it was.
#[track_caller]
fn refuses<A: AsRef<OsStr>>(
    user: &User,
    code: i32,
    args: impl IntoIterator<Item = A>,
    parts: &[&str],
) -> String {
    let before = user.named();
    let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
    let said = user.fails(code, &args);
    for part in parts {
        assert!(said.contains(part), "{args:?}: {part:?} is not in {said}");
    }
    assert_eq!(user.named(), before, "{args:?}");
    said
}

/// Checks lines of `exit code | arguments | what is said | ...`.
#[track_caller]
fn refuses_all(user: &User, table: &[(i32, &str, &[&str])]) {
    for (code, args, parts) in table {
        refuses(user, *code, args.split(' '), parts);
    }
}

#[test]
fn malformed_books_refs_revisions_and_ids_are_wrong_usage() {
    let user = with_guide();
    let long_book = "x".repeat(101);
    let long_ref = format!("guide@{}", "x".repeat(201));
    let wide_ref = format!("guide@{}", "X".repeat(90));
    let long_id = "a".repeat(65);
    for (book, rule) in [
        ("Guide", "only the characters"),
        ("a/b", "only the characters"),
        ("..", "begins with a letter or digit"),
        (".hidden", "begins with a letter or digit"),
        ("a..b", "two dots"),
        ("guide.", "none at the end"),
        ("bücher", "only the characters"),
        ("a\tb", "only the characters"),
        ("", "1 to 100 characters"),
        ("con", "device on Windows"),
        ("nul.md", "device on Windows"),
        (long_book.as_str(), "1 to 100 characters"),
    ] {
        for args in [vec!["ls", book], vec!["import", "book", book]] {
            refuses(&user, 2, args, &["book name", rule]);
        }
    }
    refuses(&user, 2, ["import", "book", "deadbeef"], &["taken for an id"]);
    for (name, rule) in [
        ("guide@", "1 to 200 characters"),
        ("guide@/a", "empty segment"),
        ("guide@a/", "empty segment"),
        ("guide@a//b", "empty segment"),
        ("guide@a/../b", "begins with a letter, a digit or _"),
        ("guide@.a", "begins with a letter, a digit or _"),
        ("guide@a..b", "two dots"),
        ("guide@a b", "only the characters"),
        ("guide@é", "only the characters"),
        ("guide@a%2fb", "only the characters"),
        ("guide@a\u{7f}b", "only the characters"),
        ("guide@tags", "names no tag"),
        ("guide@nul", "device on Windows"),
        (long_ref.as_str(), "1 to 200 characters"),
        (wide_ref.as_str(), "at most 255"),
    ] {
        for args in [vec!["ls", name], vec!["branch", "create", name], vec!["import", "book", name]]
        {
            refuses(&user, 2, args, &["ref name", rule]);
        }
    }
    refuses_all(
        &user,
        &[
            (2, "reflog guide", &["ref \"guide\"", "BOOK@REF"]),
            (2, "reset guide guide~1", &["BOOK@REF"]),
            (2, "tag create guide guide", &["BOOK@NAME"]),
            (2, "tag create guide@tags/v2 guide", &["without its `tags/`"]),
            (2, "tag create guide@a..b guide", &["two dots"]),
            (2, "branch create guide@deadbeef", &["taken for an id"]),
            (2, "ls guide~", &["revision \"guide~\"", "~ is followed by"]),
            (2, "ls guide~x", &["~ is followed by"]),
            (2, "ls guide~-1", &["~ is followed by"]),
            (2, "ls guide~1~2", &["~ is followed by"]),
            (2, "ls guide#", &["# is followed by"]),
            (2, "ls guide#0", &["# is followed by"]),
            (2, "ls guide@deadbeef#1", &["a commit id has none"]),
            (2, "ls guide#99999999999999999999", &["# is followed by"]),
            (2, "put guide a.md new.md --expect xyz", &["id \"xyz\"", "8 or more digits"]),
            (2, "put guide a.md new.md --expect 7A61B36E", &["lower case"]),
            (2, "rm guide a.md --expect 7a61b36", &["8 or more digits"]),
        ],
    );
    refuses(&user, 2, ["rm", "guide", "a.md", "--expect", &long_id], &["8 or more digits"]);
}

#[test]
fn wrong_usage_says_what_is_missing_or_too_much() {
    let user = with_guide();
    refuses_all(
        &user,
        &[
            (2, "put guide README.md new.md", &["--create", "--expect"]),
            (
                2,
                "put guide README.md new.md --create --expect 7a61b36e",
                &["--create", "cannot be used with"],
            ),
            (2, "rm guide", &["<PATH>"]),
            (2, "rm guide a.md b.md --expect 7a61b36e", &["just one path"]),
            (2, "import book", &["BOOK[@BRANCH]"]),
            (2, "checkout guide", &["<DIR>"]),
            (2, "frobnicate", &["frobnicate"]),
            (2, "ls guide --jobs 0", &["1 to 1024"]),
            (2, "ls guide --actor system", &["`system` is nobody"]),
            (2, "diff guide guide --stat --patch", &["cannot be used with"]),
            (2, "branch create guide@tags/x", &["`cas tag create`"]),
            (2, "branch delete guide@tags/v1", &["`cas tag delete`"]),
            (2, "branch create guide@x --from other", &["another book"]),
            (2, "tag create guide@x other", &["another book"]),
            (2, "reset guide@main other", &["another book"]),
            (2, "branch list guide [z-a]", &["pattern \"[z-a]\""]),
            (2, "--store ftp://host books", &["ftp://host", "s3, r2, gs, az"]),
            (2, "--store file://relative books", &["absolute path"]),
        ],
    );
    refuses(&user, 2, ["--store", "", "books"], &["not empty"]);
    refuses(&user, 2, ["--actor", "", "books"], &["1 to 255 bytes"]);
    refuses(&user, 2, ["--actor", "a\nb", "books"], &["no control characters"]);
}

#[test]
fn what_is_not_there_is_named() {
    let user = with_guide();
    refuses_all(
        &user,
        &[
            (1, "ls other", &["no book other", "hint: ", "`cas books`"]),
            (1, "ls guide@other", &["no ref guide@other", "hint: ", "`cas branch list guide`"]),
            (1, "ls guide@tags/v2", &["no ref guide@tags/v2"]),
            (1, "log other", &["no book other"]),
            (1, "put other a.md new.md --create", &["no book other"]),
            (1, "put guide@other a.md new.md --create", &["no ref guide@other"]),
            (1, "rm other a.md", &["no book other"]),
            (1, "reflog other@main", &["no book other"]),
            (1, "reflog guide@other", &["no ref guide@other"]),
            (1, "verify-log guide@other", &["no ref guide@other"]),
            (1, "branch list other", &["no book other"]),
            (1, "tag list other", &["no book other"]),
            (1, "branch delete guide@other", &["no ref guide@other"]),
            (1, "branch restore guide@other", &["no ref guide@other"]),
            (1, "tag delete guide@v2", &["no ref guide@tags/v2"]),
            (1, "cat guide nowhere.md", &["no nowhere.md in this version"]),
            (1, "ls guide ch1/nowhere.md", &["no ch1/nowhere.md"]),
            (1, "log guide nowhere.md", &["no nowhere.md"]),
            (1, "mv guide nowhere.md a.md", &["no nowhere.md"]),
            (1, "checkout guide site --path nowhere", &["no nowhere"]),
            (1, "ls guide~2", &["beyond the first commit"]),
            (1, "ls guide#3", &["no entry 3"]),
            (1, "show 00000000", &["no object", "00000000"]),
            (1, "checkout guide@00000000 site", &["no commit of this book", "00000000"]),
            (1, "import nowhere guide", &["nowhere", "No such file"]),
            (1, "import new.md guide", &["new.md", "Not a directory"]),
            (1, "put guide a.md nowhere.md --create", &["nowhere.md", "No such file"]),
            (1, "put guide a.md book --create", &["book", "directory"]),
            (1, "status nowhere", &["nowhere"]),
            (1, "status book", &["not a checkout"]),
            (1, "--store nowhere books", &["no store at nowhere", "hint: ", "init"]),
            (1, "--store new.md books", &["new.md", "Not a directory"]),
            (1, "--store book books", &["no store at book"]),
            (1, "--store book init", &["book is not empty and not a store", "hint: "]),
        ],
    );
    assert!(!user.path("site").exists() && !user.path("nowhere").exists());
    assert!(!user.path("book/cas-format").exists());
}

#[test]
fn a_path_that_no_book_can_hold_is_wrong_usage() {
    let user = with_guide();
    let long_name = "x".repeat(256);
    let long_path = vec!["x".repeat(250); 17].join("/");
    let deep = vec!["d"; 65].join("/");
    for (path, rule) in [
        ("", "not empty"),
        ("/etc/passwd", "no / at its start"),
        ("..", "`.` and `..`"),
        ("../up.md", "`.` and `..`"),
        ("ch1/../../up.md", "`.` and `..`"),
        ("./a.md", "`.` and `..`"),
        ("ch1//a.md", "not empty"),
        ("ch1/", "not empty"),
        ("a\\b.md", "none of"),
        ("C:a.md", "none of"),
        ("a?.md", "none of"),
        ("a\nb", "control characters"),
        ("a\u{1b}[31m", "control characters"),
        ("a\u{85}b", "control characters"),
        (".git", "`.git` and `.cas`"),
        (".git/config", "`.git` and `.cas`"),
        ("ch1/.GIT/config", "`.git` and `.cas`"),
        ("git~1", "`.git` and `.cas`"),
        (".g\u{200c}it/config", "`.git` and `.cas`"),
        (".cas/index", "`.git` and `.cas`"),
        ("aux", "device on Windows"),
        ("ch1/com1.md", "device on Windows"),
        ("a.", "dot or a space"),
        ("a ", "dot or a space"),
        ("cafe\u{301}.md", "normal form C"),
        (long_name.as_str(), "at most 255 bytes"),
        (long_path.as_str(), "at most 4096 bytes"),
        (deep.as_str(), "at most 64 segments"),
    ] {
        for args in [
            vec!["put", "guide", path, "new.md", "--create"],
            vec!["rm", "guide", path],
            vec!["mv", "guide", "README.md", path],
            vec!["cat", "guide", path],
        ] {
            refuses(&user, 2, args, &["path", rule]);
        }
    }
    let bytes = OsStr::from_bytes(b"a\xff.md");
    for command in ["cat", "rm"] {
        let args = [OsStr::new(command), OsStr::new("guide"), bytes];
        refuses(&user, 2, args, &["UTF-8"]);
    }
}

#[test]
fn a_file_where_a_folder_is_needed_and_the_reverse_are_named() {
    let user = with_guide();
    refuses_all(
        &user,
        &[
            (
                1,
                "put guide README.md/below.md new.md --create",
                &["README.md is a file; a folder is needed"],
            ),
            (1, "put guide README.md/a/b.md new.md --create", &["README.md is a file"]),
            (3, "put guide ch1 new.md --create", &["ch1 exists already"]),
            (1, "put guide ch1 new.md --expect 7a61b36e", &["ch1 is a folder; a file is needed"]),
            (1, "cat guide ch1", &["ch1 is a folder; a file is needed"]),
            (1, "ls guide README.md/below", &["README.md/below"]),
            (1, "cat guide README.md/below", &["README.md/below"]),
            (1, "rm guide ch1", &["ch1 is a folder", "hint: ", "--recursive"]),
            (1, "mv guide README.md ch1/lesson.md/below.md", &["ch1/lesson.md is a file"]),
            (3, "mv guide README.md ch1", &["ch1 exists already"]),
            (3, "mv guide README.md ch1/lesson.md", &["ch1/lesson.md exists already"]),
            (1, "mv guide ch1 ch1/deeper", &["into itself"]),
            (1, "mv guide ch1 ch1", &["into itself"]),
            (1, "checkout guide site --path README.md", &["README.md is a file"]),
        ],
    );
    for hint in ["cat guide ch1", "put guide ch1 new.md --expect 7a61b36e"] {
        let said = user.fails(1, hint.split(' '));
        assert!(!said.contains("--recursive"), "no command but rm has it: {said}");
    }
}

#[test]
fn an_edit_of_something_else_than_expected_is_a_conflict_that_names_what_is_there() {
    let user = with_guide();
    let readme = blake3::hash(b"# Guide\n").to_hex().to_string();
    refuses(
        &user,
        3,
        ["put", "guide", "README.md", "new.md", "--create"],
        &["README.md exists already", &readme, "hint: "],
    );
    refuses(
        &user,
        3,
        ["put", "guide", "README.md", "new.md", "--expect", "00000000"],
        &["README.md is not 00000000", &readme, "hint: "],
    );
    refuses(
        &user,
        3,
        ["put", "guide", "none.md", "new.md", "--expect", "00000000"],
        &["none.md is not 00000000", "nothing", "hint: ", "--create"],
    );
    refuses(
        &user,
        3,
        ["rm", "guide", "README.md", "--expect", "00000000"],
        &["README.md is not 00000000", &readme],
    );
    refuses(&user, 3, ["branch", "create", "guide@draft"], &["guide@draft exists already"]);
    refuses(&user, 3, ["branch", "restore", "guide@draft"], &["guide@draft exists already"]);
    refuses(&user, 3, ["tag", "create", "guide@v1", "guide~1"], &["guide@tags/v1 exists already"]);
}

#[test]
fn names_that_meet_on_some_disks_are_refused_by_edits() {
    let user = with_guide();
    let parts = &["README.md", "readme.md", "ignores case"];
    refuses(&user, 1, ["put", "guide", "readme.md", "new.md", "--create"], parts);
    refuses(&user, 1, ["mv", "guide", "ch1/lesson.md", "readme.md"], parts);
    refuses(&user, 1, ["put", "guide", "CH1/lesson.md", "new.md", "--create"], &["CH1", "ch1"]);
    user.ok(["mv", "guide", "README.md", "readme.md"]);
    user.write("nested.md", "x\n");
    user.ok(["put", "guide", "a/Straße.md", "nested.md", "--create"]);
    refuses(
        &user,
        1,
        ["put", "guide", "a/STRASSE.md", "nested.md", "--create"],
        &["Straße.md", "STRASSE.md", "folder \"a\""],
    );
}

#[test]
fn a_folder_that_no_book_can_hold_is_refused_with_every_fault() {
    let user = with_guide();
    let file = |name: &str| user.write(&format!("bad/{name}"), "x\n");
    file("fine.md");
    file("con.md");
    file("deep/er/aux");
    file("sub/.GIT/config");
    file("back\\slash");
    file("new\nline");
    file("cafe\u{301}.md");
    file("trailing.");
    file("README");
    file("readme");
    file("ch/É.md");
    file("ch/é.md");
    let raw = user.path("bad").join(OsStr::from_bytes(b"raw\xff.md"));
    std::fs::write(raw, "x").unwrap();
    make_node(&user.path("bad/pipe"), rustix::fs::FileType::Fifo).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(user.path("bad/socket")).unwrap();
    let said = refuses(
        &user,
        1,
        ["import", "bad", "hostile"],
        &[
            "bad cannot be imported",
            "con.md: the name is a device",
            "deep/er/aux: the name is a device",
            "sub/.GIT: `.git`",
            "none of / \\",
            "control characters",
            "normal form C",
            "trailing.: a name does not end",
            "UTF-8",
            "pipe: it is a FIFO",
            "socket: it is a socket",
            "readme: it meets README",
            "ch/é.md: it meets É.md",
            "hint: ",
            "--exclude",
        ],
    );
    assert!(!said.contains("fine.md"), "{said}");
    assert!(said.contains("because of 12 paths"), "{said}");
    let raw = said.chars().any(|c| c.is_control() && c != '\n');
    let lines = said.lines().filter(|line| line.starts_with("  ")).count();
    assert!(!raw && lines == 12, "{said:?}");
    refuses(&user, 1, ["import", "bad", "hostile", "--dry-run"], &["con.md"]);
    let parts = ["no book hostile"];
    refuses(&user, 1, ["ls", "hostile"], &parts);
}

fn make_node(path: &Path, kind: rustix::fs::FileType) -> rustix::io::Result<()> {
    use rustix::fs::{CWD, Mode, makedev, mknodat};
    mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), makedev(1, 3))
}

#[test]
fn a_device_is_refused() {
    let user = with_guide();
    user.write("bad/fine.md", "x\n");
    let path = user.path("bad/device");
    if make_node(&path, rustix::fs::FileType::CharacterDevice).is_err() {
        cas_tests::skip_loudly("only root may make a device");
        return;
    }
    refuses(&user, 1, ["import", "bad", "hostile"], &["device: it is a device"]);
}

#[test]
fn a_file_or_folder_that_cannot_be_read_is_named() {
    let user = with_guide();
    let file = user.write("bad/secret.md", "x\n");
    user.write("bad/closed/a.md", "x\n");
    // Root may read everything.
    let user = user.unprivileged();
    let chmod = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(&file, 0o000);
    refuses(
        &user,
        1,
        ["import", "bad", "hostile"],
        &["secret.md: it cannot be read", "Permission denied"],
    );
    chmod(&user.path("bad/closed"), 0o000);
    let before = user.named();
    let said = user.fails(1, ["import", "bad", "hostile"]);
    chmod(&user.path("bad/closed"), 0o755);
    assert!(said.contains("closed: the folder cannot be read"), "{said}");
    assert_eq!(user.named(), before);
}

#[test]
fn links_that_leave_the_book_are_refused_with_their_targets() {
    let user = with_guide();
    user.write("bad/fine.md", "x\n");
    user.write("bad/sub/fine.md", "x\n");
    for (target, name) in [
        ("../up.md", "up"),
        ("../../up.md", "sub/up"),
        ("/etc/passwd", "absolute"),
        ("sub/../../up.md", "middle"),
        (".git/config", "git"),
        ("..", "parent"),
    ] {
        symlink(target, user.path("bad").join(name)).unwrap();
    }
    symlink(OsStr::from_bytes(b"raw\xff"), user.path("bad/sub/raw-target")).unwrap();
    symlink("fine.md", user.path("bad/inside")).unwrap();
    let said = refuses(
        &user,
        1,
        ["import", "bad", "hostile"],
        &[
            "up: it points to \"../up.md\": the target leaves the book",
            "sub/up: it points to \"../../up.md\": the target leaves",
            "absolute: it points to \"/etc/passwd\": the target is relative",
            "middle: it points to \"sub/../../up.md\": `..` stands only at the start",
            "git: it points to \".git/config\"",
            "parent: it points to \"..\": the target leaves",
            "sub/raw-target: it points to",
            "UTF-8",
            "because of 7 paths",
        ],
    );
    assert!(!said.contains("inside"), "{said}");
}

#[test]
fn a_folder_that_is_too_deep_is_refused() {
    let user = with_guide();
    let deepest = vec!["d"; 64].join("/");
    user.write(&format!("deep/{deepest}"), "x\n");
    user.ok(["import", "deep", "deep"]);
    user.ok(["checkout", "deep", "site"]);
    user.write(&format!("deeper/{deepest}/d"), "x\n");
    refuses(&user, 1, ["import", "deeper", "deeper"], &["at most 64 segments", "d/d/d"]);
    // Neither does moving take anything deeper.
    refuses(&user, 1, ["mv", "deep", "d", "e/d"], &["at most 64 segments"]);
}

#[test]
fn a_link_that_moving_would_lead_out_of_the_book_is_not_moved() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    user.write("book/sub/b.md", "b\n");
    symlink("../a.md", user.path("book/sub/link")).unwrap();
    user.ok(["import", "book", "guide"]);
    refuses(&user, 1, ["mv", "guide", "sub/link", "link"], &["link", "leaves the book"]);
    user.ok(["mv", "guide", "sub", "deeper/sub"]);
}

#[test]
fn a_prefix_of_several_ids_is_ambiguous_and_they_are_listed() {
    let user = with_guide_in_folder();
    let id = blake3::hash(b"# Guide\n").to_hex().to_string();
    let other = format!("{}{}", &id[..12], "0".repeat(52));
    let path = user.store().join("trees").join(&other[..2]);
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join(&other[2..]), "x").unwrap();
    refuses(
        &user,
        1,
        ["show", &id[..8]],
        &[
            &format!("{} is ambiguous", &id[..8]),
            &format!("blob {id}"),
            &format!("tree {other}"),
            "hint: give more digits",
        ],
    );
    user.ok(["show", &id[..13]]);
}

#[test]
fn a_tag_never_moves_and_its_name_is_never_used_again() {
    let user = with_guide();
    refuses_all(
        &user,
        &[
            (1, "reset guide@tags/v1 guide~1", &["guide@tags/v1", "a tag never moves"]),
            (1, "put guide@tags/v1 a.md new.md --create", &["a tag never moves"]),
            (1, "rm guide@tags/v1 README.md", &["a tag never moves"]),
            (1, "mv guide@tags/v1 README.md a.md", &["a tag never moves"]),
            (1, "import book guide@tags/v1", &["a tag never moves"]),
            (1, "import book guide@tags/v2", &["a tag never moves"]),
        ],
    );
    user.ok(["tag", "delete", "guide@v1"]);
    refuses_all(
        &user,
        &[
            (1, "tag create guide@v1 guide", &["guide@tags/v1", "never made again"]),
            (1, "branch restore guide@tags/v1", &["a tag never moves"]),
            (1, "ls guide@tags/v1", &["guide@tags/v1 is deleted"]),
            (1, "tag delete guide@v1", &["guide@tags/v1 is deleted"]),
        ],
    );
    let said = user.fails(1, ["ls", "guide@tags/v1"]);
    assert!(!said.contains("restore"), "what cannot be done is not advised: {said}");
    assert!(user.ok(["ls", "guide@tags/v1#1"]).contains("README.md"));
}

#[test]
fn main_can_be_deleted_and_restored() {
    let user = with_guide();
    let head = text(&user.json(["log", "guide"])[0], "commit").to_owned();
    user.ok(["branch", "delete", "guide@main"]);
    refuses_all(
        &user,
        &[
            (1, "ls guide", &["guide@main is deleted", "hint: `cas branch restore guide@main`"]),
            (1, "put guide a.md new.md --create", &["guide@main is deleted"]),
            (1, "reset guide@main guide@draft", &["guide@main is deleted"]),
            (1, "branch delete guide@main", &["guide@main is deleted"]),
            (1, "branch create guide@x", &["guide@main is deleted"]),
        ],
    );
    user.ok(["ls", "guide#2"]);
    user.ok(["branch", "restore", "guide@main"]);
    assert_eq!(user.json(["log", "guide"])[0]["commit"], head);
    // Importing makes a deleted branch anew.
    user.ok(["branch", "delete", "guide@draft"]);
    assert_eq!(user.json(["import", "book", "guide@draft"])["mode"], "created");
}

#[test]
fn a_store_of_another_format_version_is_refused_and_never_touched() {
    let user = with_guide_in_folder();
    let marker = user.store().join("cas-format");
    writable(&marker);
    let newer = codec::encode(&(3_u64, "sha3", 5_u64, "and more"));
    std::fs::write(&marker, newer).unwrap();
    for command in
        ["books", "init", "import book guide", "ls guide", "put guide a.md new.md --create"]
    {
        refuses(
            &user,
            1,
            command.split(' '),
            &["the store at", "format version 3", "hint: ", "newer version of cas"],
        );
    }
}

#[test]
fn a_damaged_format_marker_is_damaged_data() {
    let user = with_guide_in_folder();
    let marker = user.store().join("cas-format");
    writable(&marker);
    let good = std::fs::read(&marker).unwrap();
    let hash = codec::encode(&(1_u64, "sha256", 5_u64));
    for bad in [&good[..good.len() - 1], b"", b"\xff\xff", &[0; 2_000], &hash] {
        std::fs::write(&marker, bad).unwrap();
        for command in ["books", "init"] {
            let said = refuses(&user, 4, [command], &["the store at"]);
            assert!(!said.contains("newer version"), "{said}");
        }
    }
}

/// Stored files may be read-only.
fn writable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn object_file(user: &User, kind: Kind, id: &str) -> PathBuf {
    let id = Hash::parse("id", id).unwrap();
    user.store().join(layout::object(kind, &id).as_ref())
}

/// Runs `check` for each way in which the file can be damaged, then puts it right.
fn for_each_damage(file: &Path, check: impl Fn(&str)) {
    let good = std::fs::read(file).unwrap();
    writable(file);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 0x10;
    let damages: [(&str, Option<&[u8]>); 5] = [
        ("missing", None),
        ("emptied", Some(b"")),
        ("truncated", Some(&good[..good.len() - 1])),
        ("flipped", Some(&flipped)),
        ("longer", Some(&[&good[..], b"x"].concat())),
    ];
    for (damage, bytes) in damages {
        match bytes {
            None => std::fs::remove_file(file).unwrap(),
            Some(bytes) => std::fs::write(file, bytes).unwrap(),
        }
        check(damage);
        std::fs::write(file, &good).unwrap();
    }
}

#[test]
fn a_damaged_object_of_any_kind_is_named_and_never_used() {
    let user = with_guide_in_folder();
    let commit = user.json(["log", "guide"])[0].clone();
    let tree = text(&commit, "tree").to_owned();
    let commit = text(&commit, "commit").to_owned();
    let blob = blake3::hash(b"two\n").to_hex().to_string();
    let deep = user.json(["ls", "guide"]);
    let folder = text(&deep[1], "id").to_owned();

    for_each_damage(&object_file(&user, Kind::Blob, &blob), |_| {
        refuses(&user, 4, ["cat", "guide", "ch1/lesson.md"], &["blob", &blob, "hint: "]);
        refuses(&user, 4, ["diff", "guide~1", "guide", "--patch"], &["blob", &blob]);
        refuses(&user, 4, ["checkout", "guide", "site"], &["ch1/lesson.md", "blob", &blob]);
        user.ok(["ls", "guide", "-R"]);
    });
    for_each_damage(&object_file(&user, Kind::Tree, &tree), |_| {
        for command in [
            "ls guide",
            "cat guide README.md",
            "checkout guide site",
            "put guide a.md new.md --create",
            "diff guide~1 guide",
            "log guide README.md",
        ] {
            refuses(&user, 4, command.split(' '), &["tree", &tree, "hint: "]);
        }
    });
    for_each_damage(&object_file(&user, Kind::Tree, &folder), |_| {
        for command in ["ls guide -R", "ls guide ch1", "checkout guide site"] {
            refuses(&user, 4, command.split(' '), &["tree", &folder]);
        }
        user.ok(["cat", "guide", "README.md"]);
    });
    for_each_damage(&object_file(&user, Kind::Commit, &commit), |damage| {
        for command in [
            "ls guide",
            "log guide",
            "show guide",
            "import book guide",
            "branch create guide@x --from guide~1",
            "rm guide README.md",
        ] {
            refuses(&user, 4, command.split(' '), &["commit", &commit, "hint: "]);
        }
        let ran = user.run(["verify-log", "guide@main"]);
        assert_eq!(ran.code(), 4, "{damage}");
        assert!(ran.stdout().contains(&commit), "{damage}: {}", ran.stdout());
        assert!(ran.stderr().contains("1 fault"), "{damage}: {}", ran.stderr());
    });
    user.ok(["checkout", "guide", "site"]);
    assert_eq!(user.json(["verify-log", "guide@main"])["ok"], true);
}

#[test]
fn a_damaged_ref_log_entry_is_named_and_stops_every_use_of_the_ref() {
    let user = with_guide_in_folder();
    let entry = |seq: u64| {
        let key = format!("refs/guide/main/{:016x}", u64::MAX - seq);
        user.store().join(key)
    };
    for_each_damage(&entry(2), |damage| {
        if damage == "missing" {
            // The newest entry is the ref: without it the ref is what it was before.
            return;
        }
        for command in [
            "ls guide",
            "import book guide",
            "put guide a.md new.md --create",
            "branch list guide",
            "reset guide@main guide@draft",
            "branch delete guide@main",
            "reflog guide@main",
        ] {
            refuses(
                &user,
                4,
                command.split(' '),
                &["entry 2 of guide@main is damaged", "hint: ", "verify-log"],
            );
        }
        user.ok(["ls", "guide@draft"]);
    });
    for_each_damage(&entry(1), |damage| {
        user.ok(["ls", "guide"]);
        let ran = user.run(["verify-log", "guide@main", "--json"]);
        assert_eq!(ran.code(), 4, "{damage}");
        let report: serde_json::Value = serde_json::from_slice(&ran.0.stdout).unwrap();
        assert_eq!(report["ok"], false, "{damage}");
        assert_eq!(report["entries"], 2, "{damage}");
        assert_eq!(report["faults"][0]["seq"], 1, "{damage}: {report}");
        assert!(ran.stderr().starts_with("error: the log of guide@main has"));
        let said = user.fails(4, ["reflog", "guide@main"]);
        assert!(said.contains("entry 1"), "{damage}: {said}");
    });
    assert_eq!(user.json(["verify-log", "guide@main"])["ok"], true);
}

#[test]
fn an_entry_moved_to_another_ref_or_position_is_noticed() {
    let user = with_guide_in_folder();
    let log = user.store().join("refs/guide");
    let slot = |seq: u64| format!("{:016x}", u64::MAX - seq);
    let good = std::fs::read(log.join("main").join(slot(2))).unwrap();
    let forged = log.join("draft").join(slot(2));
    std::fs::write(&forged, &good).unwrap();
    refuses(&user, 4, ["ls", "guide@draft"], &["entry 2 of guide@draft"]);
    std::fs::remove_file(&forged).unwrap();
    std::fs::write(log.join("main").join(slot(3)), &good).unwrap();
    refuses(&user, 4, ["ls", "guide"], &["entry 3 of guide@main"]);
}

#[test]
fn a_message_that_no_commit_can_hold_is_refused() {
    let user = with_guide();
    let long = "x".repeat(64 * 1024 + 1);
    let said = refuses(
        &user,
        1,
        ["put", "guide", "a.md", "new.md", "--create", "-m", &long],
        &["message", "65536"],
    );
    assert!(said.len() < 1_000, "it is not repeated in full");
    let fits = "x".repeat(64 * 1024);
    user.ok(["put", "guide", "a.md", "new.md", "--create", "-m", &fits]);
}
