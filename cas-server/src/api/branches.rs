//! Making many branches at once.

use std::collections::BTreeSet;

use axum::extract::State;
use cas_core::name::{BookId, BookPath, RefName, Revision};
use cas_core::refs::Follow;
use cas_core::repo::{BRANCHES_AT_ONCE, BranchMade, RepoError, UpstreamChoice};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::extract::{Json, Path};
use super::refs::said;
use crate::app::App;
use crate::caller::{Caller, Verb};
use crate::problem::{Problem, ProblemView};
use crate::request_id::Key;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_branches))
}

/// The branches that are to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBranches {
    /// Their names: 1 to 1,024 of them.
    refs: Vec<String>,
    /// Where they begin, a revision of the same book: `main`, `main~2`, `main#7`, `tags/v1`, or the
    /// first 8 or more digits of a commit's id.
    to: String,
    /// Why, for the record.
    message: Option<String>,
    /// What they follow: a branch of the same book, or `null` for nothing. Where it is not said, the
    /// branch that `to` names.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<String>)]
    upstream: UpstreamChoice,
    /// How they follow it: `live` or `pinned`. Where it is not said, as the book's `[[personal]]`
    /// rules say for each name, else `pinned`.
    #[schema(value_type = Option<String>)]
    follow: Option<Follow>,
}

/// What became of many branches.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = MadeBranches)]
struct MadeBranches {
    /// How many were made.
    created: usize,
    /// How many are there as if they had been made so.
    existing: usize,
    /// How many names other branches have.
    in_the_way: usize,
    /// How many could not be made.
    failed: usize,
    /// What became of each, in the order in which they were named.
    refs: Vec<MadeBranch>,
}

/// What became of one of many branches.
#[derive(Debug, Serialize, ToSchema)]
struct MadeBranch {
    /// The branch.
    r#ref: String,
    /// `created`; `existing`, where it points at the same commit or follows the same upstream
    /// already; `in the way`, where it is another branch; or `failed`.
    outcome: &'static str,
    /// The commit that it points at.
    commit: Option<String>,
    /// The position of the newest entry of its log.
    seq: Option<u64>,
    /// Which problem it failed by.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// A name that no branch can have.
#[derive(Debug, Serialize)]
struct BadName<'a> {
    r#ref: &'a str,
    reason: String,
}

/// Make many branches at one version
///
/// Each is one log entry. What is there already is left alone, so that the request can be repeated,
/// with or without the same key. Refused as a whole, with nothing made, unless every name is one of
/// a branch that the caller may write to.
#[utoipa::path(
    post, path = "/v1/books/{book}/refs", tag = "refs",
    request_body = NewBranches,
    params(
        ("book" = String, Path, description = "The book"),
        ("idempotency-key" = Option<String>, Header,
            description = "Repeated with the same key, it is done once"),
    ),
    responses(
        (status = 200, description = "What became of each", body = MadeBranches),
        (status = 400, description = "`bad_names`: too many or none; `bad_name`, with the bad ones \
            as `names`", body = ProblemView, content_type = "application/problem+json"),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 409, description = "`bad_upstream`: they cannot follow that", body = ProblemView,
            content_type = "application/problem+json"),
        (status = 422, description = "`schema_violation`, with `violations`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn create_branches(
    State(app): State<App>,
    caller: Caller,
    Key(request_id): Key,
    Path(book): Path<BookId>,
    Json(NewBranches { refs, to, message, upstream, follow }): Json<NewBranches>,
) -> Result<axum::Json<MadeBranches>, Problem> {
    caller.must_see_book(&book)?;
    let names = branch_names(&refs)?;
    for name in &names {
        caller.may_ref(Verb::Write, &book, name)?;
    }
    // A branch opens what it points at to whoever may read the branch.
    let from = Revision::parse(&format!("{book}@{to}"))?;
    caller.may_read(&from, &BookPath::root())?;
    if let UpstreamChoice::Named(upstream) = &upstream {
        caller.may_ref(Verb::Read, &book, upstream)?;
    }
    let repo = app.repo(&caller);
    let start = repo.branch_start(&from, &upstream, follow).await?;
    let message = message.unwrap_or_else(|| format!("from {from}"));
    let made = repo.create_branches(&names, &start, &message, Some(&request_id)).await?;
    let mut answer = MadeBranches::default();
    for (name, made) in names.iter().zip(made) {
        answer.add(name, made);
    }
    Ok(axum::Json(answer))
}

/// The names, all of which must be ones of branches.
fn branch_names(refs: &[String]) -> Result<Vec<RefName>, Problem> {
    if refs.is_empty() || refs.len() > BRANCHES_AT_ONCE {
        let rule = format!("1 to {BRANCHES_AT_ONCE} branches are made at once");
        return Err(Problem::bad_request("bad_names", rule));
    }
    let (mut names, mut bad) = (Vec::with_capacity(refs.len()), Vec::new());
    let mut met = BTreeSet::new();
    for text in refs {
        match RefName::parse(text) {
            Ok(name) if name.is_tag() => {
                bad.push(BadName { r#ref: text, reason: "it is a tag".to_owned() });
            }
            Ok(name) if !met.insert(name.clone()) => {
                bad.push(BadName { r#ref: text, reason: "it is there twice".to_owned() });
            }
            Ok(name) => names.push(name),
            Err(error) => bad.push(BadName { r#ref: text, reason: error.rule }),
        }
    }
    if bad.is_empty() {
        return Ok(names);
    }
    let detail = format!("{} of the names are none of branches: nothing was made", bad.len());
    Err(Problem::bad_request("bad_name", detail).with("names", bad))
}

impl MadeBranches {
    fn add(&mut self, name: &RefName, made: Result<BranchMade, RepoError>) {
        let count = match &made {
            Ok(BranchMade::Created(_)) => &mut self.created,
            Ok(BranchMade::Existing(_)) => &mut self.existing,
            Ok(BranchMade::InTheWay(_)) => &mut self.in_the_way,
            Err(_) => &mut self.failed,
        };
        *count += 1;
        let r#ref = name.to_string();
        self.refs.push(match made {
            Ok(made) => {
                let entry = &made.head().entry;
                let commit = entry.target.map(|commit| commit.to_string());
                let (outcome, seq) = (made.as_str(), Some(entry.seq));
                MadeBranch { r#ref, outcome, commit, seq, code: None }
            }
            Err(error) => {
                let code = Some(Problem::from(&error).code());
                MadeBranch { r#ref, outcome: "failed", commit: None, seq: None, code }
            }
        });
    }
}
