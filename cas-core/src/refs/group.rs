//! Several requests answered by one entry, each with its own attribution.
//!
//! A server may take edits of one branch that arrive together into one movement of the ref: a chain
//! of commits, one for each request and in its author's name, and one entry that names them all in
//! its metadata. The entry's own actor, operation and request id are those of the last, whose
//! commit is its target.

use super::RefEntry;
use crate::limits;
use crate::name::{Actor, CommitId, NameError, Operation, RequestId};
use crate::object::Metadata;

/// What the metadata keys of requests begin with; two digits follow.
const PREFIX: &str = "request.";

/// One request among those that an entry answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Which request.
    pub request_id: RequestId,
    /// By what operation.
    pub operation: Operation,
    /// Who made it.
    pub actor: Actor,
    /// The commit that it made; none for a deletion.
    pub commit: Option<CommitId>,
}

impl RefEntry {
    /// Every request that made this movement, in order: one, or those of a group.
    pub fn requests(&self) -> Vec<Request> {
        let pairs = self.metadata.iter().filter(|(key, _)| names_request(key));
        let group: Vec<_> = pairs.filter_map(|(_, value)| parse(value)).collect();
        if !group.is_empty() {
            return group;
        }
        vec![Request {
            request_id: self.request_id.clone(),
            operation: self.operation.clone(),
            actor: self.actor.clone(),
            commit: self.target,
        }]
    }

    /// The part of this movement that `request` made; `None` if it made none.
    pub fn made_by(&self, request: &RequestId) -> Option<Request> {
        if self.metadata.is_empty() && self.request_id != *request {
            return None;
        }
        self.requests().into_iter().find(|made| made.request_id == *request)
    }
}

/// The most requests that one entry can name: beside them it may say what the branch follows, in
/// three pairs, and carry a signature.
pub const GROUP_REQUESTS: usize = limits::METADATA_PAIRS - 4;

/// The metadata of an entry that answers `requests`: none if there is only one.
pub(crate) fn group_metadata(requests: &[Request]) -> Result<Metadata, NameError> {
    let mut metadata = Metadata::new();
    if requests.len() < 2 {
        return Ok(metadata);
    }
    for (at, request) in requests.iter().enumerate() {
        let Request { request_id, operation, actor, commit } = request;
        let commit = commit.map_or_else(|| "-".to_owned(), |commit| commit.to_string());
        let value = format!("{request_id} {operation} {commit} {actor}");
        metadata.insert(&numbered_key(at), &value)?;
    }
    Ok(metadata)
}

/// What is wrong with the requests that an entry names; `None` if nothing is.
pub(super) fn group_fault(entry: &RefEntry) -> Option<&'static str> {
    let pairs: Vec<_> = entry.metadata.iter().filter(|(key, _)| names_request(key)).collect();
    if pairs.is_empty() {
        return None;
    }
    let numbered = |(at, (key, _)): (usize, &(&str, &str))| *key == numbered_key(at);
    let group: Vec<_> = pairs.iter().filter_map(|(_, value)| parse(value)).collect();
    if group.len() != pairs.len() || group.len() < 2 || !pairs.iter().enumerate().all(numbered) {
        return Some("the requests that it names are malformed");
    }
    let ends = group.last().is_some_and(|last| {
        last.request_id == entry.request_id
            && last.operation == entry.operation
            && last.actor == entry.actor
            && last.commit == entry.target
    });
    (!ends).then_some("the last of the requests that it names is not its own")
}

/// Whether a metadata key names a request, which only whoever does the requests may write.
pub(super) fn names_request(key: &str) -> bool {
    key.starts_with(PREFIX)
}

fn numbered_key(at: usize) -> String {
    format!("{PREFIX}{:02}", at + 1)
}

fn parse(value: &str) -> Option<Request> {
    let mut parts = value.splitn(4, ' ');
    let mut part = || parts.next();
    let (request_id, operation, commit, actor) = (part()?, part()?, part()?, part()?);
    let commit = match commit {
        "-" => None,
        commit => Some(commit.parse().ok()?),
    };
    Some(Request {
        request_id: RequestId::parse(request_id).ok()?,
        operation: Operation::parse(operation).ok()?,
        actor: Actor::parse(actor).ok()?,
        commit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Timestamp;
    use crate::name::{BookId, RefName};

    fn request(n: u8, actor: &str) -> Request {
        Request {
            request_id: RequestId::from_bytes([n; 16]),
            operation: Operation::put(),
            actor: Actor::parse(actor).unwrap(),
            commit: Some(CommitId::of(&[n])),
        }
    }

    fn entry(requests: &[Request]) -> RefEntry {
        let last = requests.last().unwrap();
        RefEntry {
            book: BookId::parse("book").unwrap(),
            name: RefName::main(),
            seq: 1,
            previous: None,
            target: last.commit,
            actor: last.actor.clone(),
            time: Timestamp::from_micros(7),
            operation: last.operation.clone(),
            message: String::new(),
            request_id: last.request_id.clone(),
            metadata: group_metadata(requests).unwrap(),
        }
    }

    #[test]
    fn invariant_attributed_a_group_names_each_of_its_requests() {
        let requests = [request(1, "ada"), request(2, "b c@d"), request(3, "ada")];
        let grouped = entry(&requests);
        let read = RefEntry::decode(&grouped.encode()).unwrap();
        assert_eq!(read.requests(), requests);
        assert_eq!(read.made_by(&requests[1].request_id), Some(requests[1].clone()));
        assert_eq!(read.made_by(&RequestId::from_bytes([9; 16])), None);
    }

    #[test]
    fn a_group_that_contradicts_its_entry_is_a_fault() {
        let requests = [request(1, "ada"), request(2, "bob")];
        let right = entry(&requests);
        assert_eq!(group_fault(&right), None);
        assert_eq!(group_fault(&entry(&requests[..1])), None);
        let forged = RefEntry { actor: Actor::parse("eve").unwrap(), ..right.clone() };
        assert!(group_fault(&forged).is_some());
        for (key, value) in [("request.03", "no request"), ("request.7", "x put - y")] {
            let mut bad = right.clone();
            bad.metadata.insert(key, value).unwrap();
            assert!(group_fault(&bad).is_some(), "{key}");
        }
    }

    #[test]
    fn one_request_needs_no_metadata() {
        let alone = entry(&[request(1, "ada")]);
        assert!(alone.metadata.is_empty());
        assert_eq!(alone.requests(), [request(1, "ada")]);
    }

    #[test]
    fn the_largest_group_fits() {
        let actor = "a".repeat(limits::ACTOR_BYTES);
        let requests: Vec<_> =
            (0..GROUP_REQUESTS).map(|n| request(u8::try_from(n).unwrap(), &actor)).collect();
        let entry = entry(&requests);
        assert_eq!(entry.requests().len(), GROUP_REQUESTS);
        assert!(entry.encode().len() < limits::ENTRY_BYTES);
    }
}
