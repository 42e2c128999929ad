//! Refs of a server: entries travel as they are stored, so that each vouches for itself.

use async_trait::async_trait;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use super::RemoteError;
use super::client::{Call, Client, Failed};
use crate::limits;
use crate::name::{Actor, BookId, CommitId, Operation, RefName, RequestId};
use crate::object::{DecodeError, Metadata, check_message};
use crate::refs::{Expectation, LogEntry, RefError, RefUpdate, UpdateOutcome, entry_at};
use crate::store::{Refs, StoreError};

/// The header that says what became of an update.
const OUTCOME: &str = "cas-outcome";

/// The header by which a client says who it is, to a server that asks for no token.
const ACTOR: HeaderName = HeaderName::from_static("cas-actor");

/// How many names are asked for at once.
const PAGE: usize = 1_000;

/// What stands for itself in a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Refs kept by a server.
#[derive(Debug)]
pub(super) struct RemoteRefs {
    client: Client,
}

/// The body of `POST /v1/raw/update`.
#[derive(Debug, Serialize)]
struct Update<'a> {
    book: &'a BookId,
    r#ref: &'a RefName,
    /// A commit's id, `absent` or `any`.
    expect: String,
    target: Option<CommitId>,
    operation: &'a Operation,
    message: &'a str,
    request_id: &'a RequestId,
    /// Whether no earlier try can have come through.
    fresh: bool,
    metadata: &'a Metadata,
}

/// One page of names.
#[derive(Debug, Deserialize)]
struct Page<T> {
    #[serde(alias = "books", alias = "refs")]
    items: Vec<T>,
    next: Option<String>,
}

impl RemoteRefs {
    pub(super) const fn new(client: Client) -> Self {
        Self { client }
    }

    /// The entry at a position, or the newest.
    async fn read(
        &self,
        book: &BookId,
        name: &RefName,
        seq: Option<u64>,
    ) -> Result<Option<LogEntry>, RefError> {
        let mut path = format!("/v1/raw/entry?book={}&ref={}", escaped(book), escaped(name));
        if let Some(seq) = seq {
            path.push_str(&format!("&seq={seq}"));
        }
        let call = Call::get(path);
        let read = self.client.again(|| async {
            match self.client.send_once(&call).await {
                Ok(answer) => Ok(Some(answer.bytes(limits::ENTRY_BYTES as u64).await?)),
                Err(failed) if failed.error.code() == Some("no_entry") => Ok(None),
                Err(failed) => Err(failed),
            }
        });
        let bytes = match read.await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => return Err(damaged(book, name, error)),
        };
        entry_at(book, name, seq, &bytes).map(Some)
    }

    /// Sends an update until it is answered. The request id makes that right, once the server knows
    /// that it may have been used.
    async fn send(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError> {
        let mut failures = 0;
        let mut request_id = update.request_id.clone();
        loop {
            let failed = match self.send_once(update, &request_id).await {
                Ok(outcome) => return Ok(outcome),
                Err(Ended::Final(error)) => return Err(error),
                Err(Ended::Failed(failed)) => failed,
            };
            failures += 1;
            let is_unsent = matches!(failed.error, RemoteError::Unreachable { .. });
            if !is_unsent {
                request_id = request_id.to_repeat();
            }
            if self.client.may_try_again(failures, &failed.error) {
                self.client.pause(failures, failed.retry_after).await;
                continue;
            }
            return Err(if is_doubtful(&failed.error) || !request_id.is_fresh() && is_unsent {
                RefError::FateUnknown {
                    book: update.book.clone(),
                    name: update.name.clone(),
                    request_id: request_id.to_repeat(),
                    source: failed.error.into(),
                }
            } else {
                refused(update, failed.error)
            });
        }
    }

    async fn send_once(
        &self,
        update: &RefUpdate,
        request_id: &RequestId,
    ) -> Result<UpdateOutcome, Ended> {
        let body = Update {
            book: &update.book,
            r#ref: &update.name,
            expect: match update.expect {
                Expectation::Any => "any".to_owned(),
                Expectation::Absent => "absent".to_owned(),
                Expectation::Is(commit) => commit.to_string(),
            },
            target: update.target,
            operation: &update.operation,
            message: &update.message,
            request_id,
            fresh: request_id.is_fresh(),
            metadata: &update.metadata,
        };
        let mut call = Call::post_json("/v1/raw/update", &body);
        if let Some(value) = actor(&update.actor) {
            call = call.header(ACTOR, value);
        }
        let answer = self.client.send_once(&call).await?;
        let outcome = answer.header(OUTCOME).map(str::to_owned);
        let bytes = answer.bytes(limits::ENTRY_BYTES as u64).await.map_err(Failed::from)?;
        let entry = if bytes.is_empty() {
            None
        } else {
            let entry = entry_at(&update.book, &update.name, None, &bytes);
            Some(entry.map_err(Ended::Final)?)
        };
        let lie = |reason: &str| {
            let error = RemoteError::lie(self.client.server(), reason);
            Ended::Final(StoreError::from(error).into())
        };
        match (outcome.as_deref(), entry) {
            (Some("moved"), Some(entry)) if entry.entry.request_id == update.request_id => {
                Ok(UpdateOutcome::Moved(entry))
            }
            (Some("moved"), _) => Err(lie("it shows no entry of the change that it says was made")),
            (Some("refused"), head) => {
                let is_open = update.expect.holds(head.as_ref())
                    && (update.target.is_some() || !Expectation::Absent.holds(head.as_ref()));
                if is_open {
                    return Err(lie("it refuses a change that nothing stands in the way of"));
                }
                Ok(UpdateOutcome::Refused(head))
            }
            _ => Err(lie("it does not say what became of a change")),
        }
    }

    /// All names of a list that comes in pages.
    async fn pages<T>(&self, path: &str) -> Result<Vec<T>, RefError>
    where
        T: serde::de::DeserializeOwned + Ord,
    {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let from = after.as_ref().map(|after| format!("&cursor={}", escaped(after)));
            let call = Call::get(format!("{path}&limit={PAGE}{}", from.unwrap_or_default()));
            let Page { items, next } = self.client.json(&call).await.map_err(StoreError::from)?;
            let is_empty = items.is_empty();
            all.extend(items);
            match next {
                None => break,
                Some(next) if !is_empty && Some(&next) > after.as_ref() => after = Some(next),
                Some(_) => {
                    let error =
                        RemoteError::lie(self.client.server(), "a list goes round in circles");
                    return Err(StoreError::from(error).into());
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

/// How one try of an update ended.
enum Ended {
    /// It may be tried again.
    Failed(Failed),
    /// It may not.
    Final(RefError),
}

impl From<Failed> for Ended {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

#[async_trait]
impl Refs for RemoteRefs {
    async fn head(&self, book: &BookId, name: &RefName) -> Result<Option<LogEntry>, RefError> {
        self.read(book, name, None).await
    }

    async fn entry(
        &self,
        book: &BookId,
        name: &RefName,
        seq: u64,
    ) -> Result<Option<LogEntry>, RefError> {
        if !(1..=limits::SEQ_MAX).contains(&seq) {
            return Ok(None);
        }
        self.read(book, name, Some(seq)).await
    }

    async fn update(&self, update: &RefUpdate) -> Result<UpdateOutcome, RefError> {
        check_message(&update.message, limits::ENTRY_MESSAGE_BYTES)?;
        // The server cannot know when the work began.
        update.check_duration(self.client.now())?;
        self.send(update).await
    }

    async fn names(&self, book: &BookId) -> Result<Vec<RefName>, RefError> {
        self.pages(&format!("/v1/raw/refs?book={}", escaped(book))).await
    }

    async fn books(&self) -> Result<Vec<BookId>, RefError> {
        self.pages("/v1/raw/books?").await
    }
}

/// Whether a change may have been made although it failed.
fn is_doubtful(error: &RemoteError) -> bool {
    match error {
        RemoteError::Broken { .. } | RemoteError::Silent { .. } => true,
        RemoteError::Refused { status, code, .. } => {
            code == "fate_unknown" || matches!(status, 502 | 504)
        }
        RemoteError::NoServer { .. } => error.is_passing(),
        RemoteError::Unreachable { .. } | RemoteError::Lie { .. } => false,
    }
}

/// The error for an update that the server refused for good.
fn refused(update: &RefUpdate, error: RemoteError) -> RefError {
    match error.code() {
        Some("tag_moves") => {
            RefError::TagMoves { book: update.book.clone(), name: update.name.clone() }
        }
        _ => damaged(&update.book, &update.name, error),
    }
}

/// The error for what the server says of a ref: of a damaged entry, which one it is.
fn damaged(book: &BookId, name: &RefName, error: RemoteError) -> RefError {
    match error {
        RemoteError::Refused { ref code, ref detail, seq: Some(seq), .. }
            if code == "entry_damaged" =>
        {
            let (book, name) = (book.clone(), name.clone());
            RefError::Damaged { book, name, seq, source: DecodeError::Rule(detail.clone()) }
        }
        error => StoreError::from(error).into(),
    }
}

fn actor(actor: &Actor) -> Option<HeaderValue> {
    HeaderValue::from_bytes(actor.to_string().as_bytes()).ok()
}

fn escaped(text: &impl ToString) -> String {
    utf8_percent_encode(&text.to_string(), PLAIN).to_string()
}
