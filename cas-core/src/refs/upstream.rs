//! What a branch follows, in the metadata of its log.
//!
//! Three pairs say it: `upstream` names the ref, `upstream.follow` says how, and `upstream.base` is
//! the commit of the upstream that the branch last met. They are carried from entry to entry, so
//! that the newest one tells, and stay when the branch is deleted and brought back. An update that
//! sets `upstream` itself replaces all three; an empty value ends the following. One that sets only
//! `upstream.base` says that the branch has met its upstream again, whatever that is by now.

use serde::{Deserialize, Serialize};

use super::{LogEntry, RefEntry};
use crate::name::{CommitId, NameError, RefName};
use crate::object::Metadata;

const NAME: &str = "upstream";
const FOLLOW: &str = "upstream.follow";
const BASE: &str = "upstream.base";
const KEYS: [&str; 3] = [NAME, FOLLOW, BASE];

/// How a personal branch follows its upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// What it did not change is as upstream is now.
    Live,
    /// It stays at the version it began at, until it is brought forward.
    #[default]
    Pinned,
}

/// What a branch follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Upstream {
    /// The ref, of the same book.
    #[serde(rename = "ref")]
    pub name: RefName,
    /// How.
    pub follow: Follow,
    /// The commit of the upstream that the branch last met: where it was forked, or what was last
    /// merged into it. A hint for finding the merge base; ancestry decides.
    pub base: CommitId,
}

impl Follow {
    /// `live` or `pinned`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Pinned => "pinned",
        }
    }

    /// Reads `live` or `pinned`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Pinned].into_iter().find(|follow| follow.as_str() == text)
    }
}

impl Upstream {
    /// What metadata says; `None` if it says nothing, or nothing that can be read.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        Some(Self {
            name: RefName::parse(metadata.get(NAME)?).ok()?,
            follow: Follow::parse(metadata.get(FOLLOW)?)?,
            base: metadata.get(BASE)?.parse().ok()?,
        })
    }

    /// The commit of the upstream that metadata says was met, also where it says nothing else.
    pub(crate) fn base_of(metadata: &Metadata) -> Option<CommitId> {
        metadata.get(BASE)?.parse().ok()
    }

    /// Says it in metadata.
    pub fn write(&self, metadata: &mut Metadata) -> Result<(), NameError> {
        metadata.insert(NAME, self.name.as_str())?;
        metadata.insert(FOLLOW, self.follow.as_str())?;
        metadata.insert(BASE, &self.base.to_string())
    }

    /// Says in the metadata of an update that the branch has met its upstream again, at `base`.
    pub fn write_base(metadata: &mut Metadata, base: CommitId) -> Result<(), NameError> {
        metadata.insert(BASE, &base.to_string())
    }

    /// Says in metadata that nothing is followed any more.
    pub fn write_none(metadata: &mut Metadata) -> Result<(), NameError> {
        metadata.insert(NAME, "")
    }
}

impl RefEntry {
    /// What the branch follows from this entry on.
    pub fn upstream(&self) -> Option<Upstream> {
        Upstream::of(&self.metadata)
    }
}

/// What is wrong with what the metadata of an entry says about an upstream; `None` if nothing is.
pub(super) fn upstream_fault(metadata: &Metadata) -> Option<&'static str> {
    let right = match KEYS.map(|key| metadata.get(key)) {
        [None | Some(""), None, None] => true,
        _ => Upstream::of(metadata).is_some(),
    };
    (!right).then_some("what it says about an upstream is malformed")
}

/// What is wrong with what the metadata of an update says about an upstream; `None` if nothing is.
/// Beside what an entry says, an update may say a new base and leave the rest as it is.
pub fn upstream_update_fault(metadata: &Metadata) -> Option<&'static str> {
    match KEYS.map(|key| metadata.get(key)) {
        [None, None, Some(base)] if base.parse::<CommitId>().is_ok() => None,
        _ => upstream_fault(metadata),
    }
}

/// The metadata of the entry behind `head` that was to be `metadata`: with the upstream carried
/// over unless something is said about it. A base met by a branch that follows nothing is dropped:
/// it may have ceased to follow since it was asked.
pub(super) fn carried(metadata: &Metadata, head: Option<&LogEntry>) -> Result<Metadata, NameError> {
    let mut metadata = metadata.clone();
    if metadata.get(NAME).is_none() {
        let met = metadata.remove(BASE).and_then(|base| base.parse().ok());
        if let Some(upstream) = head.and_then(|head| head.entry.upstream()) {
            Upstream { base: met.unwrap_or(upstream.base), ..upstream }.write(&mut metadata)?;
        }
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream() -> Upstream {
        Upstream { name: RefName::main(), follow: Follow::Live, base: CommitId::of(b"base") }
    }

    #[test]
    fn reads_back_what_it_says() {
        let mut metadata = Metadata::new();
        assert_eq!((Upstream::of(&metadata), upstream_fault(&metadata)), (None, None));
        upstream().write(&mut metadata).unwrap();
        assert_eq!(Upstream::of(&metadata), Some(upstream()));
        assert_eq!(upstream_fault(&metadata), None);
        metadata.insert(FOLLOW, "sometimes").unwrap();
        assert_eq!(Upstream::of(&metadata), None);
        assert!(upstream_fault(&metadata).is_some());
    }

    #[test]
    fn an_update_may_say_a_base_alone_and_an_entry_never_does() {
        let mut metadata = Metadata::new();
        Upstream::write_base(&mut metadata, upstream().base).unwrap();
        assert_eq!(upstream_update_fault(&metadata), None);
        assert!(upstream_fault(&metadata).is_some());
        assert!(carried(&metadata, None).unwrap().is_empty());
        metadata.insert(BASE, "no commit").unwrap();
        assert!(upstream_update_fault(&metadata).is_some());
        let mut metadata = Metadata::new();
        metadata.insert(FOLLOW, "live").unwrap();
        assert!(upstream_update_fault(&metadata).is_some());
    }

    #[test]
    fn saying_none_is_no_fault() {
        let mut metadata = Metadata::new();
        Upstream::write_none(&mut metadata).unwrap();
        assert_eq!((Upstream::of(&metadata), upstream_fault(&metadata)), (None, None));
    }
}
