//! Search through a server, against a model that looks at every file and line.

use cas_core::repo::{Globs, LinePattern, PatternOptions, SearchRequest};
use cas_tests::counting::CountingStore;
use cas_tests::env::test_env;
use cas_tests::planted::{Planted, plant};
use cas_tests::shape::Shape;
use serde_json::Value;

use super::archive::noise;
use super::http_archive::{publish, served};
use super::world::{actor, store_of};

/// A book with text, a picture, a link, and the same page in two places.
fn book() -> Vec<Planted> {
    vec![
        Planted::file("README.md", "# Trees\r\nA tree is a directory.\r\n"),
        Planted::file("ch1/lesson.md", "one\ntwo TREE\nthree\nétoile tree tree\n"),
        Planted::file("ch1/copy.md", "one\ntwo TREE\nthree\nétoile tree tree\n"),
        Planted::file("ch2/other.mdx", "nothing here"),
        Planted::file("cover.png", [b"tree\0", &noise(1000, 1)[..]].concat()),
        Planted::file("film.bin", noise(2_000_000, 2)),
        Planted::link("start", "tree.md"),
        Planted::file("long.md", format!("{}tree{}\n", "x".repeat(5000), "y".repeat(5000))),
    ]
}

fn found(answer: &Value) -> Vec<(String, u64, u64, String)> {
    let line = |line: &Value| {
        let number = |name: &str| line[name].as_u64().unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        (text("path"), number("line"), number("column"), text("text"))
    };
    answer["lines"].as_array().unwrap().iter().map(line).collect()
}

#[tokio::test]
async fn lines_are_found_with_their_places() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &book()).await;
    let commit = publish(&repo, "guide", "main", tree).await;
    let client = server.client();
    let grep = async |query: &str| {
        let by_ref = client.get(&format!("/v1/books/guide/refs/main/grep?{query}")).await;
        let by_ref = by_ref.expect(200).json();
        let by_id = client.get(&format!("/v1/trees/{tree}/grep?{query}")).await.expect(200).json();
        assert_eq!(by_ref["lines"], by_id["lines"]);
        assert_eq!(by_ref["commit"], commit.as_str());
        assert_eq!((&by_id["commit"], &by_id["tree"]), (&Value::Null, &tree.to_string().into()));
        by_ref
    };
    let line =
        |path: &str, line, column, text: &str| (path.to_owned(), line, column, text.to_owned());
    let answer = grep("pattern=tree&glob=**/*.md&glob=*.png").await;
    let lines = found(&answer);
    assert_eq!(
        lines[..3],
        [
            line("README.md", 2, 3, "A tree is a directory."),
            line("ch1/copy.md", 4, 8, "étoile tree tree"),
            line("ch1/lesson.md", 4, 8, "étoile tree tree"),
        ]
    );
    assert_eq!((lines[3].0.as_str(), lines[3].2), ("long.md", 5001));
    assert_eq!(answer["lines"][3]["cut"], true);
    assert!(lines[3].3.contains("tree") && lines[3].3.len() <= 400);
    assert_eq!(lines.len(), 4);
    assert_eq!((&answer["truncated"], &answer["files"]), (&false.into(), &4.into()));
    assert_eq!((&answer["skipped_binary"], &answer["skipped_large"]), (&1.into(), &0.into()));

    let answer = grep("pattern=tree&ignore_case=true").await;
    assert_eq!(found(&answer).len(), 7);
    assert_eq!((&answer["skipped_binary"], &answer["skipped_large"]), (&1.into(), &1.into()));
    assert_eq!(
        found(&grep("pattern=%5Etwo%20%5BA-Z%5D%2B%24&path=ch1/lesson.md").await),
        [line("ch1/lesson.md", 2, 1, "two TREE")]
    );
    assert_eq!(found(&grep("pattern=directory.&literal=true").await).len(), 1);
    assert_eq!(found(&grep("pattern=directory%5C.%24").await).len(), 1, "before a CR too");
    assert_eq!(found(&grep("pattern=%5B&literal=true").await).len(), 0);
}

#[tokio::test]
async fn a_limit_cuts_the_same_lines_off_every_time() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &book()).await;
    let client = server.client();
    let at = format!("/v1/trees/{tree}/grep?pattern=(?i)tree");
    let all = client.get(&at).await.expect(200).json();
    let all = all["lines"].as_array().unwrap().clone();
    for limit in 1..=all.len() {
        let some = client.get(&format!("{at}&limit={limit}")).await.expect(200).json();
        assert_eq!(some["lines"].as_array().unwrap()[..], all[..limit]);
        assert_eq!(some["truncated"], limit < all.len());
    }
}

#[tokio::test]
async fn bad_patterns_are_told_from_bad_questions() {
    let (_, repo, server) = served();
    let tree = plant(repo.store(), &book()).await;
    let client = server.client();
    for (query, code) in [
        ("grep?pattern=(", "bad_pattern"),
        ("grep?pattern=", "bad_pattern"),
        ("grep?pattern=a%5Cnb", "bad_pattern"),
        ("grep?pattern=(%5Cw%7B100%7D)%7B100%7D", "bad_pattern"),
        ("grep?pattern=a&glob=%5Bx", "bad_pattern"),
        ("grep", "bad_query"),
        ("grep?pattern=a&limit=x", "bad_query"),
        ("glob?pattern=%5Bx", "bad_pattern"),
        ("glob", "bad_query"),
        ("glob?pattern=*&cursor=../x", "bad_name"),
    ] {
        let answer = client.get(&format!("/v1/trees/{tree}/{query}")).await.expect(400);
        assert_eq!(answer.code(), code, "{query}");
    }
    let answer = client.get(&format!("/v1/trees/{tree}/grep?pattern=a&path=x")).await.expect(404);
    assert_eq!(answer.code(), "no_path");
    let nobody = "0".repeat(64);
    let answer = client.get(&format!("/v1/trees/{nobody}/grep?pattern=a")).await.expect(404);
    assert_eq!(answer.code(), "no_object");
}

#[tokio::test]
async fn files_are_found_page_by_page() {
    let (_, repo, server) = served();
    let shape = Shape { files: 300, folders: 20 };
    let files: Vec<_> =
        shape.paths().into_iter().map(|path| Planted::file(path.clone(), path)).collect();
    let tree = plant(repo.store(), &files).await;
    publish(&repo, "guide", "main", tree).await;
    let client = server.client();
    let mut expected = shape.paths();
    expected.sort_unstable();
    for (pattern, path) in
        [("**", ""), ("part-01/**/*.md", ""), ("*/*/page-00?.md", "part-02"), ("x", "")]
    {
        let globs = Globs::parse([pattern]).unwrap();
        let chosen = |found: &&String| globs.is_match(found) && found.starts_with(path);
        let expected: Vec<_> = expected.iter().filter(chosen).collect();
        for limit in [7, 1000] {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let query = format!("pattern={pattern}&path={path}&limit={limit}{cursor}");
                let page = client.get(&format!("/v1/books/guide/refs/main/glob?{query}")).await;
                let page = page.expect(200).json();
                let files = page["files"].as_array().unwrap();
                found.extend(files.iter().map(|file| file["path"].as_str().unwrap().to_owned()));
                assert_eq!(page["truncated"].as_bool().unwrap(), page["next"].is_string());
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{pattern} {path} {limit}");
        }
    }
}

/// Content that several files share is read once, and a limit of bytes ends the search at a file.
#[tokio::test]
async fn a_search_reads_no_more_than_it_must() {
    let (memory, plain, _server) = served();
    let mut files: Vec<_> =
        (0..40).map(|n| Planted::file(format!("same/{n:02}"), "tree")).collect();
    files.push(Planted::file("z", "tree of its own"));
    let tree = plant(plain.store(), &files).await;
    let counting = std::sync::Arc::new(CountingStore::new(memory));
    let env = test_env(11);
    let store = store_of(counting.clone(), &env);
    let repo = cas_core::repo::Repository::new(store, env, actor("ada"), 4);
    let request = |lines, bytes| SearchRequest {
        tree,
        path: cas_core::name::BookPath::root(),
        globs: Globs::default(),
        pattern: LinePattern::parse("tree", PatternOptions::default()).unwrap(),
        lines,
        bytes,
    };
    counting.take();
    let report = repo.search(&request(1000, 1 << 20)).await.unwrap();
    assert_eq!((report.lines.len(), report.files, report.truncated), (41, 41, false));
    assert_eq!(counting.take().get, 4, "two trees and two contents");
    let report = repo.search(&request(1000, 4 * 10 + 3)).await.unwrap();
    assert_eq!((report.lines.len(), report.bytes, report.truncated), (10, 40, true));
    let report = repo.search(&request(41, 1 << 20)).await.unwrap();
    assert_eq!((report.lines.len(), report.truncated), (41, false));
}
