//! `cas archive` as a user sees it.

use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Stdio};

use cas_tests::cli::{assert_keys, snapshot};
use cas_tests::place::Place;
use cas_tests::skip_loudly;

use super::cli_commands::with_guide;

fn entries(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| String::from_utf8(entry.path_bytes().into_owned()).unwrap()).collect()
}

#[test]
fn archive_writes_a_version_that_unpacks_to_what_was_imported() {
    let user = with_guide();
    std::fs::create_dir(user.path("out")).unwrap();
    let said = user.ok(["archive", "guide", "-o", "guide.tar"]);
    assert!(said.starts_with("guide.tar: 5 files, "), "{said}");
    tar::Archive::new(std::fs::File::open(user.path("guide.tar")).unwrap())
        .unpack(user.path("out"))
        .unwrap();
    assert_eq!(snapshot(&user.path("out")), snapshot(&user.path("book")));

    let view = user.json(["archive", "guide", "--output", "guide.tar.zst"]);
    assert_keys(&view, &["book", "commit", "source", "tree", "format", "file", "files", "bytes"]);
    assert_eq!((&view["format"], &view["files"]), (&"tar.zst".into(), &5.into()));
    let packed = std::fs::read(user.path("guide.tar.zst")).unwrap();
    assert_eq!(view["bytes"], packed.len());
    let tar = std::fs::read(user.path("guide.tar")).unwrap();
    assert!(zstd::decode_all(packed.as_slice()).unwrap() == tar);
    let view = user.json(["archive", "guide", "-o", "guide.zip"]);
    assert_eq!(view["format"], "zip");
    let zip = std::fs::read(user.path("guide.zip")).unwrap();
    assert!(zip.starts_with(b"PK\x03\x04"));

    // What the ending says may be overruled; standard output takes a tar.
    user.ok(["archive", "guide", "-o", "odd.zip", "--format", "tar"]);
    assert!(std::fs::read(user.path("odd.zip")).unwrap() == tar);
    assert!(user.run(["archive", "guide"]).0.stdout == tar);
    assert!(user.run(["archive", "guide", "-o", "-", "--format", "zip"]).0.stdout == zip);
}

#[test]
fn archive_takes_a_folder_and_patterns() {
    let user = with_guide();
    let some = |args: &[&str]| {
        let args = ["archive", "guide"].iter().chain(args).copied().collect::<Vec<_>>();
        entries(&user.run(args).0.stdout)
    };
    assert_eq!(some(&["--path", "ch1/"]), ["ch1/lesson.md", "ch1/run.sh"]);
    assert_eq!(some(&["--glob", "**/*.md"]), ["README.md", "ch1/lesson.md"]);
    assert_eq!(some(&["-g", "*.png", "-g", "ch1/*.sh"]), ["ch1/run.sh", "cover.png"]);
    user.fails(1, ["archive", "guide", "--path", "nowhere", "-o", "x.tar"]);
    user.fails(2, ["archive", "guide", "--glob", "[a", "-o", "x.tar"]);
    user.fails(2, ["archive", "guide", "--format", "rar", "-o", "x.tar"]);
    user.fails(2, ["archive", "guide", "--json"]);
    assert!(!user.path("x.tar").exists());
}

#[test]
fn archive_leaves_what_was_there_when_a_blob_is_damaged() {
    let user = with_guide();
    if !matches!(user.place(), Place::Folder) {
        return;
    }
    user.write("guide.zip", "before");
    let id = blake3::hash(b"one\ntwo\nthree\n").to_hex();
    let blob = user.store().join("blobs").join(&id[..2]).join(&id[2..]);
    std::fs::write(&blob, "one\ntwo\nTHREE\n").unwrap();
    for name in ["guide.zip", "guide.tar", "guide.tar.zst"] {
        let said = user.fails(4, ["archive", "guide", "-o", name]);
        assert!(said.contains("damaged"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(user.path("guide.zip")).unwrap(), "before");
    assert!(!user.path("guide.tar").exists());
    let left = std::fs::read_dir(user.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().contains("archive")).collect();
    assert!(left.is_empty(), "{left:?}");
    user.fails(4, ["archive", "guide"]);
}

#[test]
fn archive_writes_to_devices_and_refuses_terminals() {
    let user = with_guide();
    user.ok(["archive", "guide", "-o", "/dev/null"]);
    let null = std::fs::metadata("/dev/null").unwrap();
    assert!(null.file_type().is_char_device());
    let binary = cas_tests::cli::binary().display().to_string();
    let shell = format!("{binary} --store '{}' archive guide", user.location());
    let mut command = Command::new("script");
    command.args(["-qec", &shell, "/dev/null"]).stdin(Stdio::null());
    command.envs(user.place().environment());
    let Ok(output) = command.output() else {
        skip_loudly("there is no `script` to make a terminal with");
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("nothing for a terminal"), "{said}");
    assert_eq!(output.status.code(), Some(2));
}
