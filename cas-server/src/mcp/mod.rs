//! The Model Context Protocol: the store as tools and resources for AI agents (`docs/mcp.md`).
//!
//! - `door`: how a tool asks, by the operations of the HTTP API in the same process.
//! - `failure`: what could not be done, so that an agent can go on.
//! - `schema`: what tools take and give, as JSON Schema.
//! - `tools`: the tools, one file for each group.
//! - `resources`: files as `book://BOOK/REF/PATH`; `complete`: what may stand there.
//! - [`serve_mcp`]: over standard input and output, for `cas mcp`; [`service`] over HTTP, at `/mcp`.

mod complete;
mod door;
mod failure;
mod resources;
mod schema;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use cas_core::name::Actor;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
    Tool as Description,
};
use rmcp::service::{RequestContext, RoleServer, ServiceExt};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::app::App;
use crate::caller::Caller;
use door::Door;
use tools::{TOOLS, tool};

/// What an agent is told about the store before it asks anything.
const INSTRUCTIONS: &str = "\
Books are trees of files with versions. `ref` names a branch (main if absent) or a tag (tags/v1); `user` stands for \
the branch users/USER, a reader's own copy. Every file has an id, the hash of its content: read a file, then write it \
with its id as expected_hash. A write that is refused tells `error`, what is there now and what to do next. Several \
files belong in one edit_many: all are written, as one version, or none.";

/// The store for one agent.
#[derive(Debug, Clone)]
pub(crate) struct Agent {
    app: App,
    operations: Router,
    /// Whoever asks where no request says it.
    caller: Option<Caller>,
}

/// The protocol over HTTP. It keeps no sessions: any server can answer any request.
pub(crate) fn service(
    app: &App,
    operations: Router,
) -> StreamableHttpService<Agent, NeverSessionManager> {
    let agent = Agent { app: app.clone(), operations, caller: None };
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(app.settings().body_limit)
        // Who may ask is found out before, for this path as for all others.
        .disable_allowed_hosts();
    StreamableHttpService::new(move || Ok(agent.clone()), Arc::default(), config)
}

/// Speaks the protocol with one client, who may do everything in `actor`'s name, until it ends the
/// conversation.
///
/// # Errors
///
/// What the client sends first is not the protocol, or cannot be answered.
pub async fn serve_mcp(
    app: &App,
    actor: Actor,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), std::io::Error> {
    let operations = crate::api::operations(app);
    let agent = Agent { app: app.clone(), operations, caller: Some(Caller::everything(actor)) };
    let running = agent.serve((input, output)).await.map_err(std::io::Error::other)?;
    running.waiting().await.map_err(std::io::Error::other)?;
    Ok(())
}

impl Agent {
    /// The operations, for whoever asks.
    fn door(&self, context: &RequestContext<RoleServer>) -> Result<Door, ErrorData> {
        let parts = context.extensions.get::<Parts>();
        let asking = parts.and_then(|parts| parts.extensions.get::<Caller>());
        let Some(caller) = asking.or(self.caller.as_ref()) else {
            return Err(ErrorData::internal_error("nobody was asked who they are", None));
        };
        let limit = self.app.settings().body_limit;
        Ok(Door::new(self.operations.clone(), caller.clone(), limit))
    }
}

impl ServerHandler for Agent {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_completions()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("cas", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(TOOLS.iter().map(tools::Tool::described).collect()))
    }

    fn get_tool(&self, name: &str) -> Option<Description> {
        tool(name).map(tools::Tool::described)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(tool) = tool(&request.name) else {
            let detail = format!("there is no tool {}", request.name);
            return Err(ErrorData::invalid_params(detail, None));
        };
        let door = self.door(&context)?;
        Ok(tool.call(door, request.arguments.unwrap_or_default()).await.into())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(vec![resources::template()]))
    }

    async fn list_resources(
        &self,
        page: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let door = self.door(&context)?;
        resources::list(&door, page.and_then(|page| page.cursor)).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let door = self.door(&context)?;
        Ok(CompleteResult::new(complete::complete(&door, &request).await))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let door = self.door(&context)?;
        Ok(resources::read(&door, &request.uri).await?.into())
    }
}
