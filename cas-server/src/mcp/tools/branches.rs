//! Branches: making one, and bringing it up to what it follows.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Effect, Place, Told, Tool};
use crate::mcp::door::{Ask, Door};
use crate::mcp::failure::Failure;
use crate::mcp::schema;

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "branch_book",
            Effect::Adds,
            "Makes a branch, such as a reader's own copy. One that is there already is left alone.",
            schema::answer("MadeBranches"),
            branch_book,
        ),
        Tool::new(
            "sync_branch",
            Effect::Replaces,
            "Brings a branch up to what it follows, merging what both changed. In conflict nothing is \
             written, and every path is told, unless on_conflict says what to take.",
            schema::of::<Synced>(),
            sync_branch,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct NewBranch {
    #[serde(flatten)]
    place: Place,
    /// Where it begins: main if it is not given, or main~2, tags/v1, a commit's id.
    from: Option<String>,
    /// live: its readers see what it follows at once; or pinned.
    follow: Option<String>,
    /// Why, for the record.
    message: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Sync {
    #[serde(flatten)]
    place: Place,
    /// What to take where both changed the same: fail (the default), ours, theirs or markers.
    on_conflict: Option<String>,
    /// Only say what would come of it.
    #[serde(default)]
    dry_run: bool,
    /// Why, for the record.
    message: Option<String>,
}

/// What became of a branch.
#[derive(Debug, Serialize, JsonSchema)]
struct Synced {
    /// up-to-date, fast-forward, merged, conflict, skipped or failed.
    status: Value,
    /// Why it was skipped or failed.
    reason: Value,
    /// The merge: commit, and conflicts with their paths and reasons.
    merge: Value,
}

async fn branch_book(door: Door, new: NewBranch) -> Told {
    let NewBranch { place, from, follow, message } = new;
    if place.name.is_none() && place.user.is_none() {
        return Err(Failure::bad_argument("give ref or user: the branch that is to be made"));
    }
    let body = json!({
        "refs": [place.name()?],
        "to": from.as_deref().unwrap_or("main"),
        "message": message,
        "follow": follow,
    });
    door.json(Ask::new(Method::POST, &["books", &place.book, "refs"]).body(&body)?).await
}

async fn sync_branch(door: Door, sync: Sync) -> Told {
    let Sync { place, on_conflict, dry_run, message } = sync;
    let name = place.name()?;
    if name.contains('*') {
        return Err(Failure::bad_argument("ref names one branch, not a pattern"));
    }
    let body = json!({
        "pattern": name,
        "on_conflict": on_conflict,
        "dry_run": dry_run,
        "message": message,
    });
    let ask = Ask::new(Method::POST, &["books", &place.book, "sync"]).body(&body)?;
    let answer = door.ask(ask).await?;
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut synced, mut done) = (None, false);
    for line in lines {
        let mut line: Value =
            serde_json::from_slice(line).map_err(|error| Failure::unreadable(&error))?;
        if line["done"] == Value::Bool(true) {
            done = true;
        } else {
            let (status, reason) = (line["status"].take(), line["reason"].take());
            synced = Some(Synced { status, reason, merge: line["merge"].take() });
        }
    }
    match synced {
        Some(synced) if done => Ok(json!(synced)),
        _ if !done => Err(Failure::cut_off()),
        _ => Err(Failure::not_there(format!("there is no branch {name} that may be written to"))),
    }
}
