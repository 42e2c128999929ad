//! Versions: how they differ, what happened, and going back.

use axum::http::Method;
use cas_core::name::TreeId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Effect, Page, Place, Told, Tool};
use crate::mcp::door::{Ask, Door};
use crate::mcp::failure::Failure;
use crate::mcp::schema;

/// Most changes that a plan names; with more, everything is to be built.
const PLANNED: usize = 10_000;

/// How many changes are asked for at once.
const PAGE: usize = 1_000;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "diff_versions",
            Effect::Reads,
            "How two versions differ, by path, a page at a time.",
            schema::answer("Diff"),
            diff_versions,
        ),
        Tool::new(
            "plan_build",
            Effect::Reads,
            "What a build has to do that was last made from a commit or tree, or at a time: every path \
             that differs by now, with its ids before and after.",
            schema::of::<Plan>(),
            plan_build,
        ),
        Tool::new(
            "history",
            Effect::Reads,
            "The versions of a branch, newest first; with path those that changed it.",
            schema::answer("History"),
            history,
        ),
        Tool::new(
            "get_audit_log",
            Effect::Reads,
            "Who did what to a book, newest first; with path each change of that file, with its ids \
             before and after.",
            schema::answer("Audit"),
            get_audit_log,
        ),
        Tool::new(
            "restore_version",
            Effect::Replaces,
            "Makes files or folders, or all, what they were in an earlier version, or some what they are \
             upstream, as a new version.",
            schema::answer("EditReport"),
            restore_version,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Compared {
    /// The book.
    book: String,
    /// The version before: main~1, main#3, tags/v1, or the first 8 or more digits of a commit's id.
    from: String,
    /// The version after; main if it is not given.
    to: Option<String>,
    /// Only what is at this path or below it.
    path: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Planned {
    #[serde(flatten)]
    place: Place,
    /// What was built last: a revision such as a commit's id, a tree's id, or a time (RFC 3339).
    from: String,
}

/// What is to be built.
#[derive(Debug, Serialize, JsonSchema)]
struct Plan {
    /// unchanged; changed; or full, where more changed than is named.
    status: &'static str,
    /// The version that was built: its commit and tree.
    from: Value,
    /// The version that is to be built. Its tree is the id of the manifest.
    to: Value,
    /// The paths that differ: path, status, from, old and new.
    files: Vec<Value>,
    /// How many were added, changed, removed and renamed.
    summary: Value,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Traced {
    #[serde(flatten)]
    place: Place,
    /// Only versions that changed this path.
    path: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Audited {
    /// The book.
    book: String,
    /// Only refs that match: * within a segment, ** across.
    pattern: Option<String>,
    /// Only changes of this file or folder.
    path: Option<String>,
    /// Only changes by this actor.
    actor: Option<String>,
    /// Only changes by this operation, such as put, delete, merge.
    operation: Option<String>,
    /// Not before this time (RFC 3339).
    since: Option<String>,
    /// Not after this time (RFC 3339).
    until: Option<String>,
    #[serde(flatten)]
    page: Page,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Restored {
    #[serde(flatten)]
    place: Place,
    /// The files and folders; everything that differs if none is named.
    #[serde(default)]
    paths: Vec<String>,
    /// The version: main~2, main#7, tags/v1, a commit's id; or upstream, which it is if not given.
    from: Option<String>,
    /// Why, for the record.
    message: Option<String>,
}

async fn diff_versions(door: Door, compared: Compared) -> Told {
    let Compared { book, from, to, path, page } = compared;
    let ask = Ask::get(&["books", &book, "diff"])
        .with("from", from)
        .with("to", to.as_deref().unwrap_or("main"))
        .with_some("path", path);
    door.json(page.of(ask)).await
}

async fn plan_build(door: Door, planned: Planned) -> Told {
    let Planned { place, mut from } = planned;
    if from.parse::<jiff::Timestamp>().is_ok() {
        from = version_at(&door, &place, &from).await?;
    }
    let (book, name) = (&place.book, place.name()?);
    let versions = || Ask::get(&["books", book, "diff"]).with("from", &from).with("to", &name);
    let plan = match compare(&door, versions).await {
        Err(failure) if failure.is_not_found() && from.parse::<TreeId>().is_ok() => {
            let same = Ask::get(&["books", book, "diff"]).with("from", &name).with("to", &name);
            let to = door.json(same).await?["to"].take();
            let tree = to["tree"].as_str().unwrap_or_default();
            let trees = || Ask::get(&["trees", &from, "diff", tree]);
            Plan { to: to.clone(), ..compare(&door, trees).await? }
        }
        plan => plan?,
    };
    Ok(json!(plan))
}

/// What differs, by an operation that tells it in pages.
async fn compare(door: &Door, ask: impl Fn() -> Ask) -> Result<Plan, Failure> {
    let (mut files, mut cursor, mut first) = (Vec::new(), None::<String>, None::<Value>);
    loop {
        let page = ask().with("limit", PAGE).with_some("cursor", cursor.take());
        let mut page = door.json(page).await?;
        if first.as_ref().is_some_and(|first| page["to"] != first["to"]) {
            // The branch moved between two pages: the plan is of what is there now.
            (files, first) = (Vec::new(), None);
            continue;
        }
        let next = page["next"].as_str().map(str::to_owned);
        if let Value::Array(changes) = page["changes"].take() {
            files.extend(changes);
        }
        let first = first.get_or_insert(page);
        if next.is_some() && files.len() < PLANNED {
            cursor = next;
            continue;
        }
        let status = match (next, first["status"].as_str()) {
            (Some(_), _) => "full",
            (None, Some("unchanged")) => "unchanged",
            (None, _) => "changed",
        };
        if status == "full" {
            files.clear();
        }
        let (from, to) = (first["from"].take(), first["to"].take());
        return Ok(Plan { status, from, to, files, summary: first["summary"].take() });
    }
}

/// The version that a ref pointed at, at a time.
async fn version_at(door: &Door, place: &Place, time: &str) -> Result<String, Failure> {
    let (name, mut cursor) = (place.name()?, None::<String>);
    loop {
        let ask = place.get("log")?.with("until", time).with_some("cursor", cursor);
        let log = door.json(ask).await?;
        if let Some(entry) = log["entries"].as_array().and_then(|entries| entries.first()) {
            if entry["target"].is_null() {
                let detail = format!("{name} was deleted at {time}: give a commit");
                return Err(Failure::bad_argument(detail));
            }
            // By its position: whoever may read the ref may read that, but no commit by its id.
            return Ok(format!("{name}#{}", entry["seq"]));
        }
        match log["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => {
                let detail = format!("{name} was not there yet at {time}: give a commit");
                return Err(Failure::bad_argument(detail));
            }
        }
    }
}

async fn history(door: Door, traced: Traced) -> Told {
    let Traced { place, path, page } = traced;
    let ask = place.get("history")?.at(path.as_deref().unwrap_or_default());
    door.json(page.of(ask)).await
}

async fn get_audit_log(door: Door, audited: Audited) -> Told {
    let Audited { book, pattern, path, actor, operation, since, until, page } = audited;
    let ask = Ask::get(&["books", &book, "audit"])
        .with_some("pattern", pattern)
        .with_some("path", path)
        .with_some("actor", actor)
        .with_some("operation", operation)
        .with_some("since", since)
        .with_some("until", until);
    door.json(page.of(ask)).await
}

async fn restore_version(door: Door, restored: Restored) -> Told {
    let Restored { place, mut paths, from, message } = restored;
    if paths.is_empty() {
        paths = differing(&door, &place, from.as_deref()).await?;
    }
    let body = json!({ "paths": paths, "from": from, "message": message });
    door.json(place.ask(Method::POST, "restore-paths")?.body(&body)?).await
}

/// Every path at which a branch is not as in a version; if there is none, one that is as it was.
async fn differing(door: &Door, place: &Place, from: Option<&str>) -> Result<Vec<String>, Failure> {
    let Some(from) = from.filter(|from| *from != "upstream") else {
        return Err(Failure::bad_argument("name paths, or a version in `from`"));
    };
    let name = place.name()?;
    let plan = compare(door, || {
        Ask::get(&["books", &place.book, "diff"]).with("from", &name).with("to", from)
    });
    let plan = plan.await?;
    if plan.status == "full" {
        let detail = format!("more than {PLANNED} files differ: name folders in `paths`");
        return Err(Failure::bad_argument(detail));
    }
    let files = match plan.status {
        "unchanged" => door.json(place.get("files")?).await?["entries"].take(),
        _ => Value::Array(plan.files),
    };
    let named = files.as_array().into_iter().flatten().flat_map(|at| [&at["path"], &at["from"]]);
    let paths = named.filter_map(Value::as_str).map(str::to_owned);
    Ok(if plan.status == "unchanged" { paths.take(1).collect() } else { paths.collect() })
}
