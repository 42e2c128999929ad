//! Archives as programs read them that know nothing of this one.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use cas_core::object::EntryKind;
use cas_core::repo::ArchiveFormat;
use cas_tests::cli::snapshot;
use cas_tests::planted::{Planted, plant};
use cas_tests::skip_loudly;

use super::{everything, in_memory, whole};

/// Reads a tar's entries, in order.
pub(super) fn tar(bytes: &[u8]) -> Vec<Planted> {
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let header = entry.header().clone();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0), "{path}");
        assert_eq!(header.mtime().unwrap(), 315_532_800, "{path}");
        if header.entry_type().is_symlink() {
            return Planted::link(path, entry.link_name_bytes().unwrap().into_owned());
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        match header.mode().unwrap() {
            0o644 => Planted::file(path, content),
            0o755 => Planted::executable(path, content),
            mode => panic!("{path} has mode {mode:o}"),
        }
    });
    entries.collect()
}

fn sorted(mut files: Vec<Planted>) -> Vec<Planted> {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

#[tokio::test]
async fn a_tar_holds_the_tree_and_nothing_else() {
    let (_, repo) = in_memory();
    for files in [everything(), Vec::new(), vec![Planted::file("one", "")]] {
        let tree = plant(repo.store(), &files).await;
        let bytes = whole(&repo, tree, ArchiveFormat::Tar).await;
        assert!(tar(&bytes) == sorted(files.clone()), "{} files", files.len());
        let compressed = whole(&repo, tree, ArchiveFormat::TarZst).await;
        let unpacked = zstd::decode_all(compressed.as_slice()).unwrap();
        assert!(unpacked == bytes);
    }
}

/// Runs a program; `None`, said loudly, if it is not there.
fn run(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    let ran = Command::new(program)
        .args(args)
        .current_dir(folder)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output();
    let Ok(output) = ran else {
        skip_loudly(&format!("there is no {program}"));
        return None;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}\n{shown}");
    assert_eq!(shown, "", "{program} {args:?} warns");
    Some(said)
}

/// Writes what a tree should come out as.
fn lay_out(files: &[Planted], folder: &Path) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    for file in files {
        let path = folder.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if file.kind == EntryKind::Symlink {
            symlink(std::str::from_utf8(&file.content).unwrap(), path).unwrap();
            continue;
        }
        std::fs::write(&path, &file.content).unwrap();
        let mode = if file.kind == EntryKind::Executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    }
}

#[tokio::test]
async fn tar_unzip_and_python_unpack_what_was_stored() {
    let (_, repo) = in_memory();
    let tree = plant(repo.store(), &everything()).await;
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = home.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let expected = at("expected");
    lay_out(&everything(), &expected);
    for format in ArchiveFormat::ALL {
        let bytes = whole(&repo, tree, format).await;
        std::fs::write(home.path().join(format!("book.{format}")), bytes).unwrap();
    }
    let python_tar = "import sys, tarfile; tarfile.open('../book.tar').extractall('.')";
    let python_zip = "import zipfile; z = zipfile.ZipFile('../book.zip'); assert z.testzip() is None; \
                      print(len(z.namelist()), all(i.date_time == (1980, 1, 1, 0, 0, 0) for i in z.infolist()))";
    let runs: [(&str, &[&str]); 4] = [
        ("tar", &["-xf", "../book.tar"]),
        ("tar", &["-I", "zstd", "-xf", "../book.tar.zst"]),
        ("unzip", &["-q", "../book.zip"]),
        ("python3", &["-c", python_tar]),
    ];
    for (nth, (program, args)) in runs.into_iter().enumerate() {
        let unpacked = at(&format!("unpacked-{nth}"));
        if run(program, args, &unpacked).is_some() {
            assert!(snapshot(&unpacked) == snapshot(&expected), "{program} {args:?}");
        }
    }
    let listed = run("python3", &["-c", python_zip], &at("unpacked-0"));
    assert!(listed.is_none_or(|said| said == format!("{} True\n", everything().len())));
    run("unzip", &["-tqq", "book.zip"], home.path());
}

#[tokio::test]
async fn a_zip_holds_more_files_than_its_old_format_could() {
    let (_, repo) = in_memory();
    let files: Vec<_> =
        (0..66_000).map(|n| Planted::file(format!("{}/{n}", n / 1000), "x")).collect();
    let tree = plant(repo.store(), &files).await;
    let home = tempfile::tempdir().unwrap();
    let zip = whole(&repo, tree, ArchiveFormat::Zip).await;
    std::fs::write(home.path().join("book.zip"), zip).unwrap();
    let count = "import zipfile; z = zipfile.ZipFile('book.zip'); assert z.testzip() is None; \
                 print(len(z.namelist()), len(z.read('65/65999')))";
    let said = run("python3", &["-c", count], home.path());
    assert!(said.is_none_or(|said| said == "66000 1\n"));
    run("unzip", &["-tqq", "book.zip"], home.path());
}
