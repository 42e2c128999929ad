//! `cas token`

use std::io::{self, Write};

use cas_core::access::{Listed, NewToken, Revocation, Scope, Token, TokenList};
use cas_core::env::Timestamp;
use cas_core::error::ErrorKind;
use cas_core::name::HashPrefix;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::args::Time;
use crate::context::Context;
use crate::error::CommandError;

/// Make, list and revoke tokens for a server
///
/// A server asks for a token from the moment on that its store has one. A scope is
/// `VERBS[:BOOK[:REF[:PATH]]]`: what may be done (read; write, which implies read; admin, which
/// implies both), and patterns for where. In a pattern `*` stands for anything within a segment and
/// `**` for any segments; what is left out is `**`. The store keeps only a hash of a token.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cas token create --actor build --scope read                       Read everything
  cas token create --actor ada --scope 'write:guide' --expires 90d  Write to one book
  cas token create --actor bot --scope 'read:guide' --scope 'write:guide:users/*:lessons/**'
  CAS_TOKEN=$(cas token create --actor ci --scope read --quiet)
  cas token list
  cas token revoke 4f2a9c1e")]
pub(crate) struct TokenCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token, and print it: it is kept nowhere, and never shown again
    ///
    /// Changes made with it are recorded in the name that --actor says.
    Create {
        /// What may be done where, e.g. read:guide:main; may be given more than once
        #[arg(long = "scope", required = true, value_name = "SCOPE")]
        scopes: Vec<Scope>,
        /// For how long it is good, e.g. 12h or 90d (default: until it is revoked)
        #[arg(long, value_name = "DURATION")]
        expires: Option<Time>,
        /// What it is for
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        note: String,
    },
    /// List all tokens, also those that are no longer good
    List,
    /// Refuse tokens from now on; a running server knows it within seconds
    Revoke {
        /// The ids, or their first 8 or more digits: see `cas token list`
        #[arg(required = true, value_name = "ID")]
        ids: Vec<HashPrefix>,
    },
}

/// A token.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    /// `good`, `expired`, `revoked`, or `damaged`.
    status: &'static str,
    actor: Option<String>,
    scopes: Vec<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    revoked_by: Option<String>,
    note: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Serialize)]
struct CreatedView {
    token: String,
    #[serde(flatten)]
    view: View,
}

/// A token that is revoked.
#[derive(Debug, Serialize)]
struct RevokedView {
    id: String,
    /// Whether it was good until now.
    revoked: bool,
}

impl TokenCommand {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CommandError> {
        match self.action {
            Action::Create { scopes, expires, note } => {
                create(context, scopes, expires, note).await
            }
            Action::List => list(context).await,
            Action::Revoke { ids } => revoke(context, &ids).await,
        }
    }
}

async fn create(
    context: &Context,
    scopes: Vec<Scope>,
    expires: Option<Time>,
    note: String,
) -> Result<(), CommandError> {
    if !context.actor_was_said {
        return Err(CommandError::Usage(
            "in whose name are changes with this token? say --actor NAME".to_owned(),
        ));
    }
    let now = context.now();
    let expires_at = expires.map(|Time(time)| {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(now.as_micros().saturating_add(micros))
    });
    let actor = context.actor.clone();
    let tokens = context.tokens()?;
    let is_first = !tokens.any().await?;
    let (token, secret) = tokens.create(NewToken { actor, scopes, expires_at, note }).await?;
    let output = context.output;
    if is_first {
        output.say("this is the first token of this store: its servers ask for one from now on");
    }
    output.say(&format!(
        "made token {} for {}; it is shown this once, and kept nowhere:",
        token.id.short(),
        token.actor
    ));
    let view = CreatedView { token: secret.reveal(), view: View::of(&token, "good") };
    output.answer(&view, |out| writeln!(out, "{}", view.token))
}

async fn list(context: &Context) -> Result<(), CommandError> {
    let TokenList { tokens, faults } = context.tokens()?.list().await?;
    let now = context.now();
    let views: Vec<_> = tokens.iter().map(|listed| View::listed(listed, now)).collect();
    if views.is_empty() && faults.is_empty() {
        context
            .output
            .say(&format!("no tokens in {}: `cas token create` makes one", context.location));
    }
    context.output.answer(&views, |out| views.iter().try_for_each(|view| view.write(out)))?;
    match faults.len() {
        0 => Ok(()),
        _ => {
            let said: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Err(CommandError::found(said.join("\n  "), ErrorKind::Corrupt))
        }
    }
}

async fn revoke(context: &Context, ids: &[HashPrefix]) -> Result<(), CommandError> {
    let tokens = context.tokens()?;
    let mut views = Vec::new();
    for prefix in ids {
        let (id, revoked) = tokens.revoke(prefix, &context.actor).await?;
        views.push(RevokedView { id: id.to_string(), revoked });
    }
    context.output.answer(&views, |out| {
        views.iter().try_for_each(|RevokedView { id, revoked }| {
            let what = if *revoked { "revoked" } else { "was revoked before" };
            writeln!(out, "{id}  {what}")
        })
    })
}

impl View {
    fn of(token: &Token, status: &'static str) -> Self {
        Self {
            id: token.id.to_string(),
            status,
            actor: Some(token.actor.to_string()),
            scopes: token.scopes.iter().map(ToString::to_string).collect(),
            created_at: Some(token.created_at.to_string()),
            expires_at: token.expires_at.map(|time| time.to_string()),
            revoked_at: None,
            revoked_by: None,
            note: Some(token.note.clone()),
        }
    }

    fn listed(listed: &Listed, now: Timestamp) -> Self {
        let view = match &listed.token {
            Some(token) if token.is_expired(now) => Self::of(token, "expired"),
            Some(token) => Self::of(token, "good"),
            None => Self {
                id: listed.id.to_string(),
                status: "damaged",
                actor: None,
                scopes: Vec::new(),
                created_at: None,
                expires_at: None,
                revoked_at: None,
                revoked_by: None,
                note: None,
            },
        };
        let Some(revoked) = &listed.revoked else { return view };
        let by = |of: fn(&Revocation) -> String| revoked.as_ref().map(of);
        Self {
            status: "revoked",
            revoked_at: by(|revoked| revoked.revoked_at.to_string()),
            revoked_by: by(|revoked| revoked.actor.to_string()),
            ..view
        }
    }

    /// One line, and one for each scope.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { id, status, actor, scopes, expires_at, note, .. } = self;
        let actor = actor.as_deref().unwrap_or("?");
        write!(out, "{}  {status:<8}  {actor}", &id[..12])?;
        if let Some(at) = expires_at {
            write!(out, "  until {}", short(at))?;
        }
        if let Some(note) = note.as_deref().and_then(|note| note.lines().next()) {
            write!(out, "  {note}")?;
        }
        writeln!(out)?;
        scopes.iter().try_for_each(|scope| writeln!(out, "              {scope}"))
    }
}

/// An exact time, to the second.
fn short(exact: &str) -> String {
    match exact.split_once('.') {
        Some((seconds, _)) => seconds.replace('T', " ") + "Z",
        None => exact.to_owned(),
    }
}
