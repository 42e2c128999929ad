//! Agents: the tools over HTTP, as bare messages. A client that is not ours is in `tests/mcp/`.

use cas_core::access::TokenSecret;
use cas_core::name::BlobId;
use cas_tests::web::Client;
use serde_json::{Value, json};

use super::access::Guarded;

/// What may be done with the tools.
struct Agent(Client);

impl Agent {
    fn new(client: Client) -> Self {
        Self(
            client
                .with("accept", "application/json, text/event-stream")
                .with("mcp-protocol-version", "2025-06-18"),
        )
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = self.0.request("POST", "/mcp").json(&message);
        let mut answer = request.send().await.expect(200).json();
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    /// The answer of a tool that succeeds.
    async fn call(&self, tool: &str, arguments: Value) -> Value {
        let mut result = self.result(tool, arguments).await;
        assert_ne!(result["isError"], true, "{result}");
        result["structuredContent"].take()
    }

    /// The error of a tool that fails.
    async fn fail(&self, tool: &str, arguments: Value) -> Value {
        let mut result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        result["structuredContent"].take()
    }

    async fn result(&self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }
}

/// A store with a book, whose maker may do everything, and an agent in their name.
async fn with_book() -> (Guarded, Agent) {
    let store = Guarded::start().await;
    let ada = store.token("ada", &["admin"]).await;
    let client = store.client(&ada);
    client.request("PUT", "/v1/books/guide").send().await.expect(201);
    (store, Agent::new(client))
}

fn agent(store: &Guarded, secret: &TokenSecret) -> Agent {
    Agent::new(store.client(secret))
}

fn lesson(content: &str) -> Value {
    json!({ "book": "guide", "path": "a.md", "content": content })
}

#[tokio::test]
async fn every_tool_and_argument_is_in_the_documentation() {
    let (_store, agent) = with_book().await;
    let text = include_str!("../../../docs/mcp.md");
    let (_, text) = text.split_once("## Tools\n").unwrap();
    let mut sections: Vec<_> = text.split("\n### ").skip(1).collect();
    let tools = agent.ask("tools/list", json!({})).await;
    for tool in tools["tools"].as_array().unwrap() {
        let name = tool["name"].as_str().unwrap();
        let place = sections.iter().position(|section| section.lines().next() == Some(name));
        let section = sections.remove(place.unwrap_or_else(|| panic!("{name} is not told of")));
        let about = tool["description"].as_str().unwrap();
        assert!(section.contains(about), "{name} is told of in other words: {about}");
        let schema = &tool["inputSchema"];
        let needed: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
        let mut rows: Vec<_> = section.lines().filter(|line| line.starts_with("| `")).collect();
        for (argument, schema) in schema["properties"].as_object().unwrap() {
            let mark = if needed.iter().any(|name| *name == argument) { " (needed)" } else { "" };
            let about = schema["description"].as_str().unwrap_or_default();
            let row = format!("| `{argument}`{mark} | {about} |");
            let place = rows.iter().position(|line| *line == row);
            rows.remove(place.unwrap_or_else(|| panic!("{name} is without the row {row}")));
        }
        assert!(rows.is_empty(), "{name} has no such arguments: {rows:?}");
    }
    assert!(sections.is_empty(), "no such tools: {sections:?}");
}

#[tokio::test]
async fn every_tool_says_what_it_does_to_the_store_and_what_it_answers() {
    let (_store, agent) = with_book().await;
    let tools = agent.ask("tools/list", json!({})).await;
    for tool in tools["tools"].as_array().unwrap() {
        let (name, hints) = (&tool["name"], &tool["annotations"]);
        assert!(hints["readOnlyHint"].is_boolean(), "{name}");
        assert!(hints["readOnlyHint"] == true || hints["destructiveHint"].is_boolean(), "{name}");
        let answer = &tool["outputSchema"];
        assert_eq!(answer["type"], "object", "{name}: {answer}");
        assert!(!answer["properties"].as_object().unwrap().is_empty(), "{name}");
        // What a schema refers to is in it.
        for reference in references(answer) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(answer.pointer(pointer).is_some(), "{name} has no {reference}");
        }
    }
}

/// Everything that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| match value {
                Value::String(target) if name == "$ref" => vec![target.clone()],
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn an_agent_needs_a_token_and_may_do_what_it_allows() {
    let (store, ada) = with_book().await;
    let stranger = store.stranger().with("accept", "application/json, text/event-stream");
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let refused = stranger.request("POST", "/mcp").json(&message).send().await.expect(401);
    assert_eq!(refused.code(), "unauthenticated");

    ada.call("write_content", lesson("one\n")).await;
    let reader = store.token("bob", &["read:guide:main"]).await;
    let bob = agent(&store, &reader);
    let read = bob.call("read_content", json!({ "book": "guide", "path": "a.md" })).await;
    assert_eq!(read["files"][0]["content"], "one\n");
    let refused = bob.fail("write_content", lesson("two\n")).await;
    assert_eq!((&refused["error"], &refused["status"]), (&json!("FORBIDDEN"), &json!(403)));
    let refused = bob.fail("delete_content", json!({ "book": "guide", "path": "a.md" })).await;
    assert_eq!(refused["error"], "FORBIDDEN");
}

#[tokio::test]
async fn one_readers_copy_is_never_shown_to_another() {
    let (store, ada) = with_book().await;
    ada.call("write_content", lesson("common words\n")).await;
    for user in ["eve", "kim"] {
        ada.call("branch_book", json!({ "book": "guide", "user": user })).await;
        let secret = format!("{user} alone\n");
        let file = json!({ "book": "guide", "user": user, "path": "own.md", "content": secret });
        ada.call("write_content", file).await;
    }
    let token = store.token("kim", &["write:guide:users/kim"]).await;
    let kim = agent(&store, &token);
    let own =
        kim.call("grep_search", json!({ "book": "guide", "user": "kim", "pattern": "alone" }));
    assert_eq!(own.await["lines"][0]["text"], "kim alone");
    let eve = json!({ "book": "guide", "user": "eve", "pattern": "**" });
    let file = json!({ "book": "guide", "user": "eve", "path": "own.md" });
    for (tool, arguments) in [
        ("grep_search", &eve),
        ("glob_search", &eve),
        ("list_assets", &eve),
        ("read_content", &file),
        ("read_content", &eve),
        ("get_asset", &file),
        ("get_book_archive", &eve),
        ("history", &eve),
        ("validate_book", &eve),
        ("plan_build", &json!({ "book": "guide", "user": "eve", "from": "users/kim" })),
        ("diff_versions", &json!({ "book": "guide", "from": "users/kim", "to": "users/eve" })),
    ] {
        let refused = kim.fail(tool, arguments.clone()).await;
        assert_eq!(refused["error"], "NOT_FOUND", "{tool}: {refused}");
        assert!(!refused.to_string().contains("eve alone"), "{tool}: {refused}");
    }
    let audit = kim.call("get_audit_log", json!({ "book": "guide" })).await;
    let entries = audit["entries"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["ref"] == "users/kim"), "{audit}");
}

#[tokio::test]
async fn of_32_that_write_what_they_all_read_one_wins() {
    let (_store, agent) = with_book().await;
    let made = agent.call("write_content", lesson("begin\n")).await;
    let seen = made["results"][0]["new"].clone();
    let writes = (0..32).map(|n| {
        let mut write = lesson(&format!("{n}\n"));
        write["expected_hash"] = seen.clone();
        agent.result("write_content", write)
    });
    let results = futures::future::join_all(writes).await;
    let lost: Vec<_> = results.iter().filter(|result| result["isError"] == true).collect();
    assert_eq!(lost.len(), 31);
    let read = agent.call("read_content", json!({ "book": "guide", "path": "a.md" })).await;
    for result in lost {
        let told = &result["structuredContent"];
        assert_eq!(told["error"], "CONFLICT", "{told}");
        assert_eq!(told["current"], read["files"][0]["id"], "{told}");
    }
}

#[tokio::test]
async fn what_is_refused_says_what_is_there_and_what_to_do() {
    let (_store, agent) = with_book().await;
    let made = agent.call("write_content", lesson("begin\n")).await;
    let told = agent.fail("write_content", lesson("again\n")).await;
    assert_eq!(told["error"], "HASH_REQUIRED");
    assert_eq!(told["current"], made["results"][0]["new"]);
    assert!(told["next"].as_str().unwrap().contains("expected_hash"));
    let mut stale = lesson("again\n");
    stale["expected_hash"] = json!("00".repeat(32));
    assert_eq!(agent.fail("write_content", stale).await["error"], "CONFLICT");
    for (error, tool, arguments) in [
        ("INVALID_ARGUMENT", "read_content", json!({ "path": "a.md" })),
        (
            "INVALID_ARGUMENT",
            "read_content",
            json!({ "book": "guide", "ref": "main", "user": "x" }),
        ),
        (
            "INVALID_ARGUMENT",
            "upload_asset",
            json!({ "book": "guide", "path": "a", "base64": "?" }),
        ),
        ("INVALID_ARGUMENT", "sync_branch", json!({ "book": "guide", "ref": "users/*" })),
        ("NOT_FOUND", "read_content", json!({ "book": "guide", "path": "no.md" })),
        ("NOT_FOUND", "list_assets", json!({ "book": "none" })),
        ("NOT_FOUND", "sync_branch", json!({ "book": "guide", "ref": "users/nobody" })),
    ] {
        let told = agent.fail(tool, arguments.clone()).await;
        assert_eq!(told["error"], error, "{tool} {arguments}: {told}");
    }
}

#[tokio::test]
async fn a_build_is_planned_from_the_tree_that_was_built_last() {
    let (_store, ada) = with_book().await;
    let main = json!({ "book": "guide", "from": "main" });
    let built = ada.call("plan_build", main).await;
    assert_eq!(built["status"], "unchanged");
    ada.call("write_content", lesson("one\n")).await;
    let tree = json!({ "book": "guide", "from": built["to"]["tree"] });
    let plan = ada.call("plan_build", tree).await;
    assert_eq!((&plan["status"], &plan["files"][0]["path"]), (&json!("changed"), &json!("a.md")));
    assert_eq!(plan["from"]["tree"], built["to"]["tree"]);
    assert!(plan["to"]["commit"].is_string() && plan["to"] != built["to"], "{plan}");
    let nothing = json!({ "book": "guide", "from": "0".repeat(64) });
    assert_eq!(ada.fail("plan_build", nothing).await["error"], "NOT_FOUND");
}

#[tokio::test]
async fn a_whole_version_is_restored_as_a_new_one() {
    let (_store, ada) = with_book().await;
    ada.call("edit_many", alike("edition 0", None)).await;
    let tree = ada.call("plan_build", json!({ "book": "guide", "from": "main" })).await;
    ada.call("edit_many", alike("edition 1", Some("edition 0"))).await;
    ada.call("write_content", lesson("new\n")).await;
    let back = json!({ "book": "guide", "from": "main~2", "message": "Back" });
    assert_eq!(ada.call("restore_version", back).await["changed"], true);
    let now = ada.call("plan_build", json!({ "book": "guide", "from": "main~1" })).await;
    assert_eq!(now["to"]["tree"], tree["to"]["tree"]);
    assert_eq!(now["files"].as_array().unwrap().len(), 9);
    let again = json!({ "book": "guide", "from": "main" });
    assert_eq!(ada.call("restore_version", again).await["changed"], false);
    let unsaid = json!({ "book": "guide" });
    assert_eq!(ada.fail("restore_version", unsaid).await["error"], "INVALID_ARGUMENT");
}

/// Puts the same text into each file, as one version; each had the text before, if any.
fn alike(text: &str, before: Option<&str>) -> Value {
    let put = |name| {
        let mut edit = json!({ "op": "put", "path": format!("ch/{name}.md"), "text": text });
        if let Some(before) = before {
            edit["expected_hash"] = BlobId::of(before.as_bytes()).to_string().into();
        }
        edit
    };
    let edits: Vec<_> = ('a'..='h').map(put).collect();
    json!({ "book": "guide", "message": "All alike", "edits": edits })
}

#[tokio::test]
async fn a_folder_is_read_as_one_version_has_it_while_others_change_it() {
    let (store, ada) = with_book().await;
    ada.call("edit_many", alike("edition 0", None)).await;
    let reader = agent(&store, &store.token("bob", &["read"]).await);
    let folder = json!({ "book": "guide", "path": "ch" });
    let (mut seen, mut written) = (std::collections::BTreeSet::new(), 0);
    let read = async {
        while seen.len() < 8 {
            let mut result = reader.result("read_content", folder.clone()).await;
            let read = result["structuredContent"].take();
            if read["code"] == "moving" {
                // On a busy machine the writer may be ahead each time; then nothing is told.
                continue;
            }
            assert_ne!(result["isError"], true, "{read}");
            let files = read["files"].as_array().unwrap();
            let texts: Vec<_> = files.iter().map(|file| &file["content"]).collect();
            assert_eq!(texts, [texts[0]; 8], "files of different versions");
            seen.insert(read["commit"].to_string());
        }
    };
    let write = async {
        loop {
            let before = format!("edition {written}");
            written += 1;
            ada.call("edit_many", alike(&format!("edition {written}"), Some(&before))).await;
        }
    };
    tokio::select! {
        () = read => {}
        _ = write => {}
    }
}

#[tokio::test]
async fn a_page_of_another_site_is_not_let_in_by_an_open_server() {
    let (_, _, server) = super::http_archive::served();
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let client = server.client().with("accept", "application/json, text/event-stream");
    let foreign = client.clone().with("origin", "https://evil.example");
    let refused = foreign.request("POST", "/mcp").json(&message).send().await.expect(403);
    assert_eq!(refused.code(), "foreign_origin");
    client.request("POST", "/mcp").json(&message).send().await.expect(200);
}
