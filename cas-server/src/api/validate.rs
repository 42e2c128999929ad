//! A version against the rules of its book.

use axum::extract::State;
use cas_core::name::{BookId, BookPath, RefName};
use cas_core::schema::Violation;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::choice::version_at;
use super::extract::Path;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, ProblemView};

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(validate_ref))
}

/// What a version breaks.
#[derive(Debug, Serialize, ToSchema)]
struct Validation {
    /// The commit that was looked at.
    commit: String,
    /// Where it comes from: `own`, or `upstream` where the branch is not there yet.
    source: &'static str,
    /// Whether there is no error.
    ok: bool,
    /// How many errors there are.
    errors: usize,
    /// How many warnings there are.
    warnings: usize,
    /// All of them, in the order of their paths.
    violations: Vec<ViolationView>,
}

/// A rule that a path breaks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Violation)]
pub(super) struct ViolationView {
    /// The file or folder; empty for the root.
    path: String,
    /// The rule's code, as in `docs/schema.md`.
    rule: &'static str,
    /// What is wrong, for people.
    message: String,
    /// `error` or `warning`.
    severity: &'static str,
}

impl From<Violation> for ViolationView {
    fn from(Violation { path, rule, message, severity }: Violation) -> Self {
        Self { path, rule, message, severity: severity.as_str() }
    }
}

/// What a version breaks of the rules of its `book.toml`
///
/// A version with errors is refused when it is made, so what is found here are warnings, unless the
/// version is older than the rule.
#[utoipa::path(
    get, path = "/v1/books/{book}/refs/{ref}/validate", tag = "refs",
    params(
        ("book" = String, Path, description = "The book"),
        ("ref" = String, Path, description = "The ref, its slashes as %2F"),
    ),
    responses(
        (status = 200, description = "Everything that is wrong", body = Validation),
        (status = 404, description = "`no_book`, `no_ref` or `ref_deleted`", body = ProblemView,
            content_type = "application/problem+json"),
    )
)]
async fn validate_ref(
    State(app): State<App>,
    caller: Caller,
    Path((book, name)): Path<(BookId, RefName)>,
) -> Result<axum::Json<Validation>, Problem> {
    let version = version_at(&app, &caller, book, name, &BookPath::root()).await?;
    let violations = version.repo.validate(version.tree, None).await?;
    let errors = violations.iter().filter(|found| found.is_error()).count();
    Ok(axum::Json(Validation {
        commit: version.id.to_string(),
        source: version.source.as_str(),
        ok: errors == 0,
        errors,
        warnings: violations.len() - errors,
        violations: violations.into_iter().map(ViolationView::from).collect(),
    }))
}
