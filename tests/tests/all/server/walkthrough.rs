//! The walk-through in `docs/http-api.md`, run as it stands there.

use std::path::Path;
use std::process::Command;

use cas_core::env::Env;
use cas_tests::server::TestServer;
use cas_tests::skip_loudly;

use super::store_at;

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_through_of_the_documentation_does_what_it_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        skip_loudly("there is no curl: the walk-through of docs/http-api.md was not run");
        return;
    }
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/http-api.md");
    let document = std::fs::read_to_string(document).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = store_at(&folder.path().join("store")).await;
    let server = TestServer::start(&store, &Env::system());
    let script = script(&document);
    let output = tokio::task::block_in_place(|| {
        Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .env("CAS", server.url())
            .current_dir(folder.path())
            .output()
            .unwrap()
    });
    let (said, wanted) = (String::from_utf8_lossy(&output.stdout), expected(&document));
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{failed}");
    assert_eq!(said.trim(), wanted.trim(), "{failed}");
}

/// The blocks of shell commands below the heading "A walk-through".
fn blocks(document: &str) -> impl Iterator<Item = &str> {
    let (_, rest) = document.split_once("\n## A walk-through\n").unwrap();
    let section = rest.split("\n## ").next().unwrap_or_default();
    section.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next())
}

fn script(document: &str) -> String {
    let blocks: Vec<_> = blocks(document).collect();
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    blocks.join("\n")
}

/// What the commands print: the comments beside them.
fn expected(document: &str) -> String {
    let lines = blocks(document).flat_map(str::lines);
    lines.filter_map(|line| line.strip_prefix("# ")).map(|line| format!("{line}\n")).collect()
}
