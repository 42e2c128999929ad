//! Commits: one version of a book.

use super::codec::{self, DecodeError};
use super::metadata::{Metadata, MetadataWire};
use crate::env::Timestamp;
use crate::limits;
use crate::name::{Actor, CommitId, NameError, TreeId};

/// The format version of encoded commits.
const VERSION: u64 = 1;

/// One version of a book: its tree, where it came from, who made it, when and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The whole book.
    pub tree: TreeId,
    /// The versions that it follows; none for a book's first. At most 16, no two equal.
    pub parents: Vec<CommitId>,
    /// Who made it.
    pub author: Actor,
    /// When it was made.
    pub committed_at: Timestamp,
    /// Why: at most 64 KiB, without NUL.
    pub message: String,
    /// Small facts by name.
    pub metadata: Metadata,
}

/// The encoded fields, in order.
type Wire = (u64, TreeId, Vec<CommitId>, String, Timestamp, String, MetadataWire);

impl Commit {
    /// Checks the rules across fields; every way into a store calls this.
    pub fn check(&self) -> Result<(), DecodeError> {
        if self.parents.len() > limits::PARENTS {
            return Err(DecodeError::Rule("a commit has at most 16 parents".to_owned()));
        }
        let mut parents = self.parents.clone();
        parents.sort_unstable();
        if parents.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(DecodeError::Rule("a commit names each parent once".to_owned()));
        }
        check_message(&self.message, limits::MESSAGE_BYTES)?;
        Ok(())
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let Self { tree, parents, author, committed_at, message, metadata } = self;
        codec::encode(&(VERSION, tree, parents, author, committed_at, message, metadata.to_wire()))
    }

    /// Reads the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (_, tree, parents, author, committed_at, message, metadata): Wire =
            codec::decode_version(bytes, limits::COMMIT_BYTES, VERSION)?;
        let author = Actor::parse(&author)?;
        let metadata = metadata.check()?;
        let commit = Self { tree, parents, author, committed_at, message, metadata };
        commit.check()?;
        Ok(commit)
    }

    /// The first line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// The rule for messages: at most `limit` bytes, no NUL.
pub(crate) fn check_message(message: &str, limit: usize) -> Result<(), NameError> {
    if message.len() > limit {
        return Err(NameError::new(
            "message",
            message,
            format!("a message has at most {limit} bytes"),
        ));
    }
    if message.contains('\0') {
        return Err(NameError::new("message", message, "a message has no NUL"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit() -> Commit {
        Commit {
            tree: TreeId::of(b"t"),
            parents: vec![CommitId::of(b"p")],
            author: Actor::parse("ada").unwrap(),
            committed_at: Timestamp::from_micros(1),
            message: "first\n\nmore".to_owned(),
            metadata: Metadata::new(),
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let mut commit = commit();
        commit.metadata.insert("source", "folder").unwrap();
        assert_eq!(Commit::decode(&commit.encode()).unwrap(), commit);
        assert_eq!(commit.subject(), "first");
    }

    #[test]
    fn rejects_bad_fields() {
        let twice = Commit { parents: vec![CommitId::of(b"p"); 2], ..commit() };
        assert!(Commit::decode(&twice.encode()).is_err());
        let many = Commit { parents: (0..17_u8).map(|n| CommitId::of(&[n])).collect(), ..commit() };
        assert!(Commit::decode(&many.encode()).is_err());
        let nul = Commit { message: "a\0".to_owned(), ..commit() };
        assert!(Commit::decode(&nul.encode()).is_err());
        let system = codec::encode(&(
            VERSION,
            TreeId::of(b"t"),
            Vec::<CommitId>::new(),
            "system",
            1_u64,
            "m",
            Vec::<u8>::new(),
        ));
        assert!(Commit::decode(&system).is_err());
        let unsorted = codec::encode(&(
            VERSION,
            TreeId::of(b"t"),
            Vec::<CommitId>::new(),
            "ada",
            1_u64,
            "m",
            vec![("b", ""), ("a", "")],
        ));
        assert!(Commit::decode(&unsorted).is_err());
    }
}
