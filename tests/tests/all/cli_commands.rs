//! Every command of the real binary: what it does, what it prints, and the shape of its JSON.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use cas_tests::cli::{User, assert_keys, snapshot, text};
use cas_tests::place::Place;
use serde_json::{Value, json};

const ENTRY: &[&str] = &[
    "book",
    "ref",
    "seq",
    "id",
    "previous",
    "target",
    "actor",
    "time",
    "operation",
    "message",
    "request_id",
    "metadata",
];
const COMMIT: &[&str] = &["commit", "tree", "parents", "author", "time", "message", "metadata"];

/// The keys of what was found by naming a version.
fn with_source<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    keys.iter().copied().chain(["source"]).collect()
}
const EDIT: &[&str] =
    &["book", "ref", "commit", "tree", "changed", "results", "forked", "warnings"];
const RESULT: &[&str] = &["path", "outcome", "existed", "old", "new", "to"];
const IMPORT: &[&str] =
    &["book", "ref", "commit", "tree", "mode", "dry_run", "files", "bytes", "forked", "warnings"];
const CHECKOUT: &[&str] = &[
    "book", "ref", "commit", "tree", "dry_run", "written", "removed", "kept", "bytes", "linked",
    "source",
];

/// A user with one book of one version: `guide`.
pub(super) fn with_guide() -> User {
    let user = User::new();
    write_guide(&user);
    user.ok(["import", "book", "guide", "-m", "First draft"]);
    user
}

fn write_guide(user: &User) {
    user.write("book/README.md", "# Guide\n");
    user.write("book/ch1/lesson.md", "one\ntwo\nthree\n");
    user.write("book/cover.png", b"\x89PNG\0\x01\x02");
    let script = user.write("book/ch1/run.sh", "#!/bin/sh\n");
    set_mode(&script, 0o755);
    symlink("ch1/lesson.md", user.path("book/start")).unwrap();
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn hash(bytes: impl AsRef<[u8]>) -> String {
    blake3::hash(bytes.as_ref()).to_hex().to_string()
}

fn is_id(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|id| id.len() == 64 && id.bytes().all(|b| b"0123456789abcdef".contains(&b)))
}

/// RFC 3339 in UTC with microseconds.
fn is_time(value: &Value) -> bool {
    let shape = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    value.as_str().is_some_and(|time| {
        time.len() == shape.len()
            && time
                .bytes()
                .zip(shape.bytes())
                .all(|(found, wanted)| found == wanted || wanted == b'd' && found.is_ascii_digit())
    })
}

fn commands_of(user: &User) -> Vec<String> {
    let help = user.ok(["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    list.lines()
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_book_goes_from_a_folder_through_edits_and_branches_back_to_a_folder() {
    let user = with_guide();
    let old = hash("one\ntwo\nthree\n");
    user.write("new.md", "one\n2\nthree\n");
    user.ok(["put", "guide", "ch1/lesson.md", "new.md", "--expect", &old[..8]]);
    user.ok(["mv", "guide", "ch1", "part1/ch1"]);
    user.ok(["rm", "guide", "cover.png"]);
    user.ok(["branch", "create", "guide@draft"]);
    user.ok(["tag", "create", "guide@v1", "guide"]);
    let made = user.run_with_input(["put", "guide@draft", "ch2.md", "--create"], b"chapter 2\n");
    assert_eq!(made.code(), 0, "{}", made.stderr());

    assert_eq!(
        user.ok(["ls", "guide", "-R"]),
        "README.md\npart1/ch1/lesson.md\npart1/ch1/run.sh\nstart\n"
    );
    assert_eq!(user.ok(["cat", "guide@draft", "ch2.md"]), "chapter 2\n");
    assert_eq!(user.ok(["cat", "guide", "part1/ch1/lesson.md"]), "one\n2\nthree\n");
    assert_eq!(user.ok(["cat", "guide", "start"]), "ch1/lesson.md");
    assert_eq!(user.ok(["diff", "guide@tags/v1", "guide@draft"]), "A  ch2.md\n");

    user.ok(["checkout", "guide@draft", "site"]);
    assert_eq!(std::fs::read_to_string(user.path("site/ch2.md")).unwrap(), "chapter 2\n");
    user.ok(["reset", "guide@main", "guide@main#1"]);
    user.ok(["checkout", "guide", "site"]);
    assert_eq!(snapshot(&user.path("site")), snapshot(&user.path("book")));

    let again = user.json(["import", "site", "guide"]);
    assert_eq!(again["mode"], "unchanged", "what was checked out is what was imported");
    for name in ["guide@main", "guide@draft", "guide@tags/v1"] {
        assert_eq!(user.json(["verify-log", name])["ok"], true, "{name}");
    }
}

#[test]
fn init_answers_in_json_and_leaves_a_store_that_is_there_alone() {
    let user = User::without_store();
    let first = user.json(["init"]);
    assert_keys(&first, &["store", "created", "created_at"]);
    assert_eq!(first["store"], user.location());
    assert_eq!(first["created"], true);
    assert!(is_time(&first["created_at"]), "{first}");
    let before = user.stored();
    let second = user.json(["init"]);
    assert_eq!(second["created"], false);
    assert_eq!(second["created_at"], first["created_at"]);
    assert_eq!(user.stored(), before);
}

#[test]
fn books_answers_in_json_also_when_there_are_none() {
    let user = User::new();
    assert_eq!(user.json(["books"]), json!([]));
    let none = user.run(["books"]);
    assert_eq!((none.code(), none.stdout().as_str()), (0, ""));
    assert!(none.stderr().contains("no books yet"), "{}", none.stderr());

    write_guide(&user);
    let commit = user.json(["import", "book", "guide"])["commit"].clone();
    user.ok(["tag", "create", "guide@v1", "guide"]);
    let books = user.json(["books"]);
    assert_keys(&books[0], &["book", "branches", "tags", "commit", "time"]);
    assert!(is_time(&books[0]["time"]), "{books}");
    let facts = (&books[0]["book"], &books[0]["branches"], &books[0]["tags"], &books[0]["commit"]);
    assert_eq!(facts, (&json!("guide"), &json!(1), &json!(1), &commit));
    assert!(user.ok(["books"]).contains("1 branch, 1 tag\n"), "{}", user.ok(["books"]));
}

#[test]
fn a_book_without_main_is_listed_without_a_commit() {
    let user = with_guide();
    user.ok(["branch", "create", "guide@draft"]);
    user.ok(["branch", "delete", "guide@main"]);
    let books = user.json(["books"]);
    assert_eq!(books[0]["commit"], Value::Null);
    assert_eq!(books[0]["time"], Value::Null);
    assert!(user.ok(["books"]).contains("(no main)"));
}

#[test]
fn import_answers_in_json() {
    let user = User::new();
    write_guide(&user);
    let dry = user.json(["import", "book", "guide", "--dry-run"]);
    assert_keys(&dry, IMPORT);
    assert_eq!(dry["commit"], Value::Null);
    assert_eq!(dry["dry_run"], true);

    let made = user.json(["import", "book", "guide@draft"]);
    assert_keys(&made, IMPORT);
    assert_keys(&made["files"], &["total", "added", "changed", "removed", "read"]);
    assert_keys(&made["bytes"], &["total", "new", "shared"]);
    assert_eq!(made["book"], "guide");
    assert_eq!(made["ref"], "draft");
    assert_eq!(made["mode"], "created");
    assert_eq!(made["dry_run"], false);
    assert!(is_id(&made["commit"]) && is_id(&made["tree"]), "{made}");
    assert_eq!(made["tree"], dry["tree"]);
    assert_eq!(
        made["files"],
        json!({"total": 5, "added": 5, "changed": 0, "removed": 0, "read": 5})
    );
    // 8 + 14 + 7 + 10 + 13 for the symlink's target.
    assert_eq!(made["bytes"], json!({"total": 52, "new": 52, "shared": 0}));

    user.write("book/README.md", "# The Guide\n");
    user.write("book/ch2.md", "two\n");
    std::fs::remove_file(user.path("book/cover.png")).unwrap();
    let next = user.json(["import", "book", "guide@draft"]);
    assert_eq!(next["mode"], "updated");
    assert_eq!(
        next["files"],
        json!({"total": 5, "added": 1, "changed": 1, "removed": 1, "read": 2})
    );
    assert_eq!(next["bytes"], json!({"total": 53, "new": 16, "shared": 37}));
}

#[test]
fn checkout_answers_in_json_and_lists_paths_on_request() {
    let user = with_guide();
    let made = user.json(["checkout", "guide", "site"]);
    assert_keys(&made, CHECKOUT);
    let log = user.json(["log", "guide"]);
    assert_eq!(made["book"], "guide");
    assert_eq!(made["ref"], "main");
    assert_eq!(made["commit"], log[0]["commit"]);
    assert_eq!(made["tree"], log[0]["tree"]);
    assert_eq!(made["dry_run"], false);
    let counts = (&made["written"], &made["removed"], &made["kept"], &made["bytes"]);
    assert_eq!(counts, (&json!(5), &json!(0), &json!(0), &json!(52)));

    user.ok(["rm", "guide", "cover.png"]);
    let dry = user.json(["checkout", "guide", "site", "--dry-run"]);
    let keys: Vec<_> = CHECKOUT.iter().copied().chain(["written_paths", "removed_paths"]).collect();
    assert_keys(&dry, &keys);
    assert_eq!(dry["dry_run"], true);
    assert_eq!(dry["written_paths"], json!([]));
    assert_eq!(dry["removed_paths"], json!(["cover.png"]));
    let list = user.json(["checkout", "guide", "site", "--list"]);
    assert_keys(&list, &keys);
    assert_eq!(list["removed_paths"], json!(["cover.png"]));

    let commit = text(&log[0], "commit").to_owned();
    let by_id = user.json(["checkout", &format!("guide@{}", &commit[..8]), "by-id"]);
    assert_eq!(by_id["ref"], Value::Null, "no ref was named");
    assert_eq!(by_id["commit"], commit);
}

#[test]
fn status_answers_in_json() {
    let user = with_guide();
    user.ok(["checkout", "guide", "site", "--path", "ch1/"]);
    let clean = user.json(["status", "site"]);
    assert_keys(
        &clean,
        &["book", "ref", "commit", "tree", "path", "interrupted", "clean", "items"],
    );
    assert_eq!(clean["path"], "ch1");
    assert_eq!(clean["clean"], true);
    assert_eq!(clean["interrupted"], false);
    assert_eq!(clean["items"], json!([]));

    user.write("site/lesson.md", "mine\n");
    user.write("site/sub/notes.md", "mine\n");
    std::fs::remove_file(user.path("site/run.sh")).unwrap();
    let dirty = user.json(["status", "site"]);
    assert_eq!(dirty["clean"], false);
    assert_eq!(
        dirty["items"],
        json!([
            {"path": "lesson.md", "status": "modified"},
            {"path": "run.sh", "status": "removed"},
            {"path": "sub/notes.md", "status": "untracked"},
        ])
    );
    let said = user.ok(["status", "site"]);
    assert!(said.starts_with("guide@main at "), "{said}");
    assert!(said.contains("folder ch1"), "{said}");
    assert!(said.contains("modified    lesson.md\n"), "{said}");
}

#[test]
fn ls_answers_in_json_with_totals_of_folders() {
    let user = with_guide();
    let items = user.json(["ls", "guide"]);
    for item in items.as_array().unwrap() {
        assert_keys(item, &["path", "kind", "id", "size", "files", "source"]);
        assert!(is_id(&item["id"]), "{item}");
    }
    let facts: Vec<_> = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let number = |key: &str| item[key].as_u64().unwrap();
            (text(item, "path"), text(item, "kind"), number("size"), number("files"))
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("README.md", "file", 8, 1),
            ("ch1", "tree", 24, 2),
            ("cover.png", "file", 7, 1),
            ("start", "symlink", 13, 1),
        ]
    );
    let below = user.json(["ls", "guide", "ch1/"]);
    assert_eq!(below[0]["path"], "ch1/lesson.md");
    assert_eq!(below[0]["id"], hash("one\ntwo\nthree\n"));
    assert_eq!(below[1]["kind"], "executable");
    let file = user.json(["ls", "guide", "ch1/lesson.md"]);
    assert_eq!(file, json!([below[0]]));
    assert_eq!(user.ok(["ls", "guide"]), "README.md\nch1/\ncover.png\nstart\n");
    let long = user.ok(["ls", "guide", "-l"]);
    assert!(long.contains("  ch1/  (2 files)\n"), "{long}");
    assert!(long.contains(&hash("# Guide\n")), "{long}");
    let deep = user.json(["ls", "guide", "-R"]);
    assert_eq!(deep.as_array().unwrap().len(), 5, "files only");
}

#[test]
fn edits_answer_in_json_what_happened_to_each_path() {
    let user = with_guide();
    let before = user.json(["log", "guide"])[0]["commit"].clone();
    user.write("a.md", "a\n");
    let made = user.json(["put", "guide", "a.md", "a.md", "--create", "-m", "Add a"]);
    assert_keys(&made, EDIT);
    assert_keys(&made["results"][0], RESULT);
    assert_eq!(made["changed"], true);
    assert_eq!(
        made["results"],
        json!([{"path": "a.md", "outcome": "created", "existed": false, "old": null, "new": hash("a\n"), "to": null}])
    );
    let log = user.json(["log", "guide", "-n", "1"]);
    assert_eq!(log[0]["commit"], made["commit"]);
    assert_eq!(log[0]["message"], "Add a");
    assert_eq!(log[0]["parents"], json!([before]));

    let same = user.json(["put", "guide", "a.md", "a.md", "--expect", &hash("a\n")[..8]]);
    assert_eq!(same["changed"], false);
    assert_eq!(same["commit"], made["commit"], "nothing changed, no version made");
    assert_eq!(same["results"][0]["outcome"], "unchanged");
    assert_eq!(same["results"][0]["existed"], true);

    user.write("a.md", "b\n");
    let updated = user.json(["put", "guide", "a.md", "a.md", "--expect", &hash("a\n")]);
    assert_eq!(
        updated["results"],
        json!([{"path": "a.md", "outcome": "updated", "existed": true, "old": hash("a\n"), "new": hash("b\n"), "to": null}])
    );

    let moved = user.json(["mv", "guide", "a.md", "ch1/b.md"]);
    assert_keys(&moved, EDIT);
    assert_eq!(
        moved["results"],
        json!([{"path": "a.md", "outcome": "moved", "existed": true, "old": hash("b\n"), "new": hash("b\n"), "to": "ch1/b.md"}])
    );

    let gone = user.json(["rm", "guide", "ch1/b.md", "ch1/none.md"]);
    assert_keys(&gone, EDIT);
    assert_eq!(
        gone["results"],
        json!([
            {"path": "ch1/b.md", "outcome": "deleted", "existed": true, "old": hash("b\n"), "new": null, "to": null},
            {"path": "ch1/none.md", "outcome": "absent", "existed": false, "old": null, "new": null, "to": null},
        ])
    );
    let folder = user.json(["rm", "guide", "ch1", "--recursive"]);
    assert_eq!(folder["results"][0]["outcome"], "deleted");
    let again = user.json(["rm", "guide", "ch1", "--recursive"]);
    assert_eq!(again["changed"], false);
    assert_eq!(again["commit"], folder["commit"]);
}

#[test]
fn an_edit_leaves_the_executable_bit_and_replaces_a_symlink() {
    let user = with_guide();
    user.write("new", "#!/bin/bash\n");
    let expect = hash("#!/bin/sh\n");
    user.ok(["put", "guide", "ch1/run.sh", "new", "--expect", &expect]);
    let expect = hash("ch1/lesson.md");
    user.ok(["put", "guide", "start", "new", "--expect", &expect]);
    assert_eq!(user.json(["ls", "guide", "ch1/run.sh"])[0]["kind"], "executable");
    assert_eq!(user.json(["ls", "guide", "start"])[0]["kind"], "file");
}

#[test]
fn log_answers_in_json_newest_first_and_by_path() {
    let user = with_guide();
    user.write("x", "x\n");
    user.ok(["put", "guide", "x.md", "x", "--create", "-m", "Second"]);
    user.ok(["rm", "guide", "x.md", "-m", "Third\n\nWith a body"]);
    let log = user.json(["log", "guide"]);
    for item in log.as_array().unwrap() {
        assert_keys(item, &with_source(COMMIT));
        assert_eq!(item["source"], "own");
        assert!(is_id(&item["commit"]) && is_id(&item["tree"]) && is_time(&item["time"]));
        assert_eq!(item["author"], "tester");
        assert_eq!(item["metadata"], json!({}));
    }
    let messages = |log: &Value| -> Vec<String> {
        let items = log.as_array().unwrap().iter();
        items.map(|item| text(item, "message").to_owned()).collect()
    };
    assert_eq!(messages(&log), ["Third\n\nWith a body", "Second", "First draft"]);
    assert_eq!(log[0]["tree"], log[2]["tree"], "the book is as it was");
    assert_eq!(messages(&user.json(["log", "guide", "x.md"])), ["Third\n\nWith a body", "Second"]);
    assert_eq!(messages(&user.json(["log", "guide", "ch1/"])), ["First draft"]);
    assert_eq!(messages(&user.json(["log", "guide", "-n", "1"])), ["Third\n\nWith a body"]);
    assert_eq!(messages(&user.json(["log", "guide~1"])), ["Second", "First draft"]);
    assert_eq!(user.json(["log", "guide", "README.md", "-n", "0"]), json!([]));
}

#[test]
fn show_answers_in_json_for_every_kind_by_revision_and_by_prefix() {
    let user = with_guide();
    let commit = user.json(["show", "guide"]);
    let keys: Vec<_> = COMMIT.iter().copied().chain(["kind"]).collect();
    assert_keys(&commit, &with_source(&keys));
    assert_eq!((&commit["kind"], &commit["source"]), (&json!("commit"), &json!("own")));
    let id = text(&commit, "commit");
    let mut commit = commit.clone();
    commit.as_object_mut().unwrap().remove("source");
    assert_eq!(user.json(["show", &id[..8]]), commit, "by the first 8 digits");
    assert_eq!(user.json(["show", id]), commit, "by all digits");

    let tree = user.json(["show", &text(&commit, "tree")[..10]]);
    assert_keys(&tree, &["kind", "tree", "size", "files", "entries"]);
    assert_eq!(tree["kind"], "tree");
    assert_eq!((&tree["size"], &tree["files"]), (&json!(52), &json!(5)));
    for entry in tree["entries"].as_array().unwrap() {
        assert_keys(entry, &["name", "kind", "id", "size", "files"]);
    }
    assert_eq!(
        tree["entries"][0],
        json!({"name": "README.md", "kind": "file", "id": hash("# Guide\n"), "size": 8, "files": 1})
    );

    let blob = user.json(["show", &hash("# Guide\n")[..8]]);
    assert_eq!(blob, json!({"kind": "blob", "blob": hash("# Guide\n"), "size": 8}));

    assert!(user.ok(["show", "guide"]).starts_with("commit "));
    let said = user.ok(["show", text(&commit, "tree")]);
    assert!(said.starts_with("tree   "), "{said}");
    let said = user.ok(["show", &hash("# Guide\n")]);
    assert!(said.ends_with("size   8\n"), "{said}");
}

#[test]
fn branches_are_listed_created_deleted_and_restored() {
    let user = with_guide();
    let head = user.json(["log", "guide"])[0]["commit"].clone();
    let made = user.json(["branch", "create", "guide@users/ada"]);
    assert_keys(&made, ENTRY);
    assert!(is_id(&made["id"]) && is_time(&made["time"]), "{made}");
    assert_eq!(made["book"], "guide");
    assert_eq!(made["ref"], "users/ada");
    assert_eq!(made["seq"], 1);
    assert_eq!(made["previous"], Value::Null);
    assert_eq!(made["target"], head);
    assert_eq!(made["actor"], "tester");
    assert_eq!(made["operation"], "create");
    let follows = json!({ "upstream": "main", "upstream.base": head, "upstream.follow": "pinned" });
    assert_eq!(made["metadata"], follows);

    user.write("x", "x\n");
    user.ok(["put", "guide", "x.md", "x", "--create"]);
    let from = user.json(["branch", "create", "guide@old", "--from", "guide~1"]);
    assert_eq!(from["target"], head);

    let list = user.json(["branch", "list", "guide"]);
    let keys = ["book", "ref", "commit", "seq", "actor", "time", "upstream"];
    for found in list.as_array().unwrap() {
        assert_keys(found, if found["ref"] == "users/ada" { &keys } else { &keys[..6] });
    }
    let names = |list: &Value| -> Vec<String> {
        let refs = list.as_array().unwrap().iter();
        refs.map(|found| text(found, "ref").to_owned()).collect()
    };
    assert_eq!(names(&list), ["main", "old", "users/ada"]);
    assert_eq!(names(&user.json(["branch", "list", "guide", "users/*"])), ["users/ada"]);
    assert_eq!(user.json(["branch", "list", "guide", "nobody/*"]), json!([]));

    let deleted = user.json(["branch", "delete", "guide@old"]);
    assert_keys(&deleted, ENTRY);
    assert_eq!(deleted["target"], Value::Null);
    assert_eq!(deleted["operation"], "delete");
    assert_eq!(deleted["previous"], from["id"]);
    assert_eq!(names(&user.json(["branch", "list", "guide"])), ["main", "users/ada"]);
    let restored = user.json(["branch", "restore", "guide@old"]);
    assert_keys(&restored, ENTRY);
    assert_eq!(restored["operation"], "restore");
    assert_eq!((&restored["seq"], &restored["target"]), (&json!(3), &head));
}

#[test]
fn tags_are_listed_created_and_deleted() {
    let user = with_guide();
    assert_eq!(user.json(["tag", "list", "guide"]), json!([]));
    let made = user.json(["tag", "create", "guide@v1", "guide"]);
    assert_keys(&made, ENTRY);
    assert_eq!(made["ref"], "tags/v1");
    let list = user.json(["tag", "list", "guide"]);
    assert_keys(&list[0], &["book", "ref", "commit", "seq", "actor", "time"]);
    assert_eq!(list[0]["ref"], "tags/v1");
    assert_eq!(list[0]["commit"], made["target"]);
    let deleted = user.json(["tag", "delete", "guide@v1"]);
    assert_keys(&deleted, ENTRY);
    assert_eq!(deleted["target"], Value::Null);
    assert_eq!(user.json(["tag", "list", "guide"]), json!([]));
}

#[test]
fn reset_is_one_more_entry_of_a_log_that_keeps_everything() {
    let user = with_guide();
    user.write("x", "x\n");
    user.ok(["put", "guide", "x.md", "x", "--create"]);
    let reset = user.json(["reset", "guide@main", "guide~1"]);
    assert_keys(&reset, ENTRY);
    assert_eq!(reset["operation"], "reset");
    assert_eq!(reset["message"], "reset to guide@main~1");
    let log = user.json(["reflog", "guide@main"]);
    for entry in log.as_array().unwrap() {
        assert_keys(entry, ENTRY);
    }
    assert_eq!(log[0], reset);
    assert_eq!(log[0]["target"], log[2]["target"]);
    assert_eq!(log[0]["previous"], log[1]["id"]);
    assert_eq!(log[2]["previous"], Value::Null);
    let operations: Vec<_> = log.as_array().unwrap().iter().map(|e| text(e, "operation")).collect();
    assert_eq!(operations, ["reset", "put", "import"]);
    assert_eq!(user.json(["reflog", "guide@main", "-n", "1"]), json!([reset]));
    let again = user.json(["reset", "guide@main", "guide"]);
    assert_eq!(again, reset, "it points there already: nothing is written");
}

#[test]
fn the_log_of_a_deleted_ref_can_be_read() {
    let user = with_guide();
    user.ok(["branch", "create", "guide@x"]);
    user.ok(["branch", "delete", "guide@x"]);
    let log = user.json(["reflog", "guide@x"]);
    assert_eq!(log.as_array().unwrap().len(), 2);
    assert!(user.ok(["reflog", "guide@x"]).starts_with("(deleted)"));
    assert_eq!(user.json(["verify-log", "guide@x"])["entries"], 2);
}

#[test]
fn verify_log_answers_in_json() {
    let user = with_guide();
    let report = user.json(["verify-log", "guide@main"]);
    assert_keys(&report, &["book", "ref", "entries", "head", "ok", "faults"]);
    assert_eq!(report["entries"], 1);
    assert_eq!(report["ok"], true);
    assert_eq!(report["faults"], json!([]));
    let log = user.json(["reflog", "guide@main"]);
    assert_eq!(report["head"], log[0]["id"]);
    assert_eq!(user.ok(["verify-log", "guide@main"]), "guide@main: 1 entry, all in order\n");
}

#[test]
fn completions_are_scripts_that_know_every_command() {
    let user = User::without_store();
    let commands = commands_of(&user);
    for shell in ["bash", "zsh", "fish"] {
        let script = user.ok(["completions", shell]);
        for command in &commands {
            assert!(script.contains(command.as_str()), "{shell}: {command}");
        }
    }
    let said = user.fails(2, ["completions", "tcsh"]);
    assert!(said.contains("tcsh"), "{said}");
}

#[test]
fn the_help_of_every_command_has_examples() {
    let user = User::without_store();
    let commands = commands_of(&user);
    assert!(commands.len() >= 19, "{commands:?}");
    assert!(user.ok(["--help"]).contains("\nExamples:\n"));
    for command in commands {
        let help = user.ok([command.as_str(), "--help"]);
        let examples = help.split("\nExamples:\n").nth(1);
        assert!(
            examples.is_some_and(|text| text.contains(&format!("cas {command}"))
                || text.contains(&format!(" {command}"))),
            "{command}: {help}"
        );
    }
    assert_eq!(snapshot(&user.path("")), [], "asking for help makes nothing");
}

#[test]
fn data_goes_to_standard_output_and_talk_to_standard_error() {
    let user = with_guide();
    for args in [
        vec!["books"],
        vec!["ls", "guide"],
        vec!["log", "guide"],
        vec!["import", "book", "guide"],
        vec!["checkout", "guide", "site"],
        vec!["status", "site"],
        vec!["branch", "create", "guide@x"],
    ] {
        let ran = user.run(&args);
        assert_eq!(ran.code(), 0, "{args:?}: {}", ran.stderr());
        assert_ne!(ran.stdout(), "", "{args:?}");
        assert_eq!(ran.stderr(), "", "{args:?}");
    }
    let empty = User::new();
    let quiet = empty.run(["books", "--quiet"]);
    assert_eq!((quiet.code(), quiet.stdout(), quiet.stderr()), (0, String::new(), String::new()));
    let quiet = user.run(["--quiet", "ls", "guide"]);
    assert_eq!(quiet.stdout(), user.ok(["ls", "guide"]), "an answer is an answer");
    let error = user.run(["ls", "nobody", "--quiet"]);
    assert!(error.stderr().starts_with("error: "), "errors are never silenced");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let user = with_guide();
    let mut command = user.command(["ls", "guide", "-R"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = command.stdout(writer).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn revisions_name_refs_ancestors_positions_and_ids() {
    let user = with_guide();
    for n in ["1", "2"] {
        user.write("x", n);
        user.ok(["put", "guide", &format!("x{n}.md"), "x", "--create"]);
    }
    user.ok(["branch", "create", "guide@users/ada", "--from", "guide~1"]);
    user.ok(["tag", "create", "guide@v1", "guide@main~2"]);
    user.ok(["reset", "guide@main", "guide#1"]);
    let log = user.json(["reflog", "guide@main"]);
    let ids: Vec<_> = (1..=3).map(|nth| text(&log[nth], "target")).collect();
    let [third, second, first] = ids[..] else { panic!("{log}") };
    let of = |revision: &str| text(&user.json(["show", revision]), "commit").to_owned();
    for (revision, commit) in [
        ("guide", first),
        ("guide@main", first),
        ("guide@main#1", first),
        ("guide#2", second),
        ("guide#3", third),
        ("guide#4", first),
        ("guide#3~1", second),
        ("guide@main#3~2", first),
        ("guide@users/ada", second),
        ("guide@users/ada~1", first),
        ("guide@users/ada#1~1", first),
        ("guide@tags/v1", first),
        (&format!("guide@{}", &third[..8]), third),
        (&format!("guide@{third}"), third),
        (&format!("guide@{}~0", &third[..8]), third),
        (&format!("guide@{}~2", &third[..20]), first),
    ] {
        assert_eq!(of(revision), commit, "{revision}");
    }
    for (revision, thing) in [
        ("guide@main#5", "no entry 5; it has 4"),
        ("guide@main#3~3", "beyond the first commit, which is 2 back"),
        ("guide@nobody", "no ref guide@nobody"),
        ("nobook", "no book nobook"),
        ("guide@00000000", "00000000"),
    ] {
        let said = user.fails(1, ["show", revision]);
        assert!(said.contains(thing), "{revision}: {said}");
    }
}

#[test]
fn a_commit_of_another_book_is_not_found_in_this_one() {
    let user = with_guide();
    user.write("other/a.md", "a\n");
    let made = user.json(["import", "other", "other"]);
    let id = text(&made, "commit");
    user.ok(["show", &format!("other@{}", &id[..8])]);
    let said = user.fails(1, ["show", &format!("guide@{}", &id[..8])]);
    assert!(said.contains("no commit of this book"), "{said}");
}

#[test]
fn the_default_store_is_made_when_it_is_first_used() {
    let user = User::without_store_at(Place::Folder);
    write_guide(&user);
    let mut command = user.command(["import", "book", "guide"]);
    let ran = command.env_remove("CAS_STORE").output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let place = user.path(".local/share/cas/store");
    let store = place.to_str().unwrap();
    assert!(place.join("cas-format").is_file());
    assert!(!user.store().exists());
    assert_eq!(user.json(["--store", store, "books"])[0]["book"], "guide");
    let url = format!("file://{store}");
    assert_eq!(user.json(["--store", &url, "books"])[0]["book"], "guide");
}

#[test]
fn a_store_that_was_named_is_never_made_by_accident() {
    let user = User::without_store();
    let said = user.fails(1, ["books"]);
    assert!(said.contains("there is no store at"), "{said}");
    assert!(said.contains("hint: ") && said.contains("init"), "{said}");
    assert_eq!(user.stored(), []);
}

#[test]
fn the_option_store_wins_over_the_environment() {
    let user = with_guide();
    user.ok(["--store", "second", "init"]);
    assert_eq!(user.json(["books", "--store", "second"]), json!([]));
    assert_eq!(user.json(["books"]).as_array().unwrap().len(), 1);
}

#[test]
fn every_change_is_attributed_to_its_actor() {
    let user = User::new();
    user.write("book/a.md", "a\n");
    let mut command = user.command(["import", "book", "guide"]);
    let ran = command.env_remove("CAS_ACTOR").output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let actor = |revision: &str| {
        let log = user.json(["reflog", revision, "-n", "1"]);
        let commit = user.json(["log", revision, "-n", "1"]);
        assert_eq!(log[0]["actor"], commit[0]["author"]);
        text(&log[0], "actor").to_owned()
    };
    let default = actor("guide@main");
    let (name, host) = default.split_once('@').expect("user@host");
    assert!(!name.is_empty() && !host.is_empty(), "{default}");

    user.ok(["put", "guide", "b.md", "book/a.md", "--create"]);
    assert_eq!(actor("guide@main"), "tester", "from CAS_ACTOR");
    user.ok([
        "--actor",
        "Ada Lovelace <ada@example.com>",
        "put",
        "guide",
        "c.md",
        "book/a.md",
        "--create",
    ]);
    assert_eq!(actor("guide@main"), "Ada Lovelace <ada@example.com>");
}
#[test]
fn answers_and_hints_say_where_things_went_and_what_to_do() {
    let user = with_guide();
    let said = user.ok(["mv", "guide", "ch1", "part1/ch1"]);
    assert!(said.starts_with("moved ch1 to part1/ch1\n"), "{said}");
    let said = user.ok(["rm", "guide", "none.md"]);
    assert!(said.starts_with("none.md was not there\n"), "{said}");
    assert!(said.ends_with(": nothing changed\n"), "{said}");
    user.write("site/README.md", "mine\n");
    let said = user.fails(3, ["checkout", "guide", "site"]);
    assert!(said.contains("hint: ") && said.contains("--force --dry-run"), "{said}");
}

#[test]
fn a_number_too_short_for_an_id_is_explained() {
    let user = with_guide();
    let id = hash("# Guide\n");
    let said = user.fails(1, ["show", &id[..7]]);
    assert!(said.contains("8 or more"), "{said}");
    let said = user.fails(1, ["ls", "nobody"]);
    assert!(!said.contains("8 or more"), "{said}");
}
