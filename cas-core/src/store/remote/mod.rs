//! A store behind a server: the traits of a store, spoken over HTTP.
//!
//! The server is not trusted with anything but keeping the data: what it sends is compared with the
//! ids that were asked for, here or in [`Store`](super::Store), and a ref log entry with the ref
//! and the position that it was asked for. A server that lies costs time or an error, never wrong
//! data.
//!
//! - `client`: one request, tried again where that is right.
//! - `objects`: reading; what was announced is read from `coming`, which `fetch` fills from one
//!   streamed answer.
//! - `writer`: writing; what comes at the same time travels together.
//! - `refs`: refs, whose entries travel as they are stored.
//!
//! `docs/http-api.md` is normative for the requests, `docs/wire.md` for streams of objects.

mod batch;
mod client;
mod coming;
mod error;
mod fetch;
mod objects;
mod refs;
mod writer;

use std::sync::Arc;

use super::connect::{Setting, Source, Variables, masked};
use super::{Store, StoreError};
use crate::env::Env;

use client::{Client, Token};
use objects::RemoteObjects;
use refs::RemoteRefs;

pub use error::RemoteError;

/// The variable that holds the token by which a server knows its client.
const TOKEN: &str = "CAS_TOKEN";

/// The store that the server at `url` has, and the settings by which it is spoken to. Nothing is
/// asked of the network here.
pub(super) fn connect(
    url: &str,
    variables: &Variables,
    env: &Env,
) -> Result<(Store, Vec<Setting>), StoreError> {
    let token = match variables.get(TOKEN).filter(|token| !token.is_empty()) {
        Some(token) => Some(Token::parse(token)?),
        None => None,
    };
    let client = Client::new(url, token, env.clone())?;
    let objects = RemoteObjects::new(client.clone());
    let store = Store::new(Arc::new(objects), Arc::new(RemoteRefs::new(client)));
    Ok((store, settings(url, variables)))
}

fn settings(url: &str, variables: &Variables) -> Vec<Setting> {
    let (token, source) = match variables.get(TOKEN).filter(|token| !token.is_empty()) {
        Some(token) => (masked(token), Source::Variable(TOKEN.to_owned())),
        None => ("none".to_owned(), Source::Default),
    };
    vec![
        Setting { name: "server", value: url.to_owned(), source: Source::Location },
        Setting { name: "token", value: token, source },
    ]
}
