//! Checking everything in a store, and putting right what another store has.
//!
//! In this order: every ref's log; every commit and tree that the logs reach, each opened once; the
//! commits and trees that nothing reaches; every blob. So what a log names was there before the
//! objects are listed, and writers may go on meanwhile: a reference counts only when a ref log
//! entry reaches it, and what seems to be missing is looked for once more before it is told.

mod claims;
mod logs;
mod objects;
mod places;
mod repair;

use std::collections::BTreeMap;

use super::{LISTS_BYTES, Upkeep, UpkeepError};
use crate::access::{AccessError, Tokens};
use crate::name::{BookId, Hash, RefName};
use crate::object::{Kind, Totals};
use crate::store::Store;

use super::reach::Reach;
use super::records::Records;
use claims::Claims;

/// How many unknown keys are told by name.
const UNKNOWN_KEYS: usize = 1_000;

/// What is wanted of a check.
#[derive(Debug, Clone)]
pub struct FsckRequest {
    /// How many of a million blobs are read, chosen anew each time. Of the others only the length
    /// is looked at.
    pub sample_ppm: u32,
    /// Where to take what is missing or damaged here.
    pub repair_from: Option<Store>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct FsckReport {
    /// How many refs there are, those deleted with them.
    pub refs: u64,
    /// How many ref log entries.
    pub entries: u64,
    /// What is stored, by kind.
    pub objects: BTreeMap<Kind, ObjectCount>,
    /// How many versions that only older entries of logs name are no longer kept.
    pub collected: u64,
    /// How many blobs were read and hashed.
    pub blobs_read: u64,
    /// How many keys are none of the format's.
    pub unknown: u64,
    /// The first thousand of them.
    pub unknown_keys: Vec<String>,
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
    /// How many of the faults were put right.
    pub repaired: u64,
}

/// How much is stored of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObjectCount {
    /// How many objects.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them nothing names.
    pub unnamed: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// With an object.
    Object {
        /// Its kind.
        kind: Kind,
        /// Its id.
        id: Hash,
        /// What.
        problem: Problem,
        /// Whether a ref log entry reaches it.
        named: bool,
        /// Some of the places in newest versions where it is, as `BOOK@REF` or `BOOK@REF: PATH`.
        places: Vec<String>,
        /// Whether it was put right.
        repaired: bool,
    },
    /// With a ref's log.
    Log {
        /// The book.
        book: BookId,
        /// The ref.
        name: RefName,
        /// The position.
        seq: u64,
        /// What.
        reason: String,
        /// Whether it was put right.
        repaired: bool,
    },
    /// With a token's record.
    Token {
        /// What.
        reason: String,
    },
}

/// What is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Something names it, and it is not there.
    Missing,
    /// Its bytes are not those that its id says.
    Damaged {
        /// How it shows.
        reason: String,
    },
    /// Its bytes are those that its id says, and break a rule of the format.
    Invalid {
        /// The rule.
        reason: String,
    },
    /// A tree says of it what it is not.
    Totals {
        /// What the tree says.
        said: Totals,
        /// What it is.
        found: Totals,
    },
}

impl Problem {
    /// `missing`, `damaged`, `invalid` or `totals`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Damaged { .. } => "damaged",
            Self::Invalid { .. } => "invalid",
            Self::Totals { .. } => "totals",
        }
    }
}

impl Fault {
    /// Whether it was put right.
    pub const fn is_repaired(&self) -> bool {
        match self {
            Self::Object { repaired, .. } | Self::Log { repaired, .. } => *repaired,
            Self::Token { .. } => false,
        }
    }

    const fn object(kind: Kind, id: Hash, problem: Problem, named: bool) -> Self {
        Self::Object { kind, id, problem, named, places: Vec::new(), repaired: false }
    }
}

impl FsckReport {
    /// Whether everything is as it should be, at least now.
    pub fn is_sound(&self) -> bool {
        self.faults.iter().all(Fault::is_repaired)
    }

    fn note_unknown(&mut self, keys: Vec<String>) {
        self.unknown += keys.len() as u64;
        let room = UNKNOWN_KEYS.saturating_sub(self.unknown_keys.len());
        self.unknown_keys.extend(keys.into_iter().take(room));
    }
}

impl Upkeep {
    /// Checks everything in the store: see [`FsckReport`].
    ///
    /// An error means that the check could not be finished; what is wrong is in the report.
    pub async fn fsck(&self, request: &FsckRequest) -> Result<FsckReport, UpkeepError> {
        let mut report = FsckReport::default();
        report.note_unknown(self.strangers().await?);
        let mut reach = Reach::new(LISTS_BYTES);
        let mut older = Records::new(LISTS_BYTES / 8);
        self.check_logs(&mut report, &mut reach, &mut older).await?;
        let mut claims = Claims::new(LISTS_BYTES);
        self.check_named(&mut report, &mut reach, &mut older, &mut claims).await?;
        self.check_unnamed(&mut report, &reach).await?;
        self.check_blobs(&mut report, request.sample_ppm, &claims).await?;
        self.check_tokens(&mut report).await?;
        if !report.faults.is_empty() {
            self.find_places(&mut report).await?;
        }
        if let Some(from) = &request.repair_from {
            self.repair(&mut report, from).await?;
        }
        self.progress.end();
        Ok(report)
    }

    async fn check_tokens(&self, report: &mut FsckReport) -> Result<(), UpkeepError> {
        let tokens = Tokens::new(self.bucket.clone(), self.env.clone()).list().await?;
        for fault in tokens.faults {
            match fault {
                AccessError::UnknownKey { key } => report.note_unknown(vec![key]),
                fault => {
                    let reason = crate::error::chain(&fault);
                    report.faults.push(Fault::Token { reason });
                }
            }
        }
        Ok(())
    }
}
