//! The tools.
//!
//! Each is a name, what it takes, what it gives, and a function from one to the other that asks the
//! operations of the HTTP API. Names and arguments stay near those of the system before this one.

mod books;
mod branches;
mod edits;
mod read;
mod search;
mod versions;

use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use axum::http::Method;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool as Description, ToolAnnotations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::door::{Ask, Door};
use super::failure::Failure;
use super::schema;

/// What came of a tool.
type Told = Result<Value, Failure>;

/// A tool's function, whatever it takes.
type Run =
    Box<dyn Fn(Door, JsonObject) -> Pin<Box<dyn Future<Output = Told> + Send>> + Send + Sync>;

/// Something that an agent can do.
pub(super) struct Tool {
    description: Description,
    run: Run,
}

/// What calling a tool does to the store.
#[derive(Debug, Clone, Copy)]
enum Effect {
    /// Nothing.
    Reads,
    /// It adds; what was there stays where it is.
    Adds,
    /// It replaces or removes what is there at a ref; versions before keep it.
    Replaces,
    /// The same, and doing it twice is as doing it once.
    Settles,
}

/// All tools, in the order of their groups.
pub(super) static TOOLS: LazyLock<Vec<Tool>> = LazyLock::new(|| {
    [
        books::tools(),
        read::tools(),
        edits::tools(),
        search::tools(),
        versions::tools(),
        branches::tools(),
    ]
    .into_iter()
    .flatten()
    .collect()
});

/// The tool of this name.
pub(super) fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.description.name == name)
}

impl Tool {
    fn new<A, R, F>(
        name: &'static str,
        effect: Effect,
        about: &'static str,
        answer: JsonObject,
        run: F,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: Future<Output = Told> + Send + 'static,
        F: Fn(Door, A) -> R + Send + Sync + 'static,
    {
        let description = Description::new(name, about, schema::of::<A>())
            .with_raw_output_schema(Arc::new(answer))
            .with_annotations(effect.annotations());
        let run: Run = Box::new(move |door, arguments| {
            match serde_json::from_value::<A>(Value::Object(arguments)) {
                Ok(arguments) => Box::pin(run(door, arguments)),
                Err(error) => Box::pin(std::future::ready(Err(Failure::arguments(&error)))),
            }
        });
        Self { description, run }
    }

    /// What an agent is told about it.
    pub(super) fn described(&self) -> Description {
        self.description.clone()
    }

    /// Does it.
    pub(super) async fn call(&self, door: Door, arguments: JsonObject) -> CallToolResult {
        match (self.run)(door, arguments).await {
            Ok(told) => {
                let mut result =
                    CallToolResult::success(vec![ContentBlock::text(told.to_string())]);
                result.structured_content = Some(told);
                result
            }
            Err(failure) => failure.into(),
        }
    }
}

impl Effect {
    fn annotations(self) -> ToolAnnotations {
        let annotations = ToolAnnotations::new().open_world(false);
        match self {
            Self::Reads => annotations.read_only(true),
            Self::Adds => annotations.read_only(false).destructive(false).idempotent(false),
            Self::Replaces => annotations.read_only(false).destructive(true).idempotent(false),
            Self::Settles => annotations.read_only(false).destructive(true).idempotent(true),
        }
    }
}

/// Which version of which book.
#[derive(Debug, Deserialize, JsonSchema)]
struct Place {
    /// The book.
    book: String,
    /// The branch or tag: main if neither this nor user is given.
    #[serde(rename = "ref")]
    name: Option<String>,
    /// In place of ref: whose own copy it is, the branch users/USER.
    user: Option<String>,
}

/// Which part of a list.
#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    /// Most entries to answer with, at most 1000.
    limit: Option<usize>,
    /// Where to go on: next of the answer before.
    cursor: Option<String>,
}

impl Page {
    /// The same question about this part of its answer.
    fn of(self, ask: Ask) -> Ask {
        ask.with_some("limit", self.limit).with_some("cursor", self.cursor)
    }
}

impl Place {
    /// A request for one of the operations on the ref.
    fn ask(&self, method: Method, operation: &str) -> Result<Ask, Failure> {
        Ok(Ask::new(method, &["books", &self.book, "refs", &self.name()?, operation]))
    }

    /// A question about the ref.
    fn get(&self, operation: &str) -> Result<Ask, Failure> {
        self.ask(Method::GET, operation)
    }

    /// The name of the ref.
    fn name(&self) -> Result<String, Failure> {
        match (&self.name, &self.user) {
            (Some(_), Some(_)) => Err(Failure::bad_argument("give ref or user, not both")),
            (Some(name), None) => Ok(name.clone()),
            (None, Some(user)) => Ok(format!("users/{user}")),
            (None, None) => Ok("main".to_owned()),
        }
    }
}
