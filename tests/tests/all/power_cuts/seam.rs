//! The recording cannot lie: nothing in the local store asks the disk for anything but through the
//! one file that records it.

use std::collections::BTreeSet;
use std::fs;

use cas_tests::cli::workspace;

/// What changes a disk, or makes a change durable.
const CALLS: [&str; 21] = [
    "write_all",
    ".write(",
    "write_all_at",
    "set_len",
    "sync_data",
    "sync_all",
    "syncfs",
    "fsync",
    "fdatasync",
    "renameat",
    "linkat",
    "unlinkat",
    "mkdirat",
    "openat",
    "std::fs",
    "tokio::fs",
    "File::create",
    "OpenOptions",
    "io::copy",
    "ftruncate",
    "copy_file_range",
];

/// The lines of a file that ask the disk for something, without its tests and comments.
fn asking(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    lines.filter(|line| CALLS.iter().any(|call| line.contains(call))).map(str::to_owned).collect()
}

#[test]
fn the_local_store_asks_the_disk_in_one_file_only() {
    let folder = workspace().join("cas-core/src/store/local");
    let mut found = BTreeSet::new();
    for file in fs::read_dir(&folder).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let asking = asking(&fs::read_to_string(file.path()).unwrap());
        if name == "disk.rs" {
            assert!(asking.len() > 10, "the search finds nothing where all of it is: {asking:?}");
            continue;
        }
        found.extend(asking.into_iter().map(|line| format!("{name}: {line}")));
    }
    // The root of a new store, which is made before there is a store; reading; and writing through
    // the file that records.
    let known = [
        "mod.rs: std::fs::File::open(above)?.sync_all()?;",
        "mod.rs: std::fs::create_dir_all(&root)?;",
        "fresh.rs: temp.write(bytes)?;",
        "mod.rs: temp.write(part).map_err(|error| failed(key, error))?;",
        "stage.rs: self.temp.write(bytes)",
        "temp.rs: use std::fs::File;",
        "temp.rs: Ok(read) => self.write(&buffer[..read])?,",
    ];
    let known: BTreeSet<_> = known.iter().map(|line| (*line).to_owned()).collect();
    assert_eq!(found, known);
}
