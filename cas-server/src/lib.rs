//! The HTTP front door of a store.
//!
//! The server keeps nothing of its own: any number of them can run side by side over one store.
//! What it answers is in `docs/http-api.md`, and described for programs at `/openapi.json`.
//!
//! - [`App`]: what every handler works with: the store, the clock, the settings.
//! - [`router`]: all routes, as a service that tests can call without a socket.
//! - [`StandingView`]: what the command line tells in the same words.
//! - `access`, `caller`: who is asking, and what they may do.
//! - [`Limits`], `gate`, `pace`, `upload`: what a client may take of the server.
//! - `observe`, `metrics`, [`Caches`], `ready`: what is told to whoever runs the server.
//! - `problem`: errors as RFC 9457 problems, each with a stable code.
//! - `request_id`: the id of every request, and the keys that make writes repeatable.
//! - `mcp`, [`serve_mcp`]: the same for AI agents, by the Model Context Protocol.
//! - [`Server`]: connections, until it is told to stop.
//! - `api/`: one file for each group of operations.
//!
//! Handlers extract, ask whether the caller may, call `cas-core`, and answer.

mod access;
#[expect(unused_qualifications, reason = "the macro that describes operations qualifies names")]
mod api;
mod app;
mod caches;
mod caller;
mod gate;
mod limits;
mod mcp;
mod metrics;
mod observe;
mod pace;
mod problem;
mod ready;
mod request_id;
mod serve;
mod upload;

pub use api::{StandingView, openapi, router};
pub use app::{App, Settings};
pub use caches::Caches;
pub use limits::Limits;
pub use mcp::serve_mcp;
pub use serve::{Ended, Server, Tls, TlsError, serve};
